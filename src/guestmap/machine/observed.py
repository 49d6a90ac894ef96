"""What the observer of a running machine hears of."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from guestmap.base.named_tuple import NamedTuple

if TYPE_CHECKING:
    from guestmap.accel import Standstill
    from guestmap.accel.debug import GuestAccess
    from guestmap.machine.flow.records import FlowEvent
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


class TracedAccess(NamedTuple):
    """An access by the guest in a range that is traced.

    Attributes:
        time_ns: when, on the machine's clock.
        access: the access.
        stops: it is what the machine stops at.
    """

    time_ns: int
    access: GuestAccess
    stops: bool


Event: TypeAlias = (
    "LogLine | PhaseChange | CommitRecord | MachineReset | Standstill | TracedAccess | FlowEvent"
)
"""What an observer of a running machine hears of, in the order in which it happens.

A CPU tells of each ``INT n`` (:meth:`guestmap.accel.vcpu.Vcpu.observe_software_interrupts`): a
program that writes on the screen makes thousands in a second.
"""
