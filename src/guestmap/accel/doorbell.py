"""How the thread that runs a CPU is woken: by a timer that is due, an interrupt line, or a stop.

Nothing polls. A thread of its own (the alarm) sleeps until the clock's next deadline and then
breaks into the CPU; whoever else wants the CPU's attention rings. A CPU that is being entered at
that very moment can miss the call to leave, so the alarm repeats it until the CPU has left.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from guestmap.base import HostClock

if TYPE_CHECKING:
    from collections.abc import Callable

    from guestmap.base import Clock

_REPEAT_S = 0.001
_PATIENCE_S = 5.0
_NS = 1e-9


class Doorbell:
    """Rings for the thread between :meth:`open` and :meth:`shut`.

    Args:
        clock: whose timers ring; a clock that does not follow the host's time rings only through
            what its timers do.
        leave: makes a CPU that is inside leave soon; must be safe from any thread.
        patience_s: how long a CPU may take to leave before that is told.

    Attributes:
        on_deaf: told once, by the alarm, how many seconds a CPU has not left that was called to.
    """

    def __init__(
        self, clock: Clock, leave: Callable[[], None], patience_s: float = _PATIENCE_S
    ) -> None:
        self.on_deaf: Callable[[float], None] = lambda _seconds: None
        self._patience_s = patience_s
        self._called_s: float | None = None
        self._clock = clock
        self._host_time = clock if isinstance(clock, HostClock) else None
        self._leave = leave
        self._changed = threading.Condition()
        self._open = False
        self._inside = False
        self._rung = False
        self._dozing = False
        self._again = False
        self._target: int | None = None
        self._alarm: threading.Thread | None = None
        self._former_hook: Callable[[int], None] | None = None

    def open(self) -> None:
        """Begin to serve the calling thread."""
        with self._changed:
            self._open = True
        if self._host_time is not None:
            self._former_hook = self._host_time.on_schedule
            self._host_time.on_schedule = self._scheduled
        self._alarm = threading.Thread(target=self._watch, name="guestmap-alarm", daemon=True)
        self._alarm.start()

    def shut(self) -> None:
        """Stop serving; the alarm's thread is gone afterwards."""
        if self._host_time is not None:
            self._host_time.on_schedule = self._former_hook
        with self._changed:
            self._open = False
            self._changed.notify_all()
        if self._alarm is not None:
            self._alarm.join()
            self._alarm = None

    def ring(self) -> None:
        """Ask the CPU to leave, or the sleeper to wake; from any thread."""
        with self._changed:
            self._ring()

    def answer(self) -> None:
        """Say that the ringing was heard; call before looking at what there is to do."""
        with self._changed:
            self._rung = False

    def enter(self, *, again: bool = False) -> bool:
        """Mark the CPU as running; False where somebody has rung since :meth:`answer`.

        Args:
            again: ring in a millisecond in any case: there is something to try again.
        """
        with self._changed:
            self._again = again
            self._rouse()
            self._inside = not self._rung
            self._called_s = None
            return self._inside

    def left(self) -> None:
        """Mark the CPU as not running."""
        with self._changed:
            self._inside = False

    def sleep(self) -> None:
        """Wait until somebody rings or a timer is due."""
        with self._changed:
            self._rouse()
            while not self._rung:
                self._changed.wait()

    def _rouse(self) -> None:
        """Have the alarm look at the clock again: it dozes from each ring until it is heard."""
        if (self._dozing or self._again) and not self._rung:
            self._changed.notify_all()

    def _ring(self) -> None:
        self._rung = True
        if self._inside:
            self._leave()
        self._changed.notify_all()

    def _scheduled(self, deadline_ns: int) -> None:
        if self._former_hook is not None:
            self._former_hook(deadline_ns)
        with self._changed:  # or the alarm could be about to sleep until a later deadline
            if self._target is None or deadline_ns < self._target:
                self._changed.notify_all()

    def _watch(self) -> None:
        with self._changed:
            while self._open:
                if not self._rung:
                    self._wait_for_timer()
                    if self._again:
                        self._ring()
                elif self._inside:
                    self._leave()
                    self._look_at_the_time()
                    self._changed.wait(_REPEAT_S)
                else:
                    self._dozing = True
                    self._changed.wait()
                    self._dozing = False

    def _look_at_the_time(self) -> None:
        """Tell of a CPU that does not leave."""
        now = time.monotonic()
        if self._called_s is None:
            self._called_s = now
        elif now - self._called_s >= self._patience_s:
            self.on_deaf(now - self._called_s)
            self._called_s = float("inf")

    def _wait_for_timer(self) -> None:
        clock = self._host_time
        if clock is not None and not clock.running:
            clock = None  # nothing comes due; it tells of a deadline when it starts
        self._target = deadline = clock.next_deadline_ns() if clock is not None else None
        if self._again:
            self._changed.wait(_REPEAT_S)
            return
        if clock is None or deadline is None:
            self._changed.wait()
            return
        delay = deadline - clock.now_ns()
        if delay <= 0:
            self._ring()
        else:
            self._changed.wait(delay * _NS)
