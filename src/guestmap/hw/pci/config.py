"""Configuration space: 256 bytes, and for each bit whether a guest's write changes or clears it."""

from __future__ import annotations

from guestmap.hw.pci.registers import CONFIG_SIZE


class ConfigSpace:
    """The registers of one PCI function.

    Attributes:
        data: what a read returns.
        write_mask: bits that take the written value.
        clear_mask: bits that a written one clears (write one to clear).
    """

    __slots__ = ("clear_mask", "data", "write_mask")

    def __init__(self) -> None:
        self.data = bytearray(CONFIG_SIZE)
        self.write_mask = bytearray(CONFIG_SIZE)
        self.clear_mask = bytearray(CONFIG_SIZE)

    def read(self, offset: int, size: int) -> int:
        """Return ``size`` bytes from ``offset`` on, little endian; what lies beyond reads 0."""
        return int.from_bytes(self.data[offset : offset + size], "little")

    def write(self, offset: int, value: int, size: int) -> None:
        """Apply a guest's write through the masks; what lies beyond the end is dropped."""
        end = min(offset + size, CONFIG_SIZE)
        size = end - offset
        if size <= 0:
            return
        value &= (1 << (8 * size)) - 1
        writable = int.from_bytes(self.write_mask[offset:end], "little")
        clearable = int.from_bytes(self.clear_mask[offset:end], "little")
        old = int.from_bytes(self.data[offset:end], "little")
        new = (old & ~writable | value & writable) & ~(value & clearable)
        self.data[offset:end] = new.to_bytes(size, "little")

    def set(self, offset: int, value: int, size: int = 1) -> None:
        """Set a register as the device itself does: no mask applies."""
        self.data[offset : offset + size] = value.to_bytes(size, "little")

    def allow_write(self, offset: int, mask: int, size: int = 1) -> None:
        """Make exactly the bits of ``mask`` writable in the register at ``offset``."""
        self.write_mask[offset : offset + size] = mask.to_bytes(size, "little")

    def allow_clear(self, offset: int, mask: int, size: int = 1) -> None:
        """Make exactly the bits of ``mask`` clear when a one is written to them."""
        self.clear_mask[offset : offset + size] = mask.to_bytes(size, "little")

    def clear_guest_bits(self, offset: int, size: int) -> None:
        """Clear whatever a guest can change in a register, as a reset does."""
        end = offset + size
        writable = int.from_bytes(self.write_mask[offset:end], "little")
        clearable = int.from_bytes(self.clear_mask[offset:end], "little")
        self.set(offset, self.read(offset, size) & ~(writable | clearable), size)
