"""Port 92h, system control port A: the fast way to A20 and to a processor reset.

Bit 1 is address line A20, a rising bit 0 resets the processor (Intel 82371AB data sheet, "Port 92
register"). All eight bits read back.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from guestmap.memory import AccessSizes, Endianness, MemoryRegion, MemoryRegionOps

if TYPE_CHECKING:
    from guestmap.memory import MemorySystem

PORT = 0x92

_RESET, _A20 = 0x01, 0x02


class Port92:
    """The port.

    Attributes:
        region: ``port92``, 1 byte.
    """

    def __init__(
        self,
        memory: MemorySystem,
        *,
        on_reset: Callable[[], None] = lambda: None,
        on_a20: Callable[[bool], None] = lambda _level: None,
    ) -> None:
        """``on_reset`` is called for a reset, ``on_a20`` with bit 1 at each write."""
        self._on_reset, self._on_a20 = on_reset, on_a20
        self._value = 0
        ops = MemoryRegionOps(
            read=self._read,
            write=self._write,
            impl=AccessSizes(min=1, max=1),
            endianness=Endianness.LITTLE,
        )
        self.region: MemoryRegion = memory.io("port92", 1, ops)
        self.regions: tuple[tuple[int, MemoryRegion], ...] = ((PORT, self.region),)

    def reset(self) -> None:
        """Clear bit 0; the other bits stay, A20 too (QEMU 7.2)."""
        self._value &= ~_RESET

    def _read(self, offset: int, size: int) -> int:
        return self._value

    def _write(self, offset: int, value: int, size: int) -> None:
        before, self._value = self._value, value & 0xFF
        self._on_a20(bool(value & _A20))
        if value & _RESET and not before & _RESET:
            self._on_reset()
