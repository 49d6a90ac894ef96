"""What a watch tells of, kept in order."""

from __future__ import annotations

from typing import TYPE_CHECKING

from guestmap.accel.debug import Watchpoint

if TYPE_CHECKING:
    from guestmap.accel.debug import GuestAccess, WatchKind


class Heard(list):
    """What was heard; it stops where it says so."""

    def __init__(self, *, stops: bool = False) -> None:
        super().__init__()
        self.stops = stops

    def __call__(self, access: GuestAccess) -> bool:
        self.append(access)
        return self.stops

    def at(self, first: int, last: int, *kinds: WatchKind) -> Watchpoint:
        """Return a watch of these addresses that tells us."""
        return Watchpoint(first, last, frozenset(kinds), self, self.stops)
