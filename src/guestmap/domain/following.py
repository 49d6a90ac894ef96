"""Following a guest that takes or gives memory of a virtio-mem device, towards what is requested.

The device's sizes are asked for again and again; the event MEMORY_DEVICE_SIZE_CHANGE, which QEMU
holds back to one in a while, comes with the answers and tells nothing more.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from guestmap.base import format_size
from guestmap.domain.devices import read_devices, with_paths
from guestmap.domain.virtio_mem import why_short

if TYPE_CHECKING:
    from collections.abc import Callable

    from guestmap.domain.listen import Observer, Pace
    from guestmap.domain.peer import Peer
    from guestmap.domain.situation import Situation

POLL_S = 0.05
"""Seconds between two questions."""


@dataclass(frozen=True, slots=True)
class Following:
    """How far a guest is.

    Attributes:
        device: the device's id or path.
        wanted: bytes that are requested of it. had: that the guest had at first.
        deadline: when to give up, in the pace's seconds.
        has: bytes that the guest has; None: the device is gone.
        requested: what the device says is requested: another one may have asked for another size.
        interrupted: waiting was broken off.
    """

    device: str
    wanted: int
    had: int
    deadline: float
    has: int | None = -1
    requested: int | None = None
    interrupted: bool = False

    @property
    def is_there(self) -> bool:
        """Whether the guest has what is requested."""
        return self.has == self.wanted

    @property
    def is_over(self) -> bool:
        """Whether there is nothing to wait for any more."""
        return self.is_there or self.has is None or self.requested != self.wanted

    def notes(self, situation: Situation) -> tuple[str, ...]:
        """Say how far the guest came, and why it may have stopped."""
        if self.has is None:
            return (f"{self.device} is gone meanwhile",)
        told = f"the guest has {format_size(self.has)} of {format_size(self.wanted)} requested"
        if self.is_there:
            return (told,) if self.wanted else ("the guest has none of it, as is requested",)
        if self.requested is not None and self.requested != self.wanted:
            other = format_size(self.requested)
            return (told, f"somebody else requested {other} of {self.device} meanwhile")
        why = why_short(situation, self.had, self.has, self.wanted)
        return (told, why, "the request stands: the guest may come to it later")


def follow(
    peer: Peer,
    state: Following,
    pace: Pace,
    observer: Observer,
    interrupted: Callable[[], bool],
) -> Following:
    """Return how far the guest came when it had all, or when the deadline came.

    Raises:
        GoneError, PeerError: the machine has gone, or does not answer as QMP promises.
    """
    while True:
        before, state = state.has, _seen(peer, state)
        now = pace.now()
        if state.has is not None and state.has != before:
            observer.resized(state.device, state.has, state.wanted)
        if state.is_over or now >= state.deadline:
            return state
        if interrupted():
            return replace(state, interrupted=True)
        observer.following(state, now)
        pace.sleep(min(POLL_S, state.deadline - now))


def _seen(peer: Peer, state: Following) -> Following:
    devices = read_devices(peer)
    if state.device.startswith("/"):
        devices = with_paths(peer, devices)
    peer.events()
    found = next((each for each in devices if each.name == state.device), None)
    if found is None:
        return replace(state, has=None)
    return replace(state, has=found.plugged, requested=found.requested)
