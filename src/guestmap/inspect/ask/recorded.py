"""Who answers at an address by what a source has told itself: a view, range by range."""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING

from guestmap.inspect.ask.explanation import Answer
from guestmap.inspect.ask.iommus import is_iommu, seen_end
from guestmap.inspect.ask.ram_place import ram_place

if TYPE_CHECKING:
    from collections.abc import Sequence

    from guestmap.inspect.map.shown import Shown
    from guestmap.inspect.map.snapshot import RangeInfo, Snapshot, ViewInfo


def index_at(view: Sequence[Shown], address: int) -> int | None:
    """Return which of sorted, disjoint ranges holds an address, by its index."""
    index = bisect_right(view, address, key=lambda each: each.start) - 1
    return index if index >= 0 and address < view[index].end else None


def range_at(ranges: tuple[RangeInfo, ...], address: int) -> RangeInfo | None:
    """Return which of a view's ranges holds an address."""
    index = bisect_right(ranges, address, key=lambda each: each.start) - 1
    found = ranges[index] if index >= 0 else None
    return found if found is not None and address < found.start + found.size else None


def recorded_answer(snapshot: Snapshot, view: ViewInfo | None, address: int) -> Answer | None:
    """Return who answers at an address, as the source has told it; None: nobody, or it has not."""
    said = None if view is None else range_at(view.ranges, address)
    if view is None or said is None:
        return None
    offset = said.offset_in_region + address - said.start
    return Answer(
        name=said.name,
        type=said.type,
        offset=offset,
        start=said.start,
        end=said.start + said.size,
        priority=said.priority,
        nonvolatile=said.nonvolatile,
        owner=said.owner,
        ram=ram_place(snapshot, said.name, said.type, offset),
        id=said.region,
        path=(),
        iommu=is_iommu(said.name, said.type, seen_end(said.name, view.ranges)),
    )
