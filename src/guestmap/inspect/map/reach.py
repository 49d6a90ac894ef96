"""How far a region and all below it would reach, if nothing cut them off."""

from __future__ import annotations

from typing import TYPE_CHECKING

from guestmap.base import ADDRESS_SPACE_SIZE

if TYPE_CHECKING:
    from guestmap.inspect.map.snapshot import Snapshot

_FAR = 4 * ADDRESS_SPACE_SIZE
"""Farther than any address from any other: for aliases that lead back to themselves."""

_Span = tuple[int, int]


class Reach:
    """The span of offsets that each region of a snapshot, or one below it, lays claim to."""

    __slots__ = ("_spans",)

    def __init__(self, snapshot: Snapshot) -> None:
        regions = snapshot.regions
        spans: dict[int, _Span] = {}
        opened: set[int] = set()
        todo = []
        for region in regions:
            if region.children or region.alias is not None:
                todo.append(region.id)
            else:  # as most are
                spans[region.id] = 0, region.size
        while todo:
            region = regions[todo[-1]]
            below = region.children if region.alias is None else (region.alias,)
            missing = [each for each in below if each not in spans]
            if missing and region.id not in opened:
                opened.add(region.id)
                todo += missing
                continue
            todo.pop()
            if region.id in spans:
                continue
            if missing:  # one of them is waiting for this very region
                spans[region.id] = (-_FAR, _FAR)
            elif region.alias is not None:
                spans[region.id] = _alias_span(snapshot, region.id, spans)
            else:
                lowest, highest = 0, region.size
                for each in below:
                    addr, (lo, hi) = regions[each].addr, spans[each]
                    lowest, highest = min(lowest, addr + lo), max(highest, addr + hi)
                spans[region.id] = lowest, highest
        self._spans = spans

    def meets(self, region: int, base: int, start: int, end: int) -> bool:
        """Tell whether a region with its offset 0 at ``base`` reaches into ``[start, end)``."""
        lo, hi = self._spans[region]
        return base + lo < end and base + hi > start


def _alias_span(snapshot: Snapshot, alias: int, spans: dict[int, _Span]) -> _Span:
    region = snapshot.regions[alias]
    assert region.alias is not None
    target = snapshot.regions[region.alias]
    if not target.children and target.alias is None:
        return 0, region.size  # it asks for no more than its own length
    lo, hi = spans[region.alias]
    return min(0, lo - region.alias_offset), max(region.size, hi - region.alias_offset)
