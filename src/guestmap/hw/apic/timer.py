"""The local APIC's timer: a down-counter of 1 GHz with a divider, one-shot or periodic.

Intel SDM volume 3, "APIC Timer"; the frequency, and that a divider not yet written divides by 1,
are QEMU 7.2's. The count is worked out from the clock when it is read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from guestmap.base import PeriodicTimer
from guestmap.base.bounds import Meta
from guestmap.base.dataclass import dataclass
from guestmap.hw.device import U8, U32, Ns, RegisterBlock

if TYPE_CHECKING:
    from collections.abc import Callable

    from guestmap.base import Clock

_MASKED = 1 << 16
_PERIODIC = 1 << 17

_SHORTEST_NS = 20_000
"""No two periodic interrupts come closer: a guest cannot drown its host."""


@dataclass(slots=True)
class LapicTimerState:
    """The registers, when counting began, and when the count runs out."""

    mode: U32 = _MASKED
    loaded_at_ns: Ns = 0
    shift: Annotated[int, Meta(ge=0, le=7)] = 0
    initial_count: U32 = 0
    divide: U8 = 0
    due_ns: tuple[Ns, Ns] | None = None


class LapicTimer(RegisterBlock[LapicTimerState]):
    """Initial count, current count and divide configuration.

    Args:
        clock: one tick each nanosecond, before the divider.
        expired: called each time the count has run out while the timer is not masked.
    """

    def __init__(self, clock: Clock, expired: Callable[[], None]) -> None:
        super().__init__(LapicTimerState())
        self._clock = clock
        self._expired = expired
        self._timer = PeriodicTimer(clock, self._fire, min_gap_ns=_SHORTEST_NS)

    @property
    def initial_count(self) -> int:
        """What is counted down from."""
        return self.state.initial_count

    @property
    def divide(self) -> int:
        """The divide configuration register."""
        return self.state.divide

    def reset(self) -> None:
        """Stop, masked, with a count of 0."""
        super().reset()
        self._timer.stop()

    def save(self) -> LapicTimerState:
        """Return the registers, and when the count runs out."""
        self.state.due_ns = self._timer.pending
        return super().save()

    def load(self, state: LapicTimerState) -> None:
        """Go on from there."""
        super().load(state)
        self._timer.resume(self.state.due_ns)

    def start(self, count: int) -> None:
        """Start to count down from ``count``; 0 stops.

        The clock is looked at once: a short count is over by the second look, and must fire.
        """
        self.state.initial_count = count
        self.state.loaded_at_ns = now = self._clock.now_ns()
        self._timer.start(self._next(now))

    def set_divide(self, value: int) -> None:
        """Set the divide configuration register: bits 3, 1 and 0 choose 2 to 128, or 1."""
        self.state.divide = value & 0xB
        self.state.shift = ((value & 3 | value >> 1 & 4) + 1) & 7

    def set_mode(self, entry: int) -> None:
        """Take the mask and the mode (one-shot, periodic) of the timer's local vector entry.

        Where both stay as they are nothing is armed anew: a shot that is due already still comes.
        """
        changed = (self.state.mode ^ entry) & (_MASKED | _PERIODIC)
        self.state.mode = entry
        if changed:
            self._timer.start(self._next(self._clock.now_ns()))

    def current_count(self) -> int:
        """Return what is left of the count."""
        elapsed = self._elapsed(self._clock.now_ns())
        if self.state.mode & _PERIODIC:
            return self.state.initial_count - elapsed % (self.state.initial_count + 1)
        return max(0, self.state.initial_count - elapsed)

    def _elapsed(self, now: int) -> int:
        return (now - self.state.loaded_at_ns) >> self.state.shift

    def _next(self, after_ns: int) -> int | None:
        """Return when the count runs out next after ``after_ns``; None where it does not."""
        if self.state.mode & _MASKED or not self.state.initial_count:
            return None
        elapsed, period = self._elapsed(after_ns), self.state.initial_count + 1
        if self.state.mode & _PERIODIC:
            return self.state.loaded_at_ns + ((elapsed // period + 1) * period << self.state.shift)
        if elapsed >= self.state.initial_count:
            return None
        return self.state.loaded_at_ns + (period << self.state.shift)

    def _fire(self, due_ns: int) -> int | None:
        self._expired()
        return self._next(due_ns)
