"""Where a region of a tree is seen, and what hides it elsewhere: pieces, with their words."""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING

from guestmap.inspect.ask.verdict import Verdict, outranked
from guestmap.inspect.map.shown import span

if TYPE_CHECKING:
    from guestmap.inspect.map.shown import Shown
    from guestmap.inspect.map.ways import Way

BY_ITS_OWN = "hidden by its own subregion"
MOST_PIECES = 64
"""Into so many pieces is a region cut at most; where more hide it, neighbours are told together."""


class SeenPieces:
    """What a tree shows, to be asked where one of its ways is seen, and what hides it elsewhere."""

    def __init__(self, ranges: list[Shown]) -> None:
        self._ranges = ranges
        self._paths = _Paths()
        self._own: dict[int, list[int]] = {}
        """For each path the places in ``ranges`` where its region answers, in order."""
        for index, each in enumerate(ranges):
            self._own.setdefault(self._paths.number(each.way), []).append(index)

    def of(self, way: Way) -> list[tuple[int, int, str]]:
        """Cut a way that answers into where it is seen ("") and where it loses, and why."""
        ranges, places = self._ranges, span(self._ranges, way.lo, way.hi)
        if len(places) <= MOST_PIECES:
            return _joined(way, ranges[places.start : places.stop])
        own = self._own.get(self._paths.number(way), [])
        pieces: list[tuple[int, int, str]] = []
        first = places.start
        for index in own[bisect_left(own, places.start) : bisect_left(own, places.stop)]:
            pieces += self._told_together(way, range(first, index))
            pieces += _joined(way, ranges[index : index + 1])
            first = index + 1
        return pieces + self._told_together(way, range(first, places.stop))

    def _told_together(self, way: Way, places: range) -> list[tuple[int, int, str]]:
        """Return one piece for all that hides a way between two places where it is seen."""
        if len(places) < 2:
            return _joined(way, self._ranges[places.start : places.stop])
        first, last = self._ranges[places[0]], self._ranges[places[-1]]
        names = first.way.region.name, last.way.region.name
        words = f"hidden in {len(places)} pieces, by {names[0]} first and by {names[1]} last"
        return [(max(first.start, way.lo), min(last.end, way.hi), words)]


class _Paths:
    """Numbers for ways: one for all that lead along the same regions."""

    def __init__(self) -> None:
        self._numbers: dict[tuple[int, int], int] = {}
        """By the number of the way that leads to it, and the region."""
        self._known: dict[Way, int] = {}

    def number(self, way: Way) -> int:
        """Return the number of a way."""
        new: list[Way] = []
        step: Way | None = way
        while step is not None and step not in self._known:
            new.append(step)
            step = step.parent
        number = -1 if step is None else self._known[step]
        for each in reversed(new):
            key = number, each.region.id
            number = self._known[each] = self._numbers.setdefault(key, len(self._numbers))
        return number


def _joined(way: Way, found: list[Shown]) -> list[tuple[int, int, str]]:
    """Return pieces of a way, neighbours of one verdict as one."""
    steps = way.steps()
    pieces: list[tuple[int, int, str]] = []
    before: Verdict | None = None
    for start, end, other in found:
        lo, hi = max(start, way.lo), min(end, way.hi)
        verdict = outranked(steps, other.steps())
        if pieces and pieces[-1][1] == lo and before == verdict:
            pieces[-1] = (pieces[-1][0], hi, pieces[-1][2])
        else:
            pieces.append((lo, hi, verdict_words(verdict) if verdict else ""))
        before = verdict
    return pieces


def verdict_words(verdict: Verdict) -> str:
    """Return why something is hidden, and by whom."""
    by, loser = verdict.by, verdict.loser
    if verdict.reason == "covered":
        return f"{BY_ITS_OWN} {by.name}"
    if verdict.reason == "priority":
        lost = f"priority {by.priority} beats {loser.priority} of {loser.name}"
        return f"hidden by {by.name}: {lost}"
    return f"hidden by {by.name}: priority {by.priority} as {loser.name}, added later"
