"""The turn at a machine of several CPUs, each of which gives it up while its guest executes."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Self

from guestmap.accel import Turn
from guestmap.machine.gate import Gate

if TYPE_CHECKING:
    from types import TracebackType

_REPEAT_S = 0.001


class SharedGate(Gate):
    """One thread at a time at the machine, while any number of CPUs execute.

    Whoever has the machine to itself (:meth:`exclusive`) has every CPU outside the guest, too.

    Args:
        on_turn: told the number of a CPU that has the turn from now on; 0 also for who is none.
    """

    def __init__(self, on_turn: Callable[[int], None]) -> None:
        super().__init__()
        self._on_turn = on_turn
        self._executing = 0
        self._came_out = threading.Condition()

    def turn_of(self, cpu: int) -> Turn:
        """Return what the run loop of a CPU is given."""
        return _CpuTurn(self, cpu)

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        """Have the machine to oneself for the length of a ``with`` block; it may be nested."""
        was_held = self.held
        with super().exclusive():
            with self._came_out:
                while self._executing:
                    self.ring()
                    self._came_out.wait(_REPEAT_S)
            if not was_held:
                self._on_turn(0)
            yield

    # -- a CPU's side ------------------------------------------------------------------------------

    def come(self, cpu: int) -> None:
        """Have the turn be a CPU's."""
        self._take()
        self._on_turn(cpu)

    def go(self) -> None:
        """Give the turn up."""
        self._pass_on()

    def go_in(self) -> None:
        """Give the turn up while the CPU executes."""
        with self._came_out:
            self._executing += 1
        self._pass_on()

    def come_out(self, cpu: int) -> None:
        """Have the turn be a CPU's that has executed."""
        with self._came_out:
            self._executing -= 1
            self._came_out.notify_all()
        self.come(cpu)


class _CpuTurn(Turn):
    """The turn of one CPU."""

    def __init__(self, gate: SharedGate, cpu: int) -> None:
        self._gate = gate
        self._cpu = cpu
        self._away = _Away(gate, cpu)
        self._inside = _Inside(gate, cpu)

    def give_way(self) -> None:
        """Others have had their turn while the guest executed."""

    def away(self) -> AbstractContextManager[None]:
        """Let the others come meanwhile."""
        return self._away

    def while_it_executes(self) -> AbstractContextManager[None]:
        """Let the others come meanwhile; who wants to be alone has it come out."""
        return self._inside

    def __enter__(self) -> Self:
        self._gate.come(self._cpu)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._gate.go()


class _Away(AbstractContextManager[None]):
    """The turn is nobody's inside."""

    def __init__(self, gate: SharedGate, cpu: int) -> None:
        self._gate = gate
        self._cpu = cpu

    def __enter__(self) -> None:
        self._gate.go()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._gate.come(self._cpu)


class _Inside(_Away):
    """The turn is nobody's inside, and the guest executes."""

    def __enter__(self) -> None:
        self._gate.go_in()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._gate.come_out(self._cpu)
