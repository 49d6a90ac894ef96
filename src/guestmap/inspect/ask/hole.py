"""What is round an address that nobody answers, and what becomes of an access to it."""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING

from guestmap.base import ADDRESS_SPACE_SIZE
from guestmap.base.dataclass import dataclass
from guestmap.inspect.map.report import Report
from guestmap.inspect.map.views import join
from guestmap.inspect.map.ways import walk

if TYPE_CHECKING:
    from collections.abc import Sequence

    from guestmap.inspect.map.shown import Shown
    from guestmap.inspect.map.snapshot import RangeInfo, Snapshot

MOST_AROUND = 8
"""Containers that are told; the innermost ones."""


@dataclass(frozen=True, slots=True)
class Neighbour(Report):
    """Who answers next to a hole.

    Attributes:
        start, end: the first address that it answers in one run, and the first after that.
    """

    name: str
    type: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class ReachingOver(Report):
    """A container or an alias that reaches over the address and has nothing there.

    Attributes:
        base: the address of its first byte; negative where only a later part shows.
        size: bytes.
    """

    id: int
    name: str
    base: int
    size: int
    priority: int


@dataclass(frozen=True, slots=True)
class Hole(Report):
    """Addresses ``start <= a < end`` that nobody answers.

    A read gets zeros and a write goes nowhere; both end as a decode error (QEMU's
    ``MEMTX_DECODE_ERROR``), which an x86 CPU does not look at.

    Attributes:
        below, above: who answers next to it; None: nobody to the end of the space.
        around: what reaches over the address, the outermost first; empty without a tree.
    """

    start: int
    end: int
    below: Neighbour | None
    above: Neighbour | None
    around: tuple[ReachingOver, ...]


def hole_of_tree(snapshot: Snapshot, root: int, address: int, view: list[Shown]) -> Hole:
    """Return the hole round ``address`` in the space that shows the tree below ``root``.

    Args:
        snapshot: the map.
        root: id of the space's region.
        address: one that nobody answers.
        view: who answers elsewhere below ``root``.
    """
    over = [
        way
        for way in walk(snapshot, root, address, address + 1, disabled=False)
        if not way.answers and way.shows(address)
    ]
    over.sort(key=lambda way: way.depth)
    around = (
        ReachingOver(way.region.id, way.region.name, way.base, way.region.size, way.region.priority)
        for way in over[-MOST_AROUND:]
    )
    return hole_of_view(join(view), address, tuple(around))


def hole_of_view(
    ranges: Sequence[RangeInfo], address: int, around: tuple[ReachingOver, ...] = ()
) -> Hole:
    """Return the hole round ``address`` between sorted, disjoint ranges."""
    index = bisect_right(ranges, address, key=lambda each: each.start)
    below = _neighbour(ranges[index - 1]) if index else None
    above = _neighbour(ranges[index]) if index < len(ranges) else None
    return Hole(
        start=0 if below is None else below.end,
        end=ADDRESS_SPACE_SIZE if above is None else above.start,
        below=below,
        above=above,
        around=around,
    )


def _neighbour(each: RangeInfo) -> Neighbour:
    return Neighbour(each.name, each.type, each.start, each.start + each.size)
