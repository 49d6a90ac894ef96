"""Our rendering of a tree beside a flat view, piece by piece."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from guestmap.inspect.paths import Shown, Way
    from guestmap.inspect.snapshot import RangeInfo


class Piece(NamedTuple):
    """Addresses ``start <= a < end``: who answers by the tree, and by the view; None: nobody."""

    start: int
    end: int
    way: Way | None
    said: RangeInfo | None


def pieces(ours: Iterable[Shown], theirs: Iterable[RangeInfo]) -> Iterator[Piece]:
    """Yield the pieces in which the two do not change; where both have nobody, there is none."""
    mine, said = list(ours), list(theirs)
    points = sorted(
        {point for each in mine for point in (each.start, each.end)}
        | {point for each in said for point in (each.start, each.start + each.size)}
    )
    i = j = 0
    for start, end in pairwise(points):
        while i < len(mine) and mine[i].end <= start:
            i += 1
        while j < len(said) and said[j].start + said[j].size <= start:
            j += 1
        way = mine[i].way if i < len(mine) and mine[i].start <= start else None
        one = said[j] if j < len(said) and said[j].start <= start else None
        if way is not None or one is not None:
            yield Piece(start, end, way, one)


def differences(ours: Iterable[Shown], theirs: Iterable[RangeInfo]) -> Iterator[Piece]:
    """Yield the pieces in which the tree and the view do not say the same."""
    for piece in pieces(ours, theirs):
        if not agrees(piece):
            yield piece


def agrees(piece: Piece) -> bool:
    """Tell whether the region by the tree is the one that the view names."""
    way, said = piece.way, piece.said
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
