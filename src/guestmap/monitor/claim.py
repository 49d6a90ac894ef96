"""Which QEMU a monitor says that it is, and the answers that came with it.

What a monitor can do its schema tells; the version is what some refuse to talk to: libvirt 12.9
takes none before 7.2. So a program that is started as QEMU is says that it is the newest, and an
older one where somebody asks for that. The machine is the same: QEMU 11.1 has pc-i440fx-7.2 too.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple


class QemuClaim(NamedTuple):
    """A version of QEMU, and what its monitor tells that is not in 7.2's (``query-qmp-schema``).

    Attributes:
        major: the first number of the version.
        minor: the second one; the third is 0.
        machine_acpi: ``query-machines`` tells whether a machine may have ACPI.
        cpu_type: ``query-cpus-fast`` tells a CPU's type.
        accelerators: there is ``query-accelerators``.
    """

    major: int
    minor: int
    machine_acpi: bool = False
    cpu_type: bool = False
    accelerators: bool = False

    @property
    def name(self) -> str:
        """The version as people write it: ``7.2``."""
        return f"{self.major}.{self.minor}"

    @property
    def triple(self) -> dict[str, Any]:
        """The version as QMP tells it."""
        return {"micro": 0, "minor": self.minor, "major": self.major}


CLAIMS: Final = (
    QemuClaim(7, 2),
    QemuClaim(10, 0, machine_acpi=True),
    QemuClaim(11, 1, machine_acpi=True, cpu_type=True, accelerators=True),
)
"""Oldest first. Source: the schemas of QEMU 7.2.22, 10.0.13 and 11.1.2."""

MACHINE_S_OWN: Final = CLAIMS[0]
"""What the machine is like: its commands, texts and devices are this version's."""


def claim_called(name: str) -> QemuClaim:
    """Return the claim of a version.

    Args:
        name: of one that is there.
    """
    return next(each for each in CLAIMS if each.name == name)
