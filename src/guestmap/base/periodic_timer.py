"""A timer for what comes again and again: the edges of a counter, the ticks of a clock chip."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from guestmap.base.clock import Clock


class PeriodicTimer:
    """Fires event after event, and neither starves the machine nor catches up for ever.

    A guest chooses how often its timers fire, and a busy host fires them late. So no two events
    come closer than a minimal gap, and what is too late is not made up for.

    Args:
        clock: whose time it is.
        event: called for each event with the time it is taken to be, in ns: when it was due, or
            the present where it comes more than ``max_lag_ns`` late. Returns when the event after
            that time is due, or None where there is none.
        min_gap_ns: from an event to the next one, at least.
        max_lag_ns: how late events may be and are still delivered one by one; by default all that
            were missed count as one.
    """

    __slots__ = ("_clock", "_due_ns", "_event", "_max_lag_ns", "_min_gap_ns", "_timer")

    def __init__(
        self,
        clock: Clock,
        event: Callable[[int], int | None],
        *,
        min_gap_ns: int,
        max_lag_ns: int = 0,
    ) -> None:
        self._clock = clock
        self._event = event
        self._min_gap_ns = min_gap_ns
        self._max_lag_ns = max_lag_ns
        self._due_ns = 0
        self._timer = clock.timer(self._fire)

    def start(self, due_ns: int | None) -> None:
        """Let the first event come at ``due_ns``, in place of any other; None stops."""
        self._arm(due_ns, 0)

    def stop(self) -> None:
        """Let no event come any more."""
        self._timer.cancel()

    @property
    def pending(self) -> tuple[int, int] | None:
        """When the next event is due and when it comes, in ns; None where it is stopped."""
        deadline_ns = self._timer.deadline_ns
        return None if deadline_ns is None else (self._due_ns, deadline_ns)

    def resume(self, pending: tuple[int, int] | None) -> None:
        """Go on from what :attr:`pending` was."""
        self._arm(*(pending or (None, 0)))

    def _arm(self, due_ns: int | None, earliest_ns: int) -> None:
        if due_ns is None:
            self._timer.cancel()
            return
        self._due_ns = due_ns
        self._timer.arm(max(due_ns, earliest_ns))

    def _fire(self) -> None:
        due_ns, now = self._due_ns, self._clock.now_ns()
        late = now - due_ns > self._max_lag_ns
        self._arm(self._event(now if late else due_ns), now + self._min_gap_ns)
