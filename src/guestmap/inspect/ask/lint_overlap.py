"""The check of siblings that lie over each other at equal priority."""

from __future__ import annotations

import heapq
from collections import Counter
from typing import TYPE_CHECKING, Any

from guestmap.inspect.ask.findings import Hit

if TYPE_CHECKING:
    from collections.abc import Iterator

    from guestmap.inspect.ask.findings import Subject
    from guestmap.inspect.map.snapshot import RegionInfo

MOST_TOLD = 16
"""Of one kind in one place, this many findings stand by themselves; more become one."""

_EXAMPLES = 3


class _Pile:
    """Regions that lie over each other without a gap: the first pairs of them, and how many.

    Attributes:
        pairs: of two that do not show the same, the first :data:`MOST_TOLD` by address.
        count: of all such pairs.
        regions: how many regions lie here.
        reach: how far the regions reach.
        end: behind the last address at which two of them lie.
    """

    def __init__(self) -> None:
        self.pairs: list[tuple[RegionInfo, RegionInfo]] = []
        self.count = 0
        self.regions = 0
        self.reach = 0
        self.end = 0


def equal_priority(subject: Subject) -> Iterator[Hit]:
    """Find overlapping siblings of which the newer answers only because it is the newer.

    Where many lie over each other, one finding tells of all.
    """
    regions = subject.snapshot.regions
    for holder in regions:
        levels: dict[int, list[RegionInfo]] = {}
        for each in (regions[c] for c in holder.children):
            if each.enabled:
                levels.setdefault(each.priority, []).append(each)
        for equals in levels.values():
            order = {each.id: index for index, each in enumerate(equals)}
            for pile in _piles(equals):
                pairs = [sorted(pair, key=lambda each: order[each.id]) for pair in pile.pairs]
                if pile.count <= MOST_TOLD:
                    yield from (_of_pair(newer, older, holder) for newer, older in pairs)
                elif pile.count:
                    yield _of_many(pile, pairs[:_EXAMPLES], holder)


def _piles(regions: list[RegionInfo]) -> Iterator[_Pile]:
    """Yield each run of regions that lie over each other, lowest first."""
    pile = _Pile()
    here: dict[int, RegionInfo] = {}  # those that reach the address, lowest start first
    ends: list[tuple[int, int]] = []
    alike: Counter[Any] = Counter()
    for each in sorted(regions, key=lambda r: r.addr):
        while ends and ends[0][0] <= each.addr:
            gone = here.pop(heapq.heappop(ends)[1])
            alike[_what_it_shows(gone)] -= 1
        if not here:
            yield pile
            pile = _Pile()
        shows = _what_it_shows(each)
        _meet(pile, each, here, len(here) - alike[shows])
        here[each.id] = each
        heapq.heappush(ends, (each.addr + each.size, each.id))
        alike[shows] += 1
    yield pile


def _meet(pile: _Pile, each: RegionInfo, here: dict[int, RegionInfo], others: int) -> None:
    """Add the next region by address, which overlaps as many others that show something else."""
    end = each.addr + each.size
    pile.end = max(pile.end, min(pile.reach, end))
    pile.reach = max(pile.reach, end)
    pile.regions += 1
    pile.count += others
    shows, left = _what_it_shows(each), min(others, MOST_TOLD - len(pile.pairs))
    for other in here.values() if left else ():
        if _what_it_shows(other) != shows:
            pile.pairs.append((other, each))
            left -= 1
            if not left:
                break


def _what_it_shows(region: RegionInfo) -> Any:
    """Return what two aliases have in common that show the same bytes at the same addresses."""
    if region.alias is None:
        return region.id
    return region.alias, region.addr - region.alias_offset, region.readonly


def _of_pair(newer: RegionInfo, older: RegionInfo, holder: RegionInfo) -> Hit:
    lo, hi = _overlap(newer, older)
    return Hit(_sentence(newer, older, holder), lo, hi, older, newer, holder)


def _of_many(pile: _Pile, pairs: list[list[RegionInfo]], holder: RegionInfo) -> Hit:
    (newer, older), *more = pairs
    examples = ", ".join(f"{new.name} and {old.name}" for new, old in more)
    return Hit(
        f"{_sentence(newer, older, holder)}; so it is with {pile.count - 1} more pairs of the"
        f" {pile.regions} regions here, such as {examples}",
        _overlap(newer, older)[0], pile.end, older, newer, holder,
    )  # fmt: skip


def _sentence(newer: RegionInfo, older: RegionInfo, holder: RegionInfo) -> str:
    return (
        f"{newer.name} and {older.name} overlap in {holder.name} with priority"
        f" {newer.priority} each: {newer.name} answers because it was added later"
    )


def _overlap(one: RegionInfo, other: RegionInfo) -> tuple[int, int]:
    return max(one.addr, other.addr), min(one.addr + one.size, other.addr + other.size)
