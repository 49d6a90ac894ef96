"""Bounce buffers: what a device maps instead of memory where there is none.

Each address space has only so many bytes of them at a time (QEMU's ``bounce``).
"""

from __future__ import annotations

import threading
from collections.abc import Callable

BOUNCE_BYTES = 4096
"""Bytes of bounce buffers that an address space gives out at a time, unless told otherwise."""


class BouncePool:
    """The bounce buffers of one address space, and who waits for one.

    Attributes:
        limit: bytes given out at a time.
        used: bytes that are out now.
    """

    def __init__(self) -> None:
        self.limit = BOUNCE_BYTES
        self.used = 0
        self._lock = threading.Lock()
        self._waiting: list[Callable[[], None]] = []

    def take(self, length: int) -> int:
        """Return how many of ``length`` bytes are granted; 0 for none."""
        with self._lock:
            granted = max(0, min(length, self.limit - self.used))
            self.used += granted
        return granted

    def give_back(self, length: int) -> None:
        """Take bytes back, and call whoever waits, each once."""
        with self._lock:
            self.used -= length
        self.call_waiting()

    def wait(self, client: Callable[[], None]) -> None:
        """Call ``client`` once, when there are bytes; that may be now."""
        with self._lock:
            self._waiting.append(client)
        self.call_waiting()

    def stop_waiting(self, client: Callable[[], None]) -> None:
        """Forget ``client``, if it still waits."""
        with self._lock:
            self._waiting = [each for each in self._waiting if each != client]

    def call_waiting(self) -> None:
        """Call whoever waits, if there are bytes."""
        with self._lock:
            if self.used >= self.limit:
                return
            waiting, self._waiting = self._waiting, []
        for client in waiting:
            client()
