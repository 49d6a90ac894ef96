"""What names a map wherever it is from: two machines with one map have one name for it.

QEMU prints address spaces, trees and views in the order of pointers, which is another in every
process; so all of them are put in order, and regions are numbered by where they hang.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import replace

import msgspec

from guestmap.inspect import Snapshot
from guestmap.inspect.map.snapshot import RegionInfo, ViewInfo


def digest_of(snapshot: Snapshot) -> str:
    """Return 32 hexadecimal digits; a source, and where memory is in its process, count nothing."""
    regions = snapshot.regions
    spaces = sorted(snapshot.address_spaces, key=lambda each: (each.name, _key(regions[each.root])))
    numbers = _numbered(snapshot, [each.root for each in spaces])
    placed = sorted((_renumbered(each, numbers) for each in regions), key=lambda each: each.id)
    views = [_ordered(each, numbers) for each in snapshot.views]
    views.sort(key=lambda view: ([each.name for each in view.users], view.root or ""))
    plain = replace(
        snapshot,
        source="",
        regions=tuple(placed),
        address_spaces=tuple(replace(each, root=numbers[each.root]) for each in spaces),
        views=tuple(views),
        slots=tuple(replace(each, host=0, dirty=None) for each in snapshot.slots),
    )
    return hashlib.blake2b(msgspec.json.encode(plain), digest_size=16).hexdigest()


def _key(region: RegionInfo) -> tuple[str, str, int]:
    return region.name, region.owner or "", region.size


def _numbered(snapshot: Snapshot, roots: list[int]) -> dict[int, int]:
    """Return new numbers by the old ones: as one comes to them from these roots, then the rest."""
    numbers: dict[int, int] = {}
    rest = sorted(range(len(snapshot.regions)), key=lambda each: _key(snapshot.regions[each]))
    for root in (*roots, *rest):
        for each in _below(snapshot.regions, root, numbers):
            numbers[each] = len(numbers)
    return numbers


def _below(regions: tuple[RegionInfo, ...], root: int, known: Mapping[int, int]) -> Iterator[int]:
    """Yield a region and what hangs below it or is shown by it, without what is known by then."""
    waiting = [root]
    while waiting:
        at = waiting.pop()
        if at in known:
            continue
        yield at
        region = regions[at]
        waiting += [*reversed(region.children), *([] if region.alias is None else [region.alias])]


def _renumbered(region: RegionInfo, numbers: Mapping[int, int]) -> RegionInfo:
    return msgspec.structs.replace(
        region,
        id=numbers[region.id],
        children=tuple(numbers[each] for each in region.children),
        alias=None if region.alias is None else numbers[region.alias],
    )


def _ordered(view: ViewInfo, numbers: Mapping[int, int]) -> ViewInfo:
    return replace(
        view,
        users=tuple(sorted(view.users, key=lambda each: (each.name, each.root))),
        ranges=tuple(
            each
            if each.region is None
            else msgspec.structs.replace(each, region=numbers[each.region])
            for each in view.ranges
        ),
        root_region=None if view.root_region is None else numbers[view.root_region],
    )
