"""Addresses that are taken, and what is free between them."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


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
