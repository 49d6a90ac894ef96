"""Configuration mechanism 1: the address register at CF8h and the data window at CFCh.

PCI Local Bus 3.0, section 3.2.2.3.2. As in QEMU 7.2, only a four-byte write to CF8h sets the
address, a read of any byte of it shows its low bits, and it outlives a reset.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from guestmap.base.dataclass import dataclass
from guestmap.hw.declare import SYS_BUS_DEVICE, declare, fact, setting
from guestmap.hw.device import U32, DeviceModel, IoRegion, Place, Space
from guestmap.hw.pci.registers import CONFIG_SIZE
from guestmap.memory import Endianness, MemoryRegionOps
from guestmap.qom import BOOL, SIZE, UINT32, UINT64

if TYPE_CHECKING:
    from guestmap.hw.pci.bus import PciBus
    from guestmap.hw.pci.device import PciFunction

ADDRESS_PORT, DATA_PORT = 0xCF8, 0xCFC
PORT_BYTES = 4

_ENABLE = 1 << 31
_ALL_ONES = 0xFFFF_FFFF


@dataclass(slots=True)
class ConfigMechanismState:
    """The address register."""

    address: U32 = 0


PCI_HOST_BRIDGE = declare(
    "pci-host-bridge",
    SYS_BUS_DEVICE,
    setting("x-config-reg-migration-enabled", BOOL, True),
    setting("bypass-iommu", BOOL, False),
    abstract=True,
)


class ConfigMechanism(DeviceModel[ConfigMechanismState]):
    """The two registers through which a PC's processor reaches configuration space.

    Attributes:
        bus: the root bus.
    """

    TYPE = declare(
        "i440FX-pcihost",
        PCI_HOST_BRIDGE,
        setting("pci-hole64-size", SIZE, 0x8000_0000),
        setting("short_root_bus", UINT32, 0),
        setting("x-pci-hole64-fix", BOOL, True),
        fact("pci-hole-start", UINT32, 0),
        fact("pci-hole-end", UINT32, 0),
        fact("pci-hole64-start", UINT64, 0),
        fact("pci-hole64-end", UINT64, 0),
        buses=(("PCI", "pci.0"),),
    )
    OUTLIVES_RESET = ("address",)

    def __init__(self, bus: PciBus) -> None:
        super().__init__(ConfigMechanismState())
        self.bus = bus

    def places(self) -> tuple[Place, ...]:
        """Return ``pci-conf-idx`` at CF8h and ``pci-conf-data`` at CFCh, 4 bytes each."""
        address = MemoryRegionOps(
            read=lambda _offset, _size: self.state.address,
            write=self._write_address,
            endianness=Endianness.LITTLE,
        )
        data = MemoryRegionOps(
            read=self._read_data, write=self._write_data, endianness=Endianness.LITTLE
        )
        return (
            Place(Space.IO, ADDRESS_PORT, IoRegion("pci-conf-idx", PORT_BYTES, address)),
            Place(Space.IO, DATA_PORT, IoRegion("pci-conf-data", PORT_BYTES, data)),
        )

    @property
    def address(self) -> int:
        """The address register."""
        return self.state.address

    def _write_address(self, offset: int, value: int, size: int) -> None:
        if offset == 0 and size == PORT_BYTES:
            self.state.address = value

    def _target(self) -> PciFunction[Any] | None:
        address = self.state.address
        if not address & _ENABLE:
            return None
        bus = self.bus.find(address >> 16 & 0xFF)
        return bus.devices.get(address >> 8 & 0xFF) if bus is not None else None

    def _read_data(self, offset: int, size: int) -> int:
        device = self._target()
        if device is None:
            return _ALL_ONES
        register = (self.state.address | offset & 3) & 0xFF
        return device.config_read(register, min(size, CONFIG_SIZE - register))

    def _write_data(self, offset: int, value: int, size: int) -> None:
        device = self._target()
        if device is not None:
            register = (self.state.address | offset & 3) & 0xFF
            device.config_write(register, value, min(size, CONFIG_SIZE - register))
