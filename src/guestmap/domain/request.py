"""What is asked for: a memory device to plug, to unplug, or to resize."""

from __future__ import annotations

from dataclasses import dataclass

from guestmap.base import ConfigError
from guestmap.domain.machine_types import DIMM, VIRTIO_MEM
from guestmap.inspect.map.report import Report

_MAX = 1 << 64


@dataclass(frozen=True, slots=True)
class PlugRequest(Report):
    """A memory device to plug.

    Attributes:
        size: bytes; of virtio-mem the most that it may ever hold.
        node: the guest's NUMA node.
        slot: None: the lowest free one.
        addr: guest-physical address; None: the first gap that starts and ends on the guest's
            memory blocks; 0, as in QEMU: the first gap that fits.
        id: None: ``dimmN``, N being the slot, or ``virtiomemN``.
        force: plug it even where the guest will get nothing of it.
        kind: ``dimm`` or ``virtio-mem``.
        requested: of virtio-mem: bytes that the guest is asked to take at once; None: none.
        bus: of virtio-mem: the PCI bus; None: QEMU's choice, or a free root port.

    Raises:
        ConfigError: a number that no machine could take.
    """

    size: int
    node: int = 0
    slot: int | None = None
    addr: int | None = None
    id: str | None = None
    force: bool = False
    kind: str = DIMM
    requested: int | None = None
    bus: str | None = None

    def __post_init__(self) -> None:
        if self.kind not in {DIMM, VIRTIO_MEM}:
            raise ConfigError(f"{self.kind!r} is not plugged: write {DIMM} or {VIRTIO_MEM}")
        for name, value, limit in (
            ("size", self.size, _MAX),
            ("node", self.node, 1 << 32),
            ("slot", self.slot or 0, 1 << 31),
            ("addr", self.addr or 0, _MAX),
            ("requested", self.requested or 0, _MAX),
        ):
            if not 0 <= value < limit:
                raise ConfigError(f"{name} {value} is not between 0 and {limit - 1:#x}")

    @property
    def hint(self) -> int | None:
        """The address that QEMU is told, or None where it picks one."""
        return self.addr or None


@dataclass(frozen=True, slots=True)
class UnplugRequest(Report):
    """A DIMM to unplug.

    Attributes:
        id: the device's id, or its path in the object tree.
        keep_backend: leave its memory backend, whoever made it.
    """

    id: str
    keep_backend: bool = False


@dataclass(frozen=True, slots=True)
class ResizeRequest(Report):
    """A size to request of a virtio-mem device.

    Attributes:
        id: the device's id, or its path in the object tree.
        size: bytes that its guest is asked to have of it.
    """

    id: str
    size: int
