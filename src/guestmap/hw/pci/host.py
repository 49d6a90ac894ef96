"""Configuration mechanism 1: the address register at CF8h and the data window at CFCh.

PCI Local Bus 3.0, section 3.2.2.3.2. As in QEMU 7.2, only a four-byte write to CF8h sets the
address, a read of any byte of it shows its low bits, and it outlives a reset.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from guestmap.hw.pci.registers import CONFIG_SIZE
from guestmap.memory import Endianness, MemoryRegionOps

if TYPE_CHECKING:
    from guestmap.hw.pci.bus import PciBus
    from guestmap.hw.pci.device import PciDevice

ADDRESS_PORT, DATA_PORT = 0xCF8, 0xCFC
PORT_BYTES = 4

_ENABLE = 1 << 31
_ALL_ONES = 0xFFFF_FFFF


class ConfigMechanism:
    """The two registers through which a PC's processor reaches configuration space.

    Attributes:
        bus: the root bus.
        address: the address register.
        address_region: ``pci-conf-idx``, 4 bytes, for port CF8h.
        data_region: ``pci-conf-data``, 4 bytes, for port CFCh.
    """

    def __init__(self, bus: PciBus, *, owner: object = None) -> None:
        self.bus = bus
        self.address = 0
        memory = bus.memory
        self.address_region = memory.io(
            "pci-conf-idx",
            PORT_BYTES,
            MemoryRegionOps(
                read=lambda _offset, _size: self.address,
                write=self._write_address,
                endianness=Endianness.LITTLE,
            ),
            owner=owner,
        )
        self.data_region = memory.io(
            "pci-conf-data",
            PORT_BYTES,
            MemoryRegionOps(
                read=self._read_data, write=self._write_data, endianness=Endianness.LITTLE
            ),
            owner=owner,
        )

    def _write_address(self, offset: int, value: int, size: int) -> None:
        if offset == 0 and size == PORT_BYTES:
            self.address = value

    def _target(self) -> PciDevice | None:
        address = self.address
        if not address & _ENABLE:
            return None
        bus = self.bus.find(address >> 16 & 0xFF)
        return bus.devices.get(address >> 8 & 0xFF) if bus is not None else None

    def _read_data(self, offset: int, size: int) -> int:
        device = self._target()
        if device is None:
            return _ALL_ONES
        register = (self.address | offset & 3) & 0xFF
        return device.config_read(register, min(size, CONFIG_SIZE - register))

    def _write_data(self, offset: int, value: int, size: int) -> None:
        device = self._target()
        if device is not None:
            register = (self.address | offset & 3) & 0xFF
            device.config_write(register, value, min(size, CONFIG_SIZE - register))
