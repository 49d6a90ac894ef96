"""One thread at a time at the machine: what QEMU's big lock is for.

The CPU's thread is inside most of the time. Another one that wants in counts itself as waiting and
rings; the CPU then leaves the guest, lets everybody who waits go first, and goes on.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Self

from guestmap.accel import Turn

if TYPE_CHECKING:
    from types import TracebackType


class Gate(Turn):
    """The turn at one machine. Enter it for the CPU; everybody else uses :meth:`exclusive`.

    Attributes:
        ring: makes a CPU that is inside the guest come out and give way; from any thread.
    """

    def __init__(self) -> None:
        self.ring: Callable[[], None] = lambda: None
        self._lock = threading.RLock()
        self._changed = threading.Condition()
        self._waiting = 0

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        """Have the machine to oneself for the length of a ``with`` block; it may be nested.

        The CPU's own thread may use it too: it has the turn already.
        """
        if not self._lock.acquire(blocking=False):
            self._wait()
        try:
            yield
        finally:
            self._lock.release()

    def _wait(self) -> None:
        with self._changed:
            self._waiting += 1
        try:
            self.ring()
            self._lock.acquire()
        finally:
            with self._changed:
                self._waiting -= 1
                self._changed.notify_all()

    # -- the CPU's side --------------------------------------------------------------------------

    def __enter__(self) -> Self:
        self._lock.acquire()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._lock.release()

    def give_way(self) -> None:
        """Let those who wait have their turn; the CPU is outside the guest."""
        if self._waiting:
            with self.away(), self._changed:
                # A lock is not fair: taken again at once, nobody else would ever get it.
                self._changed.wait_for(lambda: self._waiting == 0)

    @contextmanager
    def away(self) -> Iterator[None]:
        """Give the turn up for a while, because the guest waits for an interrupt."""
        self._lock.release()
        try:
            yield
        finally:
            self._lock.acquire()
