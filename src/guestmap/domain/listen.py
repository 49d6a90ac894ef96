"""Listening to a machine until the guest answered: the I/O around :mod:`guestmap.domain.waiting`.

Events come with the answers to commands, so the machine is asked something cheap again and again.
Where events do not come at all (libvirt keeps them) the answers themselves are compared.
"""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

from guestmap.base import PeerError
from guestmap.domain.survey import read_devices, read_slots
from guestmap.domain.waiting import Deleted, Ended, Heard, Verdict, Waiting, heard, seen

if TYPE_CHECKING:
    from collections.abc import Callable

    from guestmap.domain.peer import Peer
    from guestmap.domain.situation import SlotStatus
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
        PeerError: the machine has gone without a word.
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
            return replace(state, verdict=Verdict.INTERRUPTED)
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
            if all(each.id != state.device for each in read_devices(peer)):
                found.append((Deleted(state.device), None))
            return found
    except PeerError:
        told = [heard(event) for event in peer.events()]
        ended = [each for each in told if isinstance(each, Ended) and each.what == "SHUTDOWN"]
        if not ended:
            raise
        return [(each, None) for each in told if each is not None]
    return [(said, None) for event in peer.events() if (said := heard(event)) is not None]
