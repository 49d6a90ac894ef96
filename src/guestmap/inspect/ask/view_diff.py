"""Two flat views side by side: the addresses at which somebody else answers."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING

from guestmap.inspect.map.report import Report

if TYPE_CHECKING:
    from collections.abc import Iterable

    from guestmap.inspect.map.snapshot import RangeInfo


@dataclass(frozen=True, slots=True)
class Shows(Report):
    """Who answers at the start of a range, and with which of its bytes."""

    name: str
    type: str
    offset: int
    nonvolatile: bool = False


@dataclass(frozen=True, slots=True)
class RangeChange(Report):
    """Addresses ``start <= a < end``: who answered before, who does after; None: nobody."""

    start: int
    end: int
    before: Shows | None
    after: Shows | None


def range_changes(
    before: Iterable[RangeInfo], after: Iterable[RangeInfo]
) -> tuple[RangeChange, ...]:
    """Return where two views differ, in order of address; each change as long as it is the same."""
    ours, theirs = list(before), list(after)
    if ours == theirs:
        return ()
    edges = sorted(
        {edge for each in (*ours, *theirs) for edge in (each.start, each.start + each.size)}
    )
    changes: list[RangeChange] = []
    i = j = 0
    for start, end in pairwise(edges):
        while i < len(ours) and ours[i].start + ours[i].size <= start:
            i += 1
        while j < len(theirs) and theirs[j].start + theirs[j].size <= start:
            j += 1
        old, new = _shows(ours, i, start), _shows(theirs, j, start)
        if old == new:
            continue
        change = RangeChange(start, end, old, new)
        if changes and _continues(changes[-1], change):
            changes[-1] = replace(changes[-1], end=end)
        else:
            changes.append(change)
    return tuple(changes)


def _shows(ranges: list[RangeInfo], index: int, address: int) -> Shows | None:
    if index >= len(ranges) or ranges[index].start > address:
        return None
    each = ranges[index]
    offset = each.offset_in_region + address - each.start
    return Shows(each.name, each.type, offset, each.nonvolatile)


def _continues(one: RangeChange, other: RangeChange) -> bool:
    """Tell whether a change goes on in the next: the same two regions, byte after byte."""
    length = other.start - one.start
    return one.end == other.start and all(
        (old is None and new is None)
        or (old is not None and new is not None and replace(old, offset=old.offset + length) == new)
        for old, new in ((one.before, other.before), (one.after, other.after))
    )
