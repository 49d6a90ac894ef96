"""What overlaps what, found without a look at everything."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from itertools import accumulate
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from guestmap.view.picture import Box


class OccupiedRuns:
    """Addresses that are taken: sorted runs that neither overlap nor touch."""

    __slots__ = ("_ends", "_starts")

    def __init__(self) -> None:
        self._starts: list[int] = []
        self._ends: list[int] = []

    def meets(self, lo: int, hi: int) -> bool:
        """Tell whether any address in ``[lo, hi)`` is taken."""
        first = bisect_right(self._ends, lo)
        return lo < hi and first < len(self._starts) and self._starts[first] < hi

    def add(self, lo: int, hi: int) -> None:
        """Take the addresses ``[lo, hi)``."""
        if lo >= hi:
            return
        first, last = bisect_left(self._ends, lo), bisect_right(self._starts, hi)
        if first < last:
            lo, hi = min(lo, self._starts[first]), max(hi, self._ends[last - 1])
        self._starts[first:last] = [lo]
        self._ends[first:last] = [hi]


class Overlaps:
    """Boxes that may overlap each other, to be asked which of them lie in a range."""

    __slots__ = ("_boxes", "_reach")

    def __init__(self, boxes: Sequence[Box]) -> None:
        self._boxes = sorted(boxes, key=lambda box: box.start)
        self._reach = list(accumulate((box.end for box in self._boxes), max))

    def within(self, start: int, end: int) -> list[Box]:
        """Return the boxes with an address in ``[start, end)``, lowest start first."""
        index = bisect_left(self._boxes, end, key=lambda box: box.start)
        found: list[Box] = []
        while index and self._reach[index - 1] > start:
            index -= 1
            if self._boxes[index].end > start:
                found.append(self._boxes[index])
        found.reverse()
        return found
