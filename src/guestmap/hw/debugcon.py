"""The ISA debug console: a port that takes the firmware's log, one byte for each write.

SeaBIOS looks for it by reading port 402h: E9h means that somebody listens (``isa-debugcon``).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from guestmap.memory import AccessSizes, Endianness, MemoryRegion, MemoryRegionOps

if TYPE_CHECKING:
    from guestmap.memory import MemorySystem

PORT = 0x402
READBACK = 0xE9


class DebugConsole:
    """The console.

    Attributes:
        region: ``isa-debugcon``, 1 byte; only byte accesses are valid.
    """

    def __init__(
        self, memory: MemorySystem, sink: Callable[[int], object], *, port: int = PORT
    ) -> None:
        """``sink`` is called with each byte (0-255) as it is written."""
        self._sink = sink
        ops = MemoryRegionOps(
            read=self._read,
            write=self._write,
            valid=AccessSizes(min=1, max=1),
            endianness=Endianness.LITTLE,
        )
        self.region: MemoryRegion = memory.io("isa-debugcon", 1, ops)
        self.regions: tuple[tuple[int, MemoryRegion], ...] = ((port, self.region),)

    def reset(self) -> None:
        """Do nothing: the console has no state."""

    def _read(self, offset: int, size: int) -> int:
        return READBACK

    def _write(self, offset: int, value: int, size: int) -> None:
        self._sink(value & 0xFF)
