"""The map as it will be: a DIMM's region put into a snapshot's tree, or taken out of it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from guestmap.domain.survey import DEVICE_MEMORY
from guestmap.inspect import RegionInfo, Snapshot
from guestmap.inspect.diff import diff

if TYPE_CHECKING:
    from guestmap.inspect.diff import Diff


def with_dimm(snapshot: Snapshot, backend: str, address: int, size: int) -> Snapshot:
    """Return the map with a DIMM's memory added; its views are those that the trees imply."""
    regions = list(snapshot.regions)
    for holder in snapshot.regions:
        if holder.name == DEVICE_MEMORY and holder.alias is None:
            added = RegionInfo(
                len(regions), backend, address - holder.addr, size, type="ram", terminates=True
            )
            regions.append(added)
            regions[holder.id] = replace(holder, children=(added.id, *holder.children))
    return replace(snapshot, regions=tuple(regions), views=())


def without_dimm(snapshot: Snapshot, address: int) -> Snapshot:
    """Return the map without the DIMM's memory at an address."""
    gone = {
        child
        for holder in snapshot.regions
        if holder.name == DEVICE_MEMORY and holder.alias is None
        for child in holder.children
        if holder.addr + snapshot.regions[child].addr == address
    }
    left = [each for each in snapshot.regions if each.id not in gone]
    numbers = {each.id: number for number, each in enumerate(left)}
    regions = (
        replace(
            each,
            id=numbers[each.id],
            children=tuple(numbers[child] for child in each.children if child not in gone),
            alias=None if each.alias is None else numbers.get(each.alias),
        )
        for each in left
    )
    spaces = (replace(each, root=numbers[each.root]) for each in snapshot.address_spaces)
    return replace(snapshot, regions=tuple(regions), address_spaces=tuple(spaces), views=())


def predicted(before: Snapshot, after: Snapshot) -> Diff:
    """Return the change between a map and a prediction: both by their trees."""
    return diff(replace(before, views=()), after)
