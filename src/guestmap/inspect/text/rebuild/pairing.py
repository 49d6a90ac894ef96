"""Which flat view shows which tree.

Both name the address spaces that see them, but several address spaces may bear one name; then the
tree that explains most of a view's ranges is taken for its own.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from guestmap.inspect.map.ways import walk

if TYPE_CHECKING:
    from collections.abc import Iterable

    from guestmap.inspect.map.snapshot import RangeInfo, Snapshot, ViewInfo
    from guestmap.inspect.map.ways import Way


class Pair(NamedTuple):
    """A tree's root, and the view of it."""

    root: int
    view: ViewInfo


def pair(snapshot: Snapshot) -> list[Pair]:
    """Return every root of an address space with its view, where there is one for it."""
    free = [Counter(user.name for user in view.users) for view in snapshot.views]
    pairs: list[Pair] = []
    unclear: list[tuple[int, Counter[str]]] = []
    for root, names in snapshot.roots():
        fitting = _fitting(snapshot, root, Counter(names), free)
        if len(fitting) == 1:
            pairs.append(Pair(root, snapshot.views[fitting[0]]))
            free[fitting[0]] -= Counter(names)
        elif fitting:
            unclear.append((root, Counter(names)))
    pairs += _by_likeness(snapshot, unclear, free)
    return pairs


def _fitting(
    snapshot: Snapshot, root: int, names: Counter[str], free: list[Counter[str]]
) -> list[int]:
    region = snapshot.regions[root]
    return [
        index
        for index, view in enumerate(snapshot.views)
        if names <= free[index]
        and all(
            any(user.name == name and user.root in ("", region.name) for user in view.users)
            for name in names
        )
    ]


def _by_likeness(
    snapshot: Snapshot, unclear: Iterable[tuple[int, Counter[str]]], free: list[Counter[str]]
) -> list[Pair]:
    """Pair roots with views, the best likeness first."""
    ranked: list[tuple[float, int, int, Counter[str]]] = []
    for root, names in unclear:
        ways = [way for way in walk(snapshot, root, disabled=False) if way.region.alias is None]
        for index in _fitting(snapshot, root, names, free):
            likeness = _likeness(ways, snapshot.views[index].ranges)
            ranked.append((-likeness, index, root, names))
    ranked.sort(key=lambda each: each[:3])
    pairs: dict[int, Pair] = {}
    for _, index, root, names in ranked:
        if names <= free[index] and root not in pairs:
            free[index] -= names
            pairs[root] = Pair(root, snapshot.views[index])
    return list(pairs.values())


def _likeness(ways: list[Way], ranges: Iterable[RangeInfo]) -> int:
    """Return how many devices the two have in common, less those that only one of them has."""
    devices = {_place(way) for way in ways if not way.region.children}
    places = {_place(way) for way in ways}
    said = {(each.name, each.start - each.offset_in_region, each.owner) for each in ranges}
    if not all(owner for _, _, owner in places):
        said = {(name, base, None) for name, base, _ in said}
    return len(said & places) - len(said - places) - len(devices - said)


def _place(way: Way) -> tuple[str, int, str | None]:
    return way.region.name, way.base, way.region.owner
