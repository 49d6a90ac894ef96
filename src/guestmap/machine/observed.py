"""What the observer of a running machine hears of."""

from __future__ import annotations

from typing import NamedTuple

from guestmap.accel import SoftwareInterrupt
from guestmap.machine.phases import PhaseChange
from guestmap.memory.map import CommitRecord


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
