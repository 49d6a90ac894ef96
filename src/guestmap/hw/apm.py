"""The advanced power management ports B2h (control) and B3h (status) of the PIIX4.

Intel 82371AB (PIIX4) data sheet, section 7.2.5 (APMC, APMS). A write to the control port asks the
system management handler for something; there is only memory behind the status port. Both outlive
a reset, and a wider access goes back and forth between the two, as in QEMU 7.2.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from guestmap.memory import AccessSizes, MemoryRegionOps

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from guestmap.memory import MemorySystem

PORT, PORT_BYTES = 0xB2, 2


class Apm:
    """The two ports.

    Args:
        memory: the machine's memory system.
        on_control: called with each value written to the control port.

    Attributes:
        region: ``apm-io``, 2 bytes, at port B2h.
    """

    def __init__(
        self, memory: MemorySystem, on_control: Callable[[int], None], *, owner: object = None
    ) -> None:
        self._on_control = on_control
        self._registers = [0, 0]
        ops = MemoryRegionOps(
            read=lambda offset, _size: self._registers[offset & 1],
            write=self._write,
            impl=AccessSizes(1, 1),
        )
        self.region = memory.io("apm-io", PORT_BYTES, ops, owner=owner)

    def save(self) -> list[int]:
        """Return both registers."""
        return list(self._registers)

    def load(self, registers: Sequence[int]) -> None:
        """Set both registers; nobody is told."""
        self._registers = list(registers)

    def _write(self, offset: int, value: int, _size: int) -> None:
        self._registers[offset & 1] = value & 0xFF
        if not offset & 1:
            self._on_control(value & 0xFF)
