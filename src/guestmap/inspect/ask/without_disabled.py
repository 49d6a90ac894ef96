"""A map as a text shows it that leaves disabled regions out.

``info mtree`` without ``-D`` has no line for a disabled region, but prints what it holds, and the
targets of aliases even where the alias is disabled (the output of QEMU 5.0 and later). So of a
disabled region only its contents stay, in what holds it. A disabled region that lies in no other
stays as their container: the text has a heading for it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import msgspec

from guestmap.base import ADDRESS_SPACE_SIZE

if TYPE_CHECKING:
    from guestmap.inspect.map.snapshot import RegionInfo, Snapshot


def without_disabled(snapshot: Snapshot) -> tuple[Snapshot, dict[int, int]]:
    """Return a map's regions and address spaces as such a text has them, and new ids by old.

    Views are left out: they are of the regions as they were.
    """
    regions = snapshot.regions
    targets = {each.alias for each in regions if each.enabled}
    kept = {
        each.id
        for each in regions
        if each.enabled or each.id in targets or each.id not in snapshot.containers
    }
    ids = {old: new for new, old in enumerate(sorted(kept))}
    shown = tuple(_shown(snapshot, regions[old], ids) for old in ids)
    spaces = tuple(replace(each, root=ids[each.root]) for each in snapshot.address_spaces)
    return replace(snapshot, regions=shown, address_spaces=spaces, views=()), ids


def _shown(snapshot: Snapshot, region: RegionInfo, ids: dict[int, int]) -> RegionInfo:
    children = tuple(ids[child] for child in _contents(snapshot, region, ids))
    if not region.enabled:  # where it lies the text does not say, nor what it would show
        return msgspec.structs.replace(
            region, id=ids[region.id], addr=0, children=children, alias=None
        )
    addr, holder = region.addr, snapshot.containers.get(region.id)
    while holder is not None and not snapshot.regions[holder].enabled:
        # A heading has no place, so what is below it lies where the text prints it.
        addr += snapshot.regions[holder].addr
        holder = snapshot.containers.get(holder) if holder not in ids else None
    return msgspec.structs.replace(
        region,
        id=ids[region.id],
        addr=addr % ADDRESS_SPACE_SIZE,
        children=children,
        alias=None if region.alias is None else ids[region.alias],
    )


def _contents(snapshot: Snapshot, region: RegionInfo, ids: dict[int, int]) -> list[int]:
    """Return the enabled regions that a region holds, directly or in disabled ones."""
    found: list[int] = []
    todo = list(reversed(region.children))
    while todo:
        child = snapshot.regions[todo.pop()]
        if child.enabled:
            found.append(child.id)
        elif child.id not in ids:
            todo += reversed(child.children)
    return found
