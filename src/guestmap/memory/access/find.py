"""Finding what shows somewhere, without accessing it (QEMU's ``memory_region_find``)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from guestmap.memory.map.section import MemoryRegionSection

if TYPE_CHECKING:
    from guestmap.memory.access.address_space import AddressSpace
    from guestmap.memory.map.region import MemoryRegion

_TOP = 1 << 64


def space_and_address(
    spaces: Iterable[AddressSpace], region: MemoryRegion, offset: int
) -> tuple[AddressSpace, int] | None:
    """Return the first space whose root holds ``region``, and the address of ``offset`` there."""
    address, root = offset + region.addr, region
    while root.container is not None:
        root = root.container
        address += root.addr
    for space in spaces:
        if space.root is root:
            return space, address
    return None


def find_in(space: AddressSpace, address: int, size: int) -> MemoryRegionSection | None:
    """Return the part of the lowest range in ``[address, address + size)`` that lies there."""
    view = space.view
    start, end = max(address, 0), min(address + size, _TOP)
    found = view.find(start)
    if found is None:
        following = view.next_start(start)
        if following is None or following >= end:
            return None
        found = view.find(following)
    if found is None or start >= end:
        return None
    section = MemoryRegionSection.of(found, space, view)
    return cropped(section, max(start, found.start), min(end, found.end))


def cropped(section: MemoryRegionSection, start: int, end: int) -> MemoryRegionSection:
    """Return the part of a section between two addresses inside it."""
    skip = start - section.offset_within_address_space
    return section._replace(
        offset_within_region=section.offset_within_region + skip,
        size=end - start,
        offset_within_address_space=start,
    )
