"""What the observer of a running machine hears of."""

from __future__ import annotations

from typing import NamedTuple

from guestmap.accel import SoftwareInterrupt, Standstill
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


Event = LogLine | PhaseChange | CommitRecord | MachineReset | SoftwareInterrupt | Standstill
"""What an observer of a running machine hears of, in the order in which it happens."""
