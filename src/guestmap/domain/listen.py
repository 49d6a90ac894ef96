"""Listening to a machine until the guest answered: the I/O around :mod:`guestmap.domain.waiting`.

Events come with the answers to commands, so the machine is asked something cheap again and again.
Where events do not come at all (libvirt keeps them) the answers themselves are compared.
"""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

from guestmap.domain.devices import read_devices, read_slots, with_paths
from guestmap.domain.waiting import (
    WITHOUT_A_WORD,
    Deleted,
    Ended,
    GuestVerdict,
    Heard,
    Waiting,
    heard,
    seen,
)
from guestmap.qmp.client import GoneError

if TYPE_CHECKING:
    from collections.abc import Callable

    from guestmap.domain.following import Following
    from guestmap.domain.peer import Peer
    from guestmap.domain.plugged import SlotStatus
    from guestmap.domain.steps import Step

POLL_S = 0.05
"""Seconds between two questions."""


class Pace(Protocol):
    """Time, as waiting needs it."""

    def now(self) -> float:
        """Return seconds since some moment."""

    def sleep(self, seconds: float) -> None:
        """Let time pass."""


class RealPace:
    """The host's time."""

    def now(self) -> float:
        """Return the monotonic clock's seconds."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Sleep."""
        time.sleep(seconds)


class Observer:
    """Is told what happens; shows nothing unless overridden."""

    def step(self, step: Step) -> None:
        """Tell that a command will be sent."""

    def heard(self, said: Heard) -> None:
        """Tell what the guest, or the machine, said."""

    def waiting(self, state: Waiting, now: float) -> None:
        """Tell that it is being waited, now and then."""

    def resized(self, device: str, has: int, wanted: int) -> None:
        """Tell how many bytes a guest has of a virtio-mem device, and how many are requested."""

    def following(self, state: Following, now: float) -> None:
        """Tell that it is being waited for such a guest, now and then."""


def listen(
    peer: Peer,
    state: Waiting,
    before: SlotStatus,
    pace: Pace,
    observer: Observer,
    interrupted: Callable[[], bool] = lambda: False,
) -> Waiting:
    """Return the state of waiting with a verdict.

    Args:
        peer: the machine.
        state: what is waited for.
        before: the slot's status before the guest was asked.
        pace: the time.
        observer: is told what is heard.
        interrupted: tells whether to wait no longer.

    Raises:
        PeerError: the machine does not answer as QMP promises.
    """
    while True:
        for said, status in _news(peer, state, before):
            before = status or before
            told, state = len(state.heard), state.hear(said)
            if len(state.heard) > told:
                observer.heard(said)
        state = state.at(pace.now())
        if state.verdict is not None:
            return state
        if interrupted():
            return replace(state, verdict=GuestVerdict.INTERRUPTED)
        observer.waiting(state, pace.now())
        pace.sleep(min(POLL_S, max(0.0, state.deadline - pace.now())))


def _news(peer: Peer, state: Waiting, before: SlotStatus) -> list[tuple[Heard, SlotStatus | None]]:
    """Ask the machine, and return what is new with the slot's status where that told it."""
    found: list[tuple[Heard, SlotStatus | None]] = []
    try:
        slots = read_slots(peer) or ()
        if not peer.route.carries_events:
            now = next((each for each in slots if each.slot == state.slot), before)
            if (answer := seen(before, now)) is not None:
                found.append((answer, now))
            # Paths cost a question more, and only a device without an id is named by one.
            devices = read_devices(peer)
            if state.device.startswith("/"):
                devices = with_paths(peer, devices)
            if all(each.name != state.device for each in devices):
                found.append((Deleted(state.device), None))
            return found
    except GoneError:
        told = [heard(event) for event in peer.events()]
        last = [each for each in told if each is not None]
        if not any(isinstance(each, Ended) and each.what == "SHUTDOWN" for each in last):
            last.append(Ended(WITHOUT_A_WORD))
        return [(each, None) for each in last]
    return [(said, None) for event in peer.events() if (said := heard(event)) is not None]
