"""What a PCI function says it is, and the header that follows from it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from guestmap.base.named_tuple import NamedTuple
from guestmap.hw.pci import registers as reg

if TYPE_CHECKING:
    from guestmap.hw.pci.config import ConfigSpace


class PciIdentity(NamedTuple):
    """What a function says it is."""

    vendor: int
    device: int
    class_code: int
    """Class and subclass, 16 bits."""
    prog_if: int = 0
    revision: int = 0
    subsystem: tuple[int, int] | None = (0x1AF4, 0x1100)
    """Vendor and device of the board; a bridge has none."""
    header_type: int = reg.HEADER_NORMAL

    def fill(self, config: ConfigSpace, *, multifunction: bool) -> None:
        """Set the header's registers and say what a guest can write in them.

        What the header says nothing about is scratch memory, as in QEMU: bytes 40h to FFh take and
        keep any value until the device decides otherwise.
        """
        config.set(reg.VENDOR_ID, self.vendor, 2)
        config.set(reg.DEVICE_ID, self.device, 2)
        config.set(reg.REVISION, self.revision)
        config.set(reg.PROG_IF, self.prog_if)
        config.set(reg.CLASS, self.class_code, 2)
        shared = reg.HEADER_MULTIFUNCTION if multifunction else 0
        config.set(reg.HEADER_TYPE, self.header_type | shared)
        if self.subsystem is not None:
            config.set(reg.SUBSYSTEM_VENDOR_ID, self.subsystem[0], 2)
            config.set(reg.SUBSYSTEM_ID, self.subsystem[1], 2)
        config.allow_write(reg.COMMAND, reg.COMMAND_WRITABLE, 2)
        config.allow_clear(reg.STATUS, reg.STATUS_CLEARABLE, 2)
        config.allow_write(reg.CACHE_LINE_SIZE, 0xFF)
        config.allow_write(reg.INTERRUPT_LINE, 0xFF)
        config.write_mask[reg.HEADER_SIZE :] = b"\xff" * (reg.CONFIG_SIZE - reg.HEADER_SIZE)
