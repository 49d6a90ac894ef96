"""The turn at a machine of several CPUs, each of which gives it up while its guest executes."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from typing import TYPE_CHECKING, Self

from guestmap.accel import Bracket, Turn
from guestmap.machine.gate import Gate, patience_s

if TYPE_CHECKING:
    from types import TracebackType

_REPEAT_S = 0.001


class SharedGate(Gate):
    """One thread at a time at the machine, while any number of CPUs execute.

    Whoever is none of the CPUs and has the machine to itself (:meth:`exclusive`) has all of them
    stand where their loops begin: outside the guest, with no access that is half done.

    Args:
        on_turn: told the number of a CPU that has the turn from now on; 0 also for who is none.
    """

    def __init__(self, on_turn: Callable[[int], None]) -> None:
        super().__init__()
        self._on_turn = on_turn
        self._visitors = Gate()  # those who are no CPU, one after the other
        self._changed = threading.Condition()
        self._at_work = 0
        self._wanted = False
        self._cpus_until_s = 0.0

    def turn_of(self, cpu: int) -> Turn:
        """Return what the run loop of a CPU is given."""
        return _CpuTurn(self, cpu)

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        """Have the machine to oneself for the length of a ``with`` block; it may be nested."""
        if self.held:
            with super().exclusive():
                yield
            return
        with self._visitors.exclusive():
            try:
                began_s = self._have_them_stand()
                with super().exclusive():
                    self._on_turn(0)
                    yield
                now_s = time.perf_counter()
                self._cpus_until_s = now_s + patience_s(now_s - began_s)
            finally:
                with self._changed:
                    self._wanted = False
                    self._changed.notify_all()

    def _have_them_stand(self) -> float:
        """Wait until no CPU is at work; return when that began."""
        began_s = time.perf_counter()
        while (left_s := self._cpus_until_s - time.perf_counter()) > 0 and self._at_work:
            time.sleep(left_s)  # they have not had as much time as they have waited
        with self._changed:
            self._wanted = True
            while self._at_work:
                self.ring()
                self._changed.wait(_REPEAT_S)
        return began_s

    # -- a CPU's side ------------------------------------------------------------------------------

    def begin(self, cpu: int) -> None:
        """Have a CPU be at work, and have the turn."""
        with self._changed:
            while self._wanted:
                self._changed.wait()
            self._at_work += 1
        self.come_out(cpu)

    def end(self) -> None:
        """Have a CPU be at work no more; it has the turn no more."""
        self._pass_on()
        with self._changed:
            self._at_work -= 1
            self._changed.notify_all()

    def stand(self, cpu: int) -> None:
        """Have a CPU stand while somebody wants that."""
        if self._wanted:
            self.end()
            self.begin(cpu)

    def go_in(self) -> None:
        """Give the turn up while the CPU executes."""
        self._pass_on()

    def come_out(self, cpu: int) -> None:
        """Have the turn be a CPU's, which has executed."""
        self._take()
        self._on_turn(cpu)


class _CpuTurn(Turn):
    """The turn of one CPU."""

    def __init__(self, gate: SharedGate, cpu: int) -> None:
        self._gate = gate
        self._cpu = cpu
        self._inside = Bracket(gate.go_in, partial(gate.come_out, cpu))
        self._away = Bracket(gate.end, partial(gate.begin, cpu))

    def give_way(self) -> None:
        """Stand, where somebody wants the machine to itself."""
        self._gate.stand(self._cpu)

    def away(self) -> AbstractContextManager[None]:
        """Let the others come meanwhile."""
        return self._away

    def while_it_executes(self) -> AbstractContextManager[None]:
        """Let the other CPUs come meanwhile."""
        return self._inside

    def __enter__(self) -> Self:
        self._gate.begin(self._cpu)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._gate.end()
