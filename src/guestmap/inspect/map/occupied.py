"""Addresses that are taken, and what is free between them."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


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

    def take(self, lo: int, hi: int) -> Sequence[tuple[int, int]]:
        """Take the addresses ``[lo, hi)``; return the runs of them that were free."""
        if lo >= hi:
            return ()
        starts, ends = self._starts, self._ends
        run = bisect_right(ends, lo)
        if run < len(starts) and starts[run] < hi:
            free = tuple(self.gaps(lo, hi))
            self.add(lo, hi)
            return free
        # All of it was free, as most regions are: it joins a neighbour, or stands alone.
        if run < len(starts) and starts[run] == hi:
            starts[run] = lo
            if run and ends[run - 1] == lo:
                del starts[run], ends[run - 1]
        elif run and ends[run - 1] == lo:
            ends[run - 1] = hi
        else:
            starts.insert(run, lo)
            ends.insert(run, hi)
        return ((lo, hi),)

    def gaps(self, lo: int, hi: int) -> Iterator[tuple[int, int]]:
        """Yield the start and end of each run of ``[lo, hi)`` that is free.

        Runs that are taken grow together, so to ask and then to take costs in all what is found.
        """
        run = bisect_right(self._ends, lo)
        while lo < hi:
            start = self._starts[run] if run < len(self._starts) else hi
            if lo < start:
                yield lo, min(start, hi)
            if start >= hi:
                return
            lo = self._ends[run]
            run += 1
