"""Whether a guest uses memory that was plugged: what its agent says, or its balloon's statistics.

Statistics count only where somebody polls them already: switching that on would be a change.
Source: QEMU, docs/interop/virtio-balloon-stats.rst.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import msgspec

from guestmap.base import PeerError
from guestmap.domain.questions import Question, prop
from guestmap.domain.replies import Named
from guestmap.inspect.map.report import Report

if TYPE_CHECKING:
    from guestmap.domain.agent import GuestAgent
    from guestmap.domain.peer import Peer
    from guestmap.domain.plugged import MemoryDevice

_BALLOON = "child<virtio-balloon-"
_PLACES = ("/machine/peripheral", "/machine/peripheral-anon")
_UNSUPPORTED = (1 << 64) - 1
_STRUCTURES = 32
"""Of memory whose page structures lie in itself a guest counts 63 of 64 parts at most."""


@dataclass(frozen=True, slots=True)
class Use(Report):
    """What a guest has of a device.

    Attributes:
        online: bytes that it uses. told_by: who says so.
    """

    online: int
    told_by: str


class UseSource(Protocol):
    """Tells what a guest has of a device that was just plugged."""

    def use(self, device: MemoryDevice) -> Use | None:
        """Return what the guest has now; None: it cannot be told yet."""


class AgentUse:
    """What the guest agent says."""

    def __init__(self, agent: GuestAgent) -> None:
        self._agent = agent

    def use(self, device: MemoryDevice) -> Use | None:
        """Return what is online; None where the agent does not answer."""
        try:
            return Use(self._agent.online(device), "guest agent")
        except PeerError:
            return None


class _Stats(msgspec.Struct, rename="kebab"):
    last_update: int = 0
    stats: dict[str, int] = {}

    @property
    def total(self) -> int | None:
        """Bytes that the guest has in all; None where it does not say."""
        value = self.stats.get("stat-total-memory", _UNSUPPORTED)
        return None if value == _UNSUPPORTED else value


class BalloonUse:
    """What the balloon's statistics say: how much the guest's total grew since the start.

    Args:
        peer: the machine.
        path: the balloon's, in the object tree.
        before: the statistics before anything was plugged.
    """

    def __init__(self, peer: Peer, path: str, before: _Stats) -> None:
        self._peer = peer
        self._path = path
        self._before = before

    def use(self, device: MemoryDevice) -> Use | None:
        """Return by how much the total grew; None before the guest told it anew."""
        (now,) = self._peer.ask_many([prop(self._path, "guest-stats", _Stats)])
        if now is None or now.last_update <= self._before.last_update:
            return None
        if now.total is None or self._before.total is None:
            return None
        grown = min(max(0, now.total - self._before.total), device.size)
        is_all = grown >= device.size - device.size // _STRUCTURES
        return Use(device.size if is_all else grown, "balloon statistics")


def balloon_use(peer: Peer) -> BalloonUse | None:
    """Return what tells by a balloon's statistics; None where nobody polls them."""
    found = peer.ask_many([Question("qom-list", list[Named], {"path": path}) for path in _PLACES])
    paths = [
        f"{place}/{each.name}"
        for place, children in zip(_PLACES, found, strict=True)
        for each in children or ()
        if each.type.startswith(_BALLOON)
    ]
    for path in paths:
        interval, stats = peer.ask_many(
            [prop(path, "guest-stats-polling-interval", int), prop(path, "guest-stats", Any)]
        )
        if interval and isinstance(stats, dict):
            try:
                before = msgspec.convert(stats, _Stats)
            except msgspec.ValidationError:
                continue
            if before.total is not None:
                return BalloonUse(peer, path, before)
    return None
