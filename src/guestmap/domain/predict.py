"""The map as it will be: a DIMM's range put into the views that show memory, or taken out.

A survey knows the flat views alone: which of them show the device memory is told by the machine's
RAM, which lies in the same container. Where the trees are known too, the region is put into them.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import msgspec

from guestmap.inspect import RangeInfo, RegionInfo, Snapshot
from guestmap.inspect.ask.diff import diff

if TYPE_CHECKING:
    from collections.abc import Callable

    from guestmap.domain.plugged import MemoryDevice
    from guestmap.inspect.ask.diff import Diff
    from guestmap.inspect.map.snapshot import ViewInfo

DEVICE_MEMORY = "device-memory"
_MEMORY_SPACE = "memory"


def with_dimm(snapshot: Snapshot, backend: str, address: int, size: int) -> Snapshot:
    """Return the map with a DIMM's memory added."""
    if not snapshot.regions:
        added = RangeInfo(address, size, 0, "ram", backend)
        return _changed(snapshot, lambda ranges: (*ranges, added))
    regions = list(snapshot.regions)
    for holder in snapshot.regions:
        if holder.name == DEVICE_MEMORY and holder.alias is None:
            region = RegionInfo(
                len(regions), backend, address - holder.addr, size, type="ram", terminates=True
            )
            regions.append(region)
            regions[holder.id] = msgspec.structs.replace(
                holder, children=(region.id, *holder.children)
            )
    return replace(snapshot, regions=tuple(regions), views=())


def without_dimm(snapshot: Snapshot, device: MemoryDevice) -> Snapshot:
    """Return the map without a memory device."""
    if not snapshot.regions:
        return _changed(
            snapshot,
            lambda ranges: tuple(r for r in ranges if not device.addr <= r.start < device.end),
        )
    gone = {
        child
        for holder in snapshot.regions
        if holder.name == DEVICE_MEMORY and holder.alias is None
        for child in holder.children
        if holder.addr + snapshot.regions[child].addr == device.addr
    }
    left = [each for each in snapshot.regions if each.id not in gone]
    numbers = {each.id: number for number, each in enumerate(left)}
    regions = (
        msgspec.structs.replace(
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
    """Return the change between a map and a prediction: both by their trees, or by their views."""
    return diff(replace(before, views=()) if before.regions else before, after)


def _changed(
    snapshot: Snapshot, change: Callable[[tuple[RangeInfo, ...]], tuple[RangeInfo, ...]]
) -> Snapshot:
    """Return the map with a change of the views that show the machine's memory."""
    anchor = _anchor(snapshot)
    views = (
        replace(view, ranges=tuple(sorted(change(view.ranges), key=lambda each: each.start)))
        if anchor is not None and _key(anchor) in {_key(each) for each in view.ranges}
        else view
        for view in snapshot.views
    )
    return replace(snapshot, views=tuple(views))


def _anchor(snapshot: Snapshot) -> RangeInfo | None:
    """Return the largest range of RAM that the machine's memory shows."""
    ranges = (
        each
        for view in snapshot.views
        if _shows_memory(view)
        for each in view.ranges
        if each.type == "ram"
    )
    return max(ranges, key=lambda each: each.size, default=None)


def _shows_memory(view: ViewInfo) -> bool:
    return any(user.name == _MEMORY_SPACE for user in view.users)


def _key(each: RangeInfo) -> tuple[object, ...]:
    return each.start, each.size, each.name
