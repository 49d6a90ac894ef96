"""Our rendering of a tree beside a flat view, piece by piece."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from guestmap.inspect.map.shown import Shown
    from guestmap.inspect.map.snapshot import RangeInfo
    from guestmap.inspect.map.ways import Way


_NEVER = 1 << 65, 1 << 65


class ComparedRange(NamedTuple):
    """Addresses ``start <= a < end``: who answers by the tree, and by the view; None: nobody."""

    start: int
    end: int
    way: Way | None
    said: RangeInfo | None


def pieces(ours: Iterable[Shown], theirs: Iterable[RangeInfo]) -> Iterator[ComparedRange]:
    """Yield the pieces in which the two do not change; where both have nobody, there is none."""
    mine, said = iter(ours), iter(theirs)
    start, end = 0, 0
    one, other = next(mine, None), next(said, None)
    while one is not None or other is not None:
        lo, hi = (one.start, one.end) if one else _NEVER
        said_lo, said_hi = (other.start, other.start + other.size) if other else _NEVER
        start = max(end, min(lo, said_lo))
        end = min(hi if lo <= start else lo, said_hi if said_lo <= start else said_lo)
        way = one.way if one and lo <= start else None
        yield ComparedRange(start, end, way, other if said_lo <= start else None)
        if hi <= end:
            one = next(mine, None)
        if said_hi <= end:
            other = next(said, None)


def differences(ours: Iterable[Shown], theirs: Iterable[RangeInfo]) -> Iterator[ComparedRange]:
    """Yield the pieces in which the tree and the view do not say the same."""
    mine, said = list(ours), list(theirs)
    # Most of two maps is the same, range by range: only what is between is looked at in pieces.
    while mine and said and _is_same(mine[-1], said[-1]):
        mine.pop()
        said.pop()
    mine.reverse()
    said.reverse()
    while mine and said and _is_same(mine[-1], said[-1]):
        mine.pop()
        said.pop()
    between = pieces(reversed(mine), reversed(said))
    return (piece for piece in between if not agrees(piece.way, piece.said))


def _is_same(shown: Shown, said: RangeInfo) -> bool:
    start, end, way = shown
    return said.start == start and said.size == end - start and agrees(way, said)


def agrees(way: Way | None, said: RangeInfo | None) -> bool:
    """Tell whether the region by the tree is the one that the view names."""
    if way is None or said is None:
        return way is None and said is None
    region = way.region
    return (
        region.name == said.name
        and way.base == said.start - said.offset_in_region
        and region.priority == said.priority
        and ("rom" if way.readonly else region.type) == said.type
        and way.nonvolatile == said.nonvolatile
        and (region.owner is None or said.owner is None or region.owner == said.owner)
    )
