"""Who answers where: the ways to the regions of a tree, laid over each other in rendering order."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from operator import itemgetter
from typing import TYPE_CHECKING, NamedTuple

from guestmap.inspect.map.occupied import OccupiedRuns
from guestmap.inspect.map.ways import Way, walk

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from guestmap.inspect.map.snapshot import Snapshot


class Shown(NamedTuple):
    """Addresses ``start <= a < end`` that the region at the end of ``way`` answers."""

    start: int
    end: int
    way: Way


def shown(snapshot: Snapshot, root: int) -> list[Shown]:
    """Return who answers where below ``root``: sorted, disjoint; neighbours are not joined."""
    return fill(walk(snapshot, root, disabled=False))


def fill(ways: Iterable[Way]) -> list[Shown]:
    """Return who answers where of ways in rendering order, as :func:`shown` does."""
    ranges: list[Shown] = []
    taken = OccupiedRuns()
    for way in ways:
        if way.answers:
            for start, end in taken.take(way.lo, way.hi):
                ranges.append(Shown(start, end, way))
    ranges.sort(key=itemgetter(0))
    return ranges


def within(ranges: Sequence[Shown], lo: int, hi: int) -> Sequence[Shown]:
    """Return those of sorted, disjoint ranges that have an address in ``[lo, hi)``."""
    places = span(ranges, lo, hi)
    return ranges[places.start : places.stop]


def span(ranges: Sequence[Shown], lo: int, hi: int) -> range:
    """Return which of them these are."""
    if lo >= hi:
        return range(0)
    first = bisect_right(ranges, lo, key=lambda each: each.end)
    return range(first, bisect_left(ranges, hi, key=lambda each: each.start))
