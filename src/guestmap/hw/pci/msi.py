"""The MSI capability: an interrupt as a memory write (PCI Local Bus 3.0, section 6.8.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from guestmap.hw.pci.registers import CAPABILITY_MSI

if TYPE_CHECKING:
    from guestmap.hw.pci.device import PciFunction

_FLAGS, _ADDRESS, _ADDRESS_HIGH, _DATA, _MASK, _PENDING = 0x02, 0x04, 0x08, 0x0C, 0x10, 0x14
_LENGTH = 0x18
_ENABLE = 1 << 0
_QUEUE_SIZE = 7 << 4
_CAN_64BIT, _CAN_MASK = 1 << 7, 1 << 8


class MsiCapability:
    """One vector with a 64-bit address and a mask bit.

    Args:
        device: the function that has the capability.
        offset: of the capability in configuration space, in bytes.
    """

    def __init__(self, device: PciFunction[Any], offset: int) -> None:
        self._device = device
        self.offset = offset
        device.add_capability(CAPABILITY_MSI, offset, _LENGTH)
        config = device.config
        config.set(offset + _FLAGS, _CAN_64BIT | _CAN_MASK, 2)
        config.allow_write(offset + _FLAGS, _ENABLE | _QUEUE_SIZE, 2)
        config.allow_write(offset + _ADDRESS, 0xFFFF_FFFC, 4)
        config.allow_write(offset + _ADDRESS_HIGH, 0xFFFF_FFFF, 4)
        config.allow_write(offset + _DATA, 0xFFFF, 2)
        config.allow_write(offset + _MASK, 1, 4)

    @property
    def enabled(self) -> bool:
        """Whether the guest has switched from the interrupt pin to messages."""
        return bool(self._device.config.data[self.offset + _FLAGS] & _ENABLE)

    def written(self, offset: int, size: int) -> None:
        """Act on a configuration write that may have touched the capability."""
        if not (offset < self.offset + _LENGTH and offset + size > self.offset) or not self.enabled:
            return
        self._device.set_interrupt(False)
        config = self._device.config
        # More vectors than there are can be asked for, but not had.
        config.data[self.offset + _FLAGS] &= ~_QUEUE_SIZE & 0xFF
        pending = config.read(self.offset + _PENDING, 4)
        if pending & ~config.read(self.offset + _MASK, 4) & 1:
            config.set(self.offset + _PENDING, pending & ~1, 4)
            self.notify()

    def notify(self) -> None:
        """Send the message, or note it as pending while it is masked."""
        config = self._device.config
        if config.read(self.offset + _MASK, 4) & 1:
            pending = config.read(self.offset + _PENDING, 4)
            config.set(self.offset + _PENDING, pending | 1, 4)
            return
        address = config.read(self.offset + _ADDRESS, 8)
        data = config.read(self.offset + _DATA, 2)
        self._device.bus_master.store(address, 4, data)

    def reset(self) -> None:
        """Switch messages off and forget address, data, mask and pending bits."""
        config = self._device.config
        flags = config.read(self.offset + _FLAGS, 2) & ~(_QUEUE_SIZE | _ENABLE)
        config.set(self.offset + _FLAGS, flags, 2)
        config.set(self.offset + _ADDRESS, 0, 8)
        config.set(self.offset + _DATA, 0, 2)
        config.set(self.offset + _MASK, 0, 8)
