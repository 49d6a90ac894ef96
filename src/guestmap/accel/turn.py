"""Whose turn it is at the machine: the CPU's, or that of a thread that looks after it.

Devices know no locks. The thread that runs the CPU holds the turn while it does, and gives it up
between two entries into the guest when somebody else asks, and while the guest is halted.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Protocol, Self

if TYPE_CHECKING:
    from types import TracebackType


class Turn(AbstractContextManager["Turn", None], Protocol):
    """What an engine asks of whoever shares out the machine; entered for the length of a run."""

    def give_way(self) -> None:
        """Let those who wait have their turn; the CPU is outside the guest."""

    def away(self) -> AbstractContextManager[None]:
        """Give the turn up for a while, because the guest waits for an interrupt."""


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
