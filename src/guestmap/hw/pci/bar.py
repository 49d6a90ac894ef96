"""Base address registers: where the windows of a PCI function answer, if anywhere.

The rules are those of QEMU 7.2, held to it by tests: decoding must be on in the command register;
address 0 unmaps; a window that would wrap, or that would reach the last byte below 4 GiB with a
32-bit register, stays unmapped.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from guestmap.base.dataclass import dataclass
from guestmap.hw.pci.registers import (
    BAR_IO,
    BAR_MEMORY_64,
    COMMAND,
    COMMAND_IO,
    COMMAND_MEMORY,
    ROM_ENABLE,
    ROM_SLOT,
)

if TYPE_CHECKING:
    from guestmap.hw.pci.config import ConfigSpace
    from guestmap.memory import MemoryRegion

_LAST_32_BIT = 0xFFFF_FFFF
_LAST_64_BIT = 0xFFFF_FFFF_FFFF_FFFF


@dataclass(slots=True)
class Bar:
    """One base address register and the region that it places.

    Attributes:
        slot: 0 to 5, or 6 for the expansion ROM.
        offset: of the register in configuration space, in bytes.
        kind: the low bits of the register: BAR_IO, BAR_MEMORY_64, BAR_PREFETCH.
        size: bytes, a power of two.
        region: what is mapped.
        container: the bus's memory or I/O region that it is mapped into.
        address: where it is mapped now, or None.
    """

    slot: int
    offset: int
    kind: int
    size: int
    region: MemoryRegion
    container: MemoryRegion
    address: int | None = None

    @property
    def is_io(self) -> bool:
        """Whether the window lies in I/O space."""
        return bool(self.kind & BAR_IO)

    @property
    def is_64bit(self) -> bool:
        """Whether the register is a pair."""
        return self.kind & (BAR_IO | BAR_MEMORY_64) == BAR_MEMORY_64

    @property
    def register_size(self) -> int:
        """Bytes of the register: 4 or 8."""
        return 8 if self.is_64bit else 4

    @property
    def name(self) -> str:
        """What people call it."""
        return "ROM BAR" if self.slot == ROM_SLOT else f"BAR {self.slot}"

    def describe_move(self, address: int | None) -> str:
        """Return a move as causes of a commit show it: ``BAR 0: unmapped -> FEBF0000``."""
        is_io = self.kind & BAR_IO
        return f"{self.name}: {_shown(self.address, is_io)} -> {_shown(address, is_io)}"

    def decoded_address(self, config: ConfigSpace) -> int | None:
        """Return where the registers say that the window is, or None for nowhere."""
        command = config.data[COMMAND]
        if not command & (COMMAND_IO if self.kind & BAR_IO else COMMAND_MEMORY):
            return None
        wide = self.is_64bit
        value = config.read(self.offset, 8 if wide else 4)
        if self.slot == ROM_SLOT and not value & ROM_ENABLE:
            return None
        start = value & ~(self.size - 1)
        last = start + self.size - 1
        if start == 0 or last <= start:
            return None
        limit = _LAST_64_BIT if wide else _LAST_32_BIT
        return start if last < limit else None


def _shown(address: int | None, is_io: int) -> str:
    if address is None:
        return "unmapped"
    return f"{address:04X}" if is_io else f"{address:08X}"
