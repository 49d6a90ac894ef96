"""Time as a device sees it: nanoseconds that only go forward, and timers.

A device asks its clock, never the host. A machine that runs and is paused has a
:class:`guestmap.base.VmClock`; tests and replays have a :class:`ManualClock`, which moves only when
told to; a :class:`HostClock` goes on whatever the machine does.
"""

from __future__ import annotations

import heapq
import itertools
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable

from guestmap.base.errors import StateError

NS_PER_SECOND = 1_000_000_000

_FEWEST_ENTRIES = 16
"""A heap that is no longer than this is not looked through for what is stale."""


class Timer:
    """A one-shot alarm on a clock; arm it again from its callback to make it periodic."""

    __slots__ = ("_clock", "_token", "callback", "deadline_ns")

    def __init__(self, clock: Clock, callback: Callable[[], None]) -> None:
        self._clock = clock
        self._token = 0
        self.callback = callback
        self.deadline_ns: int | None = None

    def arm(self, deadline_ns: int) -> None:
        """Fire once when the clock reaches ``deadline_ns``; replaces an earlier deadline."""
        self._clock._schedule(self, deadline_ns)

    def cancel(self) -> None:
        """Forget the deadline, if there is one."""
        self.deadline_ns = None
        self._token = 0


class Clock(ABC):
    """Nanoseconds from some beginning on, and the timers that hang on them."""

    def __init__(self) -> None:
        self._heap: list[tuple[int, int, Timer]] = []  # one whose token is not its timer's is stale
        self._compact_at = _FEWEST_ENTRIES
        self._tokens = itertools.count(1)
        self._lock = threading.RLock()

    @abstractmethod
    def now_ns(self) -> int:
        """Return nanoseconds since the beginning."""

    @property
    def host(self) -> Clock:
        """The clock for what goes on while the machine is paused; itself if there is no other."""
        return self

    @property
    def running(self) -> bool:
        """Whether time passes, so that a deadline comes by itself."""
        return True

    def restore(self, now_ns: int) -> None:
        """Stand at a time that was saved; whoever has timers arms them anew.

        Raises:
            StateError: this clock cannot, or time passes.
        """
        raise StateError(f"the time of a {type(self).__name__} cannot be set to {now_ns} ns")

    def start(self) -> None:
        """Hear that the machine runs."""

    def stop(self) -> None:
        """Hear that the machine is paused."""

    def timer(self, callback: Callable[[], None]) -> Timer:
        """Return a new timer that is not armed."""
        return Timer(self, callback)

    def ticks(self, frequency_hz: int) -> int:
        """Return how often a counter of ``frequency_hz`` has ticked by now."""
        return self.now_ns() * frequency_hz // NS_PER_SECOND

    def next_deadline_ns(self) -> int | None:
        """Return when the earliest armed timer is due, or None."""
        return self._earliest_ns()

    def _earliest_ns(self) -> int | None:
        with self._lock:
            heap = self._heap
            while heap and heap[0][1] != heap[0][2]._token:
                heapq.heappop(heap)
            return heap[0][0] if heap else None

    def run_due(self) -> int:
        """Call every timer that is due now, earliest first, and return how many there were.

        A callback that arms a timer for the near future does not keep this from returning.
        """
        fired = 0
        now = self.now_ns()
        while True:
            with self._lock:
                deadline = self._earliest_ns()
                if deadline is None or deadline > now:
                    return fired
                timer = heapq.heappop(self._heap)[2]
                timer.cancel()
            timer.callback()
            fired += 1

    def _schedule(self, timer: Timer, deadline_ns: int) -> None:
        with self._lock:
            timer._token = next(self._tokens)
            timer.deadline_ns = deadline_ns
            heapq.heappush(self._heap, (deadline_ns, timer._token, timer))
            if len(self._heap) > self._compact_at:
                self._forget_stale()
        self._on_schedule(deadline_ns)  # not under the lock: who is told has locks of his own

    def _forget_stale(self) -> None:
        """Drop what was armed anew or cancelled, so that arming again and again does not grow."""
        self._heap = [entry for entry in self._heap if entry[1] == entry[2]._token]
        heapq.heapify(self._heap)
        self._compact_at = max(_FEWEST_ENTRIES, 2 * len(self._heap))

    def _on_schedule(self, deadline_ns: int) -> None:
        """Hook for clocks that must wake somebody for an earlier deadline."""


class HostClock(Clock):
    """The host's monotonic time, from the moment the clock is made.

    Args:
        read_ns: reads it, in ns.

    Attributes:
        on_schedule: called with each new deadline, in the thread that armed the timer; a run loop
            uses it to shorten its sleep.
    """

    def __init__(self, read_ns: Callable[[], int] = time.perf_counter_ns) -> None:
        super().__init__()
        self._read_ns = read_ns
        self._origin_ns = read_ns()
        self.on_schedule: Callable[[int], None] | None = None

    def now_ns(self) -> int:
        """Return nanoseconds of host time since the clock was made."""
        return self._read_ns() - self._origin_ns

    def _on_schedule(self, deadline_ns: int) -> None:
        if self.on_schedule is not None:
            self.on_schedule(deadline_ns)


class ManualClock(Clock):
    """Time that moves only when told to."""

    def __init__(self, now_ns: int = 0) -> None:
        super().__init__()
        self._now_ns = now_ns

    def restore(self, now_ns: int) -> None:
        """Go on from a time that was saved."""
        self._now_ns = now_ns

    def now_ns(self) -> int:
        """Return the time last set."""
        return self._now_ns

    def advance(self, nanoseconds: int) -> None:
        """Move forward, firing each timer at its own time."""
        target = self._now_ns + nanoseconds
        while (deadline := self.next_deadline_ns()) is not None and deadline <= target:
            self._now_ns = max(self._now_ns, deadline)
            self.run_due()
        self._now_ns = max(self._now_ns, target)

    def jump(self, nanoseconds: int) -> None:
        """Move forward in one step, as it is to a busy host; then fire what is late by now."""
        self._now_ns += nanoseconds
        self.run_due()
