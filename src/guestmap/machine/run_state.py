"""What a machine is doing, and all that can change it: one table.

Rule 1: a machine goes from state to state as the table says, and nowhere else. Rule 2: the table
knows neither the machine nor why something happens to it; what follows from a change is for those
who ask.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType

from guestmap.base import StateError


class RunState(StrEnum):
    """What a machine is doing; QEMU's words (QMP ``RunState``), but for :attr:`OFF`."""

    PRELAUNCH = "prelaunch"
    RUNNING = "running"
    PAUSED = "paused"
    SUSPENDED = "suspended"
    INTERNAL_ERROR = "internal-error"
    SHUTDOWN = "shutdown"
    OFF = "off"

    @property
    def word(self) -> str:
        """QMP's word: one that is off, and kept, is to QEMU what one at its end is."""
        return str(RunState.SHUTDOWN if self is RunState.OFF else self)

    @property
    def feels_input(self) -> bool:
        """Whether keys and the mouse reach the machine: they may wake one that sleeps."""
        return self in {RunState.RUNNING, RunState.SUSPENDED}


class RunEvent(StrEnum):
    """What happens to a machine."""

    CONT = "cont"
    STOP = "stop"
    RESET = "reset"
    SUSPEND = "suspend"
    ERROR = "error"
    QUIT = "quit"
    LOAD = "load"
    WAKE = "wake"
    POWER_OFF = "power-off"


_P, _R, _H = RunState.PRELAUNCH, RunState.RUNNING, RunState.PAUSED
_S, _E, _X = RunState.SUSPENDED, RunState.INTERNAL_ERROR, RunState.SHUTDOWN
_O = RunState.OFF

_TABLE: tuple[tuple[RunState, tuple[RunState | None, ...]], ...] = (
    # from  CONT  STOP RESET SUSPEND ERROR QUIT LOAD WAKE POWER_OFF
    (_P, (_R, _P, _P, _S, _E, _X, _H, _P, _O)),
    (_R, (_R, _H, _R, _S, _E, _X, _H, _R, _O)),
    (_H, (_R, _H, _P, _S, _E, _X, _H, _H, _O)),
    (_S, (_S, _S, _P, _S, _E, _X, _H, _R, _O)),  # after a reset somebody must let it run
    (_E, (None, _E, _P, _E, _E, _X, _H, _E, _E)),
    (_O, (None, _O, _P, _O, _E, _X, _H, _O, _O)),  # a guest that is off, in a machine that stays
    (_X, (None, _X, _X, _X, _X, _X, _X, _X, _X)),  # the end: told to quit, it stays so
)

TRANSITIONS: Mapping[tuple[RunState, RunEvent], RunState | None] = MappingProxyType(
    {
        (state, event): after
        for state, row in _TABLE
        for event, after in zip(RunEvent, row, strict=True)
    }
)
"""The state after each event in each state; None: refused. Where QEMU 7.2 can be asked it is so."""


def next_state(state: RunState, event: RunEvent) -> RunState:
    """Return what a machine is doing after ``event``.

    Raises:
        StateError: it cannot go on; QEMU's text.
    """
    after = TRANSITIONS[state, event]
    if after is None:
        raise StateError("Resetting the Virtual Machine is required")
    return after
