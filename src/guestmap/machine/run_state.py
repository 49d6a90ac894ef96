"""What a running machine is doing, and what its observer hears of."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from guestmap.accel import SoftwareInterrupt
from guestmap.machine.phases import PhaseChange
from guestmap.memory import CommitRecord


class RunState(StrEnum):
    """What a machine is doing; QEMU's words (QMP ``RunState``)."""

    PRELAUNCH = "prelaunch"
    RUNNING = "running"
    PAUSED = "paused"
    SHUTDOWN = "shutdown"
    SUSPENDED = "suspended"
    INTERNAL_ERROR = "internal-error"


class LogLine(NamedTuple):
    """A line that the firmware wrote to its debug console."""

    time_ns: int
    text: str


class MachineReset(NamedTuple):
    """The machine was reset."""

    time_ns: int
    reason: str


Event = LogLine | PhaseChange | CommitRecord | MachineReset | SoftwareInterrupt
"""What an observer of a running machine hears of, in the order in which it happens."""
