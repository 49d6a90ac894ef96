"""Events on their way from the thread where they happen to the thread that tells clients."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from threading import Lock

from guestmap.monitor.rate import Event

CAPACITY = 4096


class EventFeed:
    """A bounded queue with one reader: a guest that makes events without end fills no memory.

    Args:
        wake: called in the thread that puts, when the reader has something to take again.
        capacity: how many wait at most; what comes on top is dropped and counted.

    Attributes:
        dropped: how many were dropped.
    """

    def __init__(self, wake: Callable[[], None], capacity: int = CAPACITY) -> None:
        self._wake = wake
        self._capacity = capacity
        self._events: deque[Event] = deque()
        self._lock = Lock()
        self.dropped = 0

    def put(self, event: Event) -> None:
        """Queue an event, from any thread."""
        with self._lock:
            if len(self._events) >= self._capacity:
                self.dropped += 1
                return
            self._events.append(event)
            first = len(self._events) == 1
        if first:
            self._wake()

    def take(self) -> list[Event]:
        """Return what waits, oldest first, and leave nothing."""
        if not self._events:
            return []
        with self._lock:
            events = list(self._events)
            self._events.clear()
        return events
