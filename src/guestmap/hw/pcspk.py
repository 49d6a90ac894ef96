"""Port 61h: the speaker gate of the interval timer and what SeaBIOS and DOS wait on.

Bits as in the IBM PC AT's system control port B (Intel 82371AB data sheet, "NMI status and control
register"): 0 gate of counter 2, 1 speaker data, 4 refresh toggle, 5 output of counter 2. The
refresh bit toggles with each read, as QEMU's does: loops that count its changes end at once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from guestmap.memory import AccessSizes, MemoryRegion, MemoryRegionOps

if TYPE_CHECKING:
    from guestmap.hw.i8254 import I8254
    from guestmap.memory import MemorySystem

PORT = 0x61

_SPEAKER_COUNTER = 2
_REFRESH = 0x10


class PcSpeaker:
    """The speaker port; it makes no sound.

    Attributes:
        region: ``pcspk``, 1 byte.
        data_on: bit 1, whether the counter's output reaches the speaker.
    """

    def __init__(self, memory: MemorySystem, pit: I8254) -> None:
        self._pit = pit
        self._refresh = 0
        self.data_on = False
        one = AccessSizes(min=1, max=1)
        ops = MemoryRegionOps(read=self._read, write=self._write, impl=one)
        self.region: MemoryRegion = memory.io("pcspk", 1, ops)
        self.regions: tuple[tuple[int, MemoryRegion], ...] = ((PORT, self.region),)

    def reset(self) -> None:
        """Do nothing: the gate belongs to the timer, and the speaker bit survives a reset."""

    def _read(self, offset: int, size: int) -> int:
        self._refresh ^= _REFRESH
        return (
            self._pit.counters[_SPEAKER_COUNTER].gate
            | self.data_on << 1
            | self._refresh
            | self._pit.out(_SPEAKER_COUNTER) << 5
        )

    def _write(self, offset: int, value: int, size: int) -> None:
        self.data_on = bool(value & 2)
        self._pit.set_gate(_SPEAKER_COUNTER, bool(value & 1))
