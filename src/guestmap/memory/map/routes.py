"""Whose view an address space shows: the way from its root to the region that is rendered.

An address space whose root merely shows another region whole (a PCI bus master's alias of the
system memory) shares that region's view. ``_hop`` is the next region on the way, ``_upstream`` who
comes this way, ``_route_aliases`` the aliases on some way whose target is here: whether they show
it whole depends on its size. The rule is QEMU's ``memory_region_get_flatview_root``.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from guestmap.memory.map.region import MemoryRegion

if TYPE_CHECKING:
    from guestmap.memory.map.space import ViewedSpace


def attach(traveller: ViewedSpace | MemoryRegion, region: MemoryRegion) -> None:
    """Let ``traveller`` (an address space, or a region that shows only another) lead here."""
    while True:
        first = not region._upstream
        region._upstream[traveller] = None
        if not first:
            return
        if region.alias is not None:
            region.alias._route_aliases[region] = None
        hop = next_hop(region)
        region._hop = hop
        if hop is None or hop is region:
            return
        traveller, region = region, hop


def detach(traveller: ViewedSpace | MemoryRegion, region: MemoryRegion) -> None:
    """Undo :meth:`attach`."""
    while True:
        del region._upstream[traveller]
        if next(spaces_through(region), None) is not None:
            return
        if region.alias is not None:
            region.alias._route_aliases.pop(region, None)
        hop, region._hop = region._hop, None
        if hop is None or hop is region:
            return
        traveller, region = region, hop


def next_hop(region: MemoryRegion) -> MemoryRegion | None:
    """Return whom ``region`` shows whole and alone; itself if nobody, None if it is empty."""
    if not region.enabled:
        return None
    if region.alias is not None:
        whole = region.alias_offset == 0 and region.size >= region.alias.size
        return region.alias if whole else region
    if region.terminates:
        return region
    only: MemoryRegion | None = None
    for child in region.children.members:
        if child.enabled:
            if only is not None:
                return region
            only = child
    if only is not None and (only.addr != 0 or region.size < only.size):
        return region
    return only


def spaces_through(region: MemoryRegion) -> Iterator[ViewedSpace]:
    """Yield the address spaces whose route passes ``region``, the first of them at once."""
    passed = {region}
    todo = [iter(region._upstream)]
    while todo:
        each = next(todo[-1], None)
        if each is None:
            todo.pop()
        elif not isinstance(each, MemoryRegion):
            yield each
        elif each not in passed:
            passed.add(each)
            todo.append(iter(each._upstream))
