"""What overlaps what, found without a look at everything."""

from __future__ import annotations

from heapq import heappop, heappush
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, KeysView

    from guestmap.view.picture import Box


class Crowd:
    """Boxes that may overlap each other, passed once from low addresses to high ones."""

    __slots__ = ("_coming", "_here", "_leaving")

    def __init__(self, boxes: Iterable[Box]) -> None:
        self._coming = sorted(boxes, key=lambda box: box.start)[::-1]
        self._leaving: list[tuple[int, str]] = []
        self._here: dict[str, int] = {}
        """How many boxes of each title there are; who came first stands first."""

    def within(self, start: int, end: int) -> KeysView[str]:
        """Return the titles of the boxes with an address in ``[start, end)``.

        No range may begin below the end of the one before. What is returned is good until the
        next.
        """
        while self._coming and self._coming[-1].start < end:
            box = self._coming.pop()
            heappush(self._leaving, (box.end, box.title))
            self._here[box.title] = self._here.get(box.title, 0) + 1
        while self._leaving and self._leaving[0][0] <= start:
            _, title = heappop(self._leaving)
            self._here[title] -= 1
            if not self._here[title]:
                del self._here[title]
        return self._here.keys()
