"""Regions that show themselves at the same place, through aliases: of such no view ever ends.

An alias may well show what holds it somewhere else, as some boards do: each round then moves it
until nothing of it is left in its window.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from guestmap.inspect.map.snapshot import RegionInfo


_SHOWN = 6  # regions of a circle that a message names


class _Step(NamedTuple):
    """A region on the way down, and what there is of others before it.

    Attributes:
        place: where its byte 0 is, seen from the first region.
        unsure: how many on the way so far, itself included, are disabled, or aliases of which it
            was concluded only what they are of.
        holders: how many are no aliases.
    """

    place: int
    unsure: int
    holders: int


def find_circle(regions: Sequence[RegionInfo]) -> list[RegionInfo]:
    """Return regions of which each holds or shows the next, and the last the first; [] if none are.

    Once around an address is what it was. What is disabled shows nothing, and makes no circle, nor
    does an alias whose target was concluded, and not stated; but aliases of nothing but each other
    do in any state. The cost is that of looking at each reference
    once, and a circle that only several ways round make together is not found.
    """
    done = set(range(len(regions))) - _leading_to_aliases(regions)
    for region in regions:
        if region.id not in done and (circle := _below(regions, region, done)):
            return circle
    return []


def _leading_to_aliases(regions: Sequence[RegionInfo]) -> set[int]:
    """Return the ids of aliases and of what holds them: all that can be on a circle.

    Containers alone make none, for the way up from each ends (see ``check``).
    """
    aliases = [region.id for region in regions if region.alias is not None]
    if not aliases:
        return set()
    container = {child: region.id for region in regions for child in region.children}
    leading: set[int] = set()
    for each in aliases:
        above: int | None = each
        while above is not None and above not in leading:
            leading.add(above)
            above = container.get(above)
    return leading


def _below(regions: Sequence[RegionInfo], start: RegionInfo, done: set[int]) -> list[RegionInfo]:
    """Go down from a region, as far as nobody went before."""
    steps = {start.id: _step(start, None, 0)}
    way = [(start, _references(regions, start))]
    while way:
        region, references = way[-1]
        for other, offset in references:
            if other.id in done:
                continue
            step = _step(other, steps[region.id], offset)
            above = steps.get(other.id)
            if above is not None and _is_endless(above, step):
                ids = list(steps)
                return [regions[each] for each in ids[ids.index(other.id) :]]
            if above is None:
                steps[other.id] = step
                way.append((other, _references(regions, other)))
                break
        else:
            way.pop()
            del steps[region.id]
            done.add(region.id)
    return []


def _references(
    regions: Sequence[RegionInfo], region: RegionInfo
) -> Iterator[tuple[RegionInfo, int]]:
    """Yield what a region holds or shows, and how far from it that begins."""
    if region.alias is not None:
        yield regions[region.alias], -region.alias_offset
    for child in region.children:
        yield regions[child], regions[child].addr


def _step(region: RegionInfo, before: _Step | None, offset: int) -> _Step:
    place, unsure, holders = before or (0, 0, 0)
    is_unsure = not region.enabled or (region.alias is not None and "alias" in region.inferred)
    return _Step(place + offset, unsure + is_unsure, holders + (region.alias is None))


def _is_endless(above: _Step, again: _Step) -> bool:
    """Tell whether a region, met again, makes a circle that never ends."""
    if again.holders == above.holders:
        return True  # aliases of each other
    return again.place == above.place and again.unsure == above.unsure


def endless(circle: Sequence[RegionInfo]) -> str:
    """Say of a circle what is wrong with it."""
    names = " > ".join(repr(each.name) for each in (*circle[:_SHOWN], circle[0]))
    more = f" ({len(circle)} regions)" if len(circle) > _SHOWN else ""
    return f"shows itself without end, through aliases: {names}{more}"
