"""The virtio transport of 512 bytes of registers, as a board has it before a device is plugged in.

Registers after the OASIS virtio specification 1.1, section 4.2.2 (and 4.2.4 for the legacy
interface, which is version 1): a driver reads the magic value, the version, and then the device ID,
where 0 says that nobody is there. Without a device nothing else is there to be read or written.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from guestmap.hw.declare import SWITCH, SYS_BUS_DEVICE, declare, output, setting
from guestmap.hw.device import DeviceModel, IoRegion, Place, Space, Stateless
from guestmap.memory import MemoryRegionOps
from guestmap.qom import BOOL

if TYPE_CHECKING:
    from guestmap.base import IrqLine

SIZE: Final = 0x200

_LEGACY, _MODERN = 1, 2
_MAGIC, _VERSION, _VENDOR = 0x000, 0x004, 0x00C
_IDS = MappingProxyType({_MAGIC: 0x7472_6976, _VENDOR: 0x554D_4551})  # "virt", "QEMU"


class VirtioMmio(DeviceModel[Stateless]):
    """An empty transport.

    Args:
        address: where it is.
        irq: tells the driver of a device; it stays low without one.
        legacy: whether it speaks the interface of before virtio 1.0 (QEMU's ``force-legacy``).
    """

    TYPE = declare(
        "virtio-mmio", SYS_BUS_DEVICE,
        setting("format_transport_address", BOOL, True),
        setting("force-legacy", BOOL, True),
        setting("ioeventfd", BOOL, True, SWITCH),
        once_realized=(output("sysbus-irq[0]"),),
    )  # fmt: skip

    def __init__(self, address: int, irq: IrqLine, *, legacy: bool = True) -> None:
        super().__init__(Stateless(), {"force-legacy": legacy, "ioeventfd": False})
        self._address, self._irq = address, irq
        self._version = _LEGACY if legacy else _MODERN

    def places(self) -> tuple[Place, ...]:
        """Return the registers, ``virtio-mmio``."""
        ops = MemoryRegionOps(read=self._read, write=self._ignore)
        return (Place(Space.MEMORY, self._address, IoRegion("virtio-mmio", SIZE, ops)),)

    @property
    def wires(self) -> Mapping[str, IrqLine]:
        """What tells the driver."""
        return {"sysbus-irq[0]": self._irq}

    def _read(self, offset: int, size: int) -> int:
        return self._version if offset == _VERSION else _IDS.get(offset, 0)

    def _ignore(self, offset: int, value: int, size: int) -> None:
        pass
