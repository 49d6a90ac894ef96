"""Waiting for the guest: what it says goes in, with the time, and a verdict comes out.

A :class:`Waiting` is a value; whoever holds it asks the machine, looks at a clock, and replaces it
by what :meth:`Waiting.hear` and :meth:`Waiting.at` return. Nothing here sleeps.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING

from guestmap.domain.ost import EJECTIONS, INSERTIONS, OstAnswer, OstKind, explain

if TYPE_CHECKING:
    from collections.abc import Mapping

    from guestmap.domain.plugged import MemoryDevice, SlotStatus
    from guestmap.qmp.client import MonitorEvent


WITHOUT_A_WORD = "the end of the connection"
"""What a machine that was killed tells."""


class GuestVerdict(StrEnum):
    """What came of asking the guest."""

    ACKNOWLEDGED = "acknowledged"
    REMOVED = "removed"
    REFUSED = "refused"
    SILENT = "silent"
    ENDED = "ended"
    INTERRUPTED = "interrupted"


@dataclass(frozen=True, slots=True)
class Answered:
    """The guest evaluated _OST for a slot."""

    slot: int
    answer: OstAnswer


@dataclass(frozen=True, slots=True)
class Deleted:
    """A device is gone."""

    device: str | None


@dataclass(frozen=True, slots=True)
class EjectFailed:
    """The guest let go of a device, or tried to, and it could not be removed."""

    device: str | None
    reason: str


@dataclass(frozen=True, slots=True)
class Ended:
    """The machine ended, or its guest started anew."""

    what: str


Heard = Answered | Deleted | EjectFailed | Ended


@dataclass(frozen=True, slots=True)
class Waiting:
    """What is waited for, and what came of it so far.

    Attributes:
        verb: ``plug`` or ``unplug``.
        device, slot: whose answer counts.
        deadline: when to give up, in the seconds of the clock that :meth:`at` is told.
        heard: what concerned this device, in order.
        verdict: None: it goes on.
        resets: how often the guest started anew meanwhile.
    """

    verb: str
    device: str
    slot: int
    deadline: float
    heard: tuple[Heard, ...] = ()
    verdict: GuestVerdict | None = None
    resets: int = 0

    @property
    def answers(self) -> tuple[OstAnswer, ...]:
        """What the guest said."""
        return tuple(each.answer for each in self.heard if isinstance(each, Answered))

    @property
    def is_heeded(self) -> bool:
        """Whether the guest said anything about what was asked, and not about something before."""
        return any(answer.source in self._sources for answer in self.answers)

    @property
    def _sources(self) -> frozenset[int]:
        return INSERTIONS if self.verb == "plug" else EJECTIONS

    @property
    def is_pending(self) -> bool:
        """Whether the guest said that it is at it."""
        return bool(self.answers) and self.answers[-1].kind is OstKind.PENDING

    def hear(self, said: Heard) -> Waiting:
        """Return the state after something happened; it is the same where it concerns others."""
        if self.verdict is not None:
            return self
        if isinstance(said, Ended):
            if said.what == "RESET":
                return replace(self, heard=(*self.heard, said), resets=self.resets + 1)
            return replace(self, heard=(*self.heard, said), verdict=GuestVerdict.ENDED)
        mine = said.slot == self.slot if isinstance(said, Answered) else said.device == self.device
        if not mine:
            return self
        return replace(self, heard=(*self.heard, said), verdict=self._judge(said))

    def at(self, now: float) -> Waiting:
        """Return the state at a time."""
        if self.verdict is None and now >= self.deadline:
            return replace(self, verdict=GuestVerdict.SILENT)
        return self

    def _judge(self, said: Answered | Deleted | EjectFailed) -> GuestVerdict | None:
        if isinstance(said, EjectFailed):
            return GuestVerdict.REFUSED
        if isinstance(said, Deleted):
            return GuestVerdict.REMOVED if self.verb == "unplug" else GuestVerdict.REFUSED
        answer = said.answer
        if answer.source not in self._sources:
            return None
        if answer.kind is OstKind.FAILURE:
            return GuestVerdict.REFUSED
        # Of an ejection, success is told by the device's end, not by the guest's word.
        is_done = answer.kind is OstKind.SUCCESS and self.verb == "plug"
        return GuestVerdict.ACKNOWLEDGED if is_done else None


def wait_for(verb: str, device: MemoryDevice, deadline: float) -> Waiting:
    """Return the state in which nothing was heard yet."""
    return Waiting(verb, device.name, -1 if device.slot is None else device.slot, deadline)


def heard(event: MonitorEvent) -> Heard | None:
    """Return what an event of QMP says; None where it says nothing about memory devices."""
    data = event.data
    if event.name == "ACPI_DEVICE_OST":
        return _answered(data)
    if event.name == "DEVICE_DELETED":
        return Deleted(_named(data))
    if event.name == "MEM_UNPLUG_ERROR":
        return EjectFailed(_text(data, "device"), _text(data, "msg") or "no reason given")
    if event.name == "DEVICE_UNPLUG_GUEST_ERROR":
        return EjectFailed(_named(data), "the guest could not let go of it")
    return Ended(event.name) if event.name in {"SHUTDOWN", "RESET"} else None


def seen(before: SlotStatus, now: SlotStatus) -> Answered | None:
    """Return what the change of a slot's status says, for where events cannot be heard."""
    if (before.source, before.status) == (now.source, now.status):
        return None
    return Answered(now.slot, explain(now.source, now.status))


def _answered(data: Mapping[str, object]) -> Answered | None:
    info = data.get("info")
    if not isinstance(info, dict) or info.get("slot-type", "DIMM") != "DIMM":
        return None
    slot, source, status = (info.get(name) for name in ("slot", "source", "status"))
    if not isinstance(source, int) or not isinstance(status, int):
        return None
    if not isinstance(slot, str) or not slot.isdecimal():
        return None
    return Answered(int(slot), explain(source, status))


def _named(data: Mapping[str, object]) -> str | None:
    """Return what names a device: its id, or its path where it has none."""
    return _text(data, "device") or _text(data, "path")


def _text(data: Mapping[str, object], name: str) -> str | None:
    value = data.get(name)
    return value if isinstance(value, str) else None
