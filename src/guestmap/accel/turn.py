"""Whose turn it is at the machine: the CPU's, or that of a thread that looks after it.

Devices know no locks. The thread that runs the CPU holds the turn while it does, and gives it up
between two entries into the guest when somebody else asks, and while the guest is halted. Where
there are several CPUs, each with its thread, a CPU gives it up whenever its guest executes.
"""

from __future__ import annotations

import threading
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Protocol, Self

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType


class Bracket(AbstractContextManager[None]):
    """Two calls round a ``with`` block; a class, for a generator costs as much as a short command.

    Args:
        before, after: what is called; ``after`` whatever happens inside.
    """

    __slots__ = ("_after", "_before")

    def __init__(self, before: Callable[[], object], after: Callable[[], object]) -> None:
        self._before, self._after = before, after

    def __enter__(self) -> None:
        self._before()

    def __exit__(self, *_: object) -> None:
        self._after()


class Turn(AbstractContextManager["Turn", None], Protocol):
    """What an engine asks of whoever shares out the machine; entered for the length of a run."""

    def give_way(self) -> None:
        """Let those who wait have their turn; the CPU is outside the guest."""

    def away(self) -> AbstractContextManager[None]:
        """Give the turn up for a while, because the guest waits for an interrupt."""

    def while_it_executes(self) -> AbstractContextManager[None]:
        """Return what to enter the guest in, again and again; the turn is kept, as a rule."""
        return nullcontext()


class Alone(Turn):
    """The turn of an engine that shares its machine with nobody."""

    def give_way(self) -> None:
        """Nobody waits."""

    def away(self) -> AbstractContextManager[None]:
        """Nobody comes meanwhile."""
        return nullcontext()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        pass


class SharedTurn(Turn):
    """The turn of several CPUs of one machine: it goes round at each exit from the guest.

    Give it to the run loop of each. One loop has the machine's clock, the others have clocks
    of their own: a clock tells one loop of its timers.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open = Bracket(self._lock.release, self._lock.acquire)

    def give_way(self) -> None:
        """Others have had their turn while the guest executed."""

    def away(self) -> AbstractContextManager[None]:
        """Let the others come meanwhile."""
        return self._open

    def while_it_executes(self) -> AbstractContextManager[None]:
        """Let the others come meanwhile."""
        return self._open

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
