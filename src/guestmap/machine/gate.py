"""One thread at a time at the machine: what QEMU's big lock is for.

The CPU's thread is inside most of the time. Whoever else wants in queues, and rings if it is the
CPU that is inside; the CPU then leaves the guest and queues behind those who wait. Everybody gets
the turn in the order of asking, and nobody rings before the CPU has had as much time as it waited
for others: so neither the guest nor any of the others can be kept out.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Self

from guestmap.accel import Bracket, Turn

if TYPE_CHECKING:
    from types import TracebackType


_SHORTEST_S, _LONGEST_S = 0.0001, 0.01
"""Bounds of the time that the CPU has to itself after others have had theirs. Less than it takes to
enter the guest and the guest would stand still; more, and one long command would make others wait.
"""


def patience_s(waited_s: float) -> float:
    """Return how long CPUs have the machine to themselves that have waited for so long."""
    return min(max(waited_s, _SHORTEST_S), _LONGEST_S)


class _Ticket:
    """A place in the queue: who waits, and a lock that is free when it is their turn."""

    __slots__ = ("come", "thread")

    def __init__(self, thread: int) -> None:
        self.thread = thread
        self.come = threading.Lock()
        self.come.acquire()


class Gate(Turn):
    """The turn at one machine. Enter it for the CPU; everybody else uses :meth:`exclusive`.

    Attributes:
        ring: makes a CPU that is inside the guest come out and give way; from any thread.
    """

    def __init__(self) -> None:
        self.ring: Callable[[], None] = lambda: None
        self._mutex = threading.Lock()
        self._queue: deque[_Ticket] = deque()
        self._holder: int | None = None
        self._depth = 0
        self._cpu: int | None = None
        self._cpu_until_s = 0.0

    def turn_of(self, cpu: int) -> Turn:
        """Return what the run loop of a CPU is given: there is one."""
        del cpu
        return self

    @property
    def held(self) -> bool:
        """Whether the calling thread has the turn."""
        return self._holder == threading.get_ident()

    def exclusive(self) -> AbstractContextManager[None]:
        """Have the machine to oneself for the length of a ``with`` block; it may be nested.

        The CPU's own thread may use it too: it has the turn already.
        """
        return Bracket(self._take, self._pass_on)

    def _take(self) -> None:
        me = threading.get_ident()
        if self._holder == me:
            self._depth += 1
            return
        ticket = _Ticket(me)
        try:
            with self._mutex:
                if self._holder is None:
                    self._holder, self._depth = me, 1
                    return
                self._queue.append(ticket)
                cpu_is_inside = self._holder == self._cpu
            if cpu_is_inside:
                patience_s = self._cpu_until_s - time.perf_counter()
                if patience_s > 0 and ticket.come.acquire(timeout=patience_s):
                    return
                self.ring()
            ticket.come.acquire()
        except BaseException:  # Ctrl-C: nobody may be left waiting for one who has gone
            self._withdraw(ticket)
            raise

    def _withdraw(self, ticket: _Ticket) -> None:
        with self._mutex:
            if ticket in self._queue:
                self._queue.remove(ticket)
        if self._holder == ticket.thread:  # the turn has come, and nobody is there to take it
            self._pass_on()

    def _pass_on(self) -> None:
        """Leave once; the last time, the turn goes to whoever has waited longest."""
        if self._depth > 1:
            self._depth -= 1
            return
        with self._mutex:
            if not self._queue:
                self._holder = None
                return
            ticket = self._queue.popleft()
            self._holder = ticket.thread
        ticket.come.release()

    # -- the CPU's side --------------------------------------------------------------------------

    def __enter__(self) -> Self:
        self._cpu = threading.get_ident()
        self._take()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._cpu = None
        self._pass_on()

    def give_way(self) -> None:
        """Let those who wait have their turn; the CPU is outside the guest."""
        if self._queue:
            began_s = time.perf_counter()
            with self.away():
                pass
            now_s = time.perf_counter()
            self._cpu_until_s = now_s + patience_s(now_s - began_s)

    def away(self) -> AbstractContextManager[None]:
        """Give the turn up for a while, because the guest waits for an interrupt."""
        return Bracket(self._pass_on, self._take)
