"""One counter of an interval timer: what it has counted to is worked out when somebody looks."""

from __future__ import annotations

from typing import Annotated

from guestmap.base.bounds import Meta
from guestmap.base.dataclass import dataclass
from guestmap.hw.device import U8, Ns

FREQUENCY_HZ = 1_193_182
SECOND_NS = 1_000_000_000


@dataclass(slots=True)
class Counter:
    """One counter of the chip; ``gate`` and ``out`` are its pins."""

    mode: Annotated[int, Meta(ge=0, le=7)] = 3
    bcd: bool = False
    gate: bool = True
    access: Annotated[int, Meta(ge=0, le=3)] = 0
    count: Annotated[int, Meta(ge=1, le=0x10000)] = 0x10000
    """The reload value, 1-65536."""
    load_ns: Ns = 0
    """When counting began."""
    latch: Annotated[int, Meta(ge=0, le=0x10000)] = 0
    latch_state: Annotated[int, Meta(ge=0, le=3)] = 0
    """Which byte of the latch is read next; 0 where none is latched."""
    status: U8 | None = None
    read_state: Annotated[int, Meta(ge=0, le=4)] = 0
    write_state: Annotated[int, Meta(ge=0, le=4)] = 0
    low_byte: U8 = 0

    def ticks(self, now_ns: int) -> int:
        """Return how often the counter was clocked since it was loaded."""
        return (now_ns - self.load_ns) * FREQUENCY_HZ // SECOND_NS

    def value(self, now_ns: int) -> int:
        """Return what the counting element holds."""
        ticks = (now_ns - self.load_ns) * FREQUENCY_HZ // SECOND_NS
        mode, count = self.mode, self.count
        if mode == 3:
            return count - (2 * ticks) % count
        if mode in (0, 1, 4, 5):
            return (count - ticks) & 0xFFFF
        return count - ticks % count

    def out(self, now_ns: int) -> bool:
        """Return the level of the OUT pin."""
        ticks = (now_ns - self.load_ns) * FREQUENCY_HZ // SECOND_NS
        mode, count = self.mode, self.count
        if mode == 3:
            return ticks % count < (count + 1) >> 1
        if mode == 2:
            return ticks != 0 and ticks % count == 0
        if mode in (4, 5):
            return ticks == count
        if mode == 1:
            return ticks < count
        return ticks >= count

    def next_edge(self, after_ns: int) -> int | None:
        """Return when the output changes next after ``after_ns``; None if it will not."""
        ticks = _transition(self.mode, self.count, self.ticks(after_ns))
        if ticks is None:
            return None
        # Rounded up, so that the output has changed when a timer fires.
        return self.load_ns - (-ticks * SECOND_NS // FREQUENCY_HZ)


def _transition(mode: int, count: int, ticks: int) -> int | None:
    """Return the tick of the next output edge after ``ticks``, None where none will come.

    In modes 2, 4 and 5 the output is active for one tick only, and the edge is its beginning.
    """
    if mode == 3:
        phase = ticks % count
        half = (count + 1) >> 1
        return ticks - phase + (half if phase < half else count)
    if mode == 2:
        return ticks - ticks % count + count
    return count if ticks < count else None
