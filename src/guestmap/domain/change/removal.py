"""What follows the end of a device: its backend goes, and it leaves the documents."""

from __future__ import annotations

import time
from contextlib import suppress
from enum import Enum, auto
from typing import TYPE_CHECKING

from guestmap.base.faults import point
from guestmap.domain.ost import OstKind, explain
from guestmap.domain.rules.errors import DomainError
from guestmap.domain.waiting import Answered, Deleted, EjectFailed, heard

if TYPE_CHECKING:
    from guestmap.domain.change.link import Link
    from guestmap.qmp.client import MonitorEvent

WAIT_S = 5.0
"""Seconds that a guest has to let go of a device, as libvirt has it."""
_REFUSING = (0x3, 0x103)


class Fate(Enum):
    """What came of asking a guest for a device."""

    GONE = auto()
    REFUSED = auto()
    SILENT = auto()


class RemovalAnswer:
    """What a guest said to being asked for a device.

    Attributes:
        fate: what came of it.
        why: the guest's words; "" where it gave none.
    """

    def __init__(self, fate: Fate, why: str = "") -> None:
        self.fate = fate
        self.why = why


def ask(link: Link, alias: str, wait_s: float = WAIT_S) -> RemovalAnswer:
    """Ask the guest for a device, and wait for what it does.

    Raises:
        DomainError: QEMU refuses to ask.
        PeerError: the machine has gone.
    """
    link.wire.events()  # what was told before is no answer
    point("detach.before-device-del")
    try:
        link.send("device_del", {"id": alias}, meanwhile=lambda: link.lacking(alias))
    except DomainError as error:
        if "DeviceNotFound" in getattr(error, "__notes__", ()):
            return RemovalAnswer(Fate.GONE)
        raise
    point("detach.after-device-del")
    deadline = time.monotonic() + wait_s
    while True:
        left = deadline - time.monotonic()
        for event in link.wire.wait(max(0.0, left)):
            verdict = judged(event, alias)
            if verdict is not None:
                return verdict
        if left <= 0:
            return RemovalAnswer(Fate.SILENT)


def judged(event: MonitorEvent, alias: str) -> RemovalAnswer | None:
    """Return what an event says of a device that the guest was asked for; None: nothing."""
    said = heard(event)
    if isinstance(said, Deleted) and said.device == alias:
        return RemovalAnswer(Fate.GONE)
    if isinstance(said, EjectFailed) and said.device == alias:
        return RemovalAnswer(Fate.REFUSED, said.reason)
    if isinstance(said, Answered) and device_of(event) == alias:
        answer = explain(said.answer.source, said.answer.status)
        if answer.source in _REFUSING and answer.kind is OstKind.FAILURE:
            return RemovalAnswer(Fate.REFUSED, str(answer))
    return None


def device_of(event: MonitorEvent) -> str:
    """Return the device that ``ACPI_DEVICE_OST`` is about; "" where it names none."""
    info = event.data.get("info")
    name = info.get("device") if isinstance(info, dict) else None
    return name if isinstance(name, str) else ""


def drop_backend(link: Link, backend: str) -> None:
    """Delete the backend of a device that is gone; one that is gone too is no error."""
    point("detach.before-object-del")
    with suppress(DomainError):
        link.do("object-del", id=backend)
    point("detach.after-object-del")


def take_back(link: Link, alias: str, backend: str) -> bool:
    """Ask for a device that was plugged just now; tell whether it, and its backend, are gone."""
    if ask(link, alias).fate is not Fate.GONE:
        return False
    drop_backend(link, backend)
    return True
