"""The memory model's rules written a second time: slow, plain, and sharing nothing with the first.

One address is followed through the tree at a time. There are no ranges, no clipping, no order of
rendering, and no notes.
"""

from __future__ import annotations

from typing import NamedTuple

from guestmap.memory import AddressSpace, MemoryRegion

TOP = 1 << 64
DEEP = 60
"""Aliases within aliases that the tests' limits allow are fewer."""


class EndlessError(Exception):
    """Following an address did not come to an end."""


class Answer(NamedTuple):
    region: MemoryRegion
    offset: int
    readonly: bool
    nonvolatile: bool
    unmergeable: bool


def who_answers(root: MemoryRegion | None, address: int) -> Answer | None:
    """Return which region answers at an address of the address space that shows ``root``."""
    if root is None:
        return None
    return _at(root, address, (False, False, False), 0)


def _at(
    region: MemoryRegion, address: int, flags: tuple[bool, bool, bool], depth: int
) -> Answer | None:
    return _inside(region, address - region.addr, flags, depth)


def _inside(
    region: MemoryRegion, offset: int, flags: tuple[bool, bool, bool], depth: int
) -> Answer | None:
    if not region.enabled or not 0 <= offset < region.size:
        return None
    if depth > DEEP:
        raise EndlessError
    flags = (
        flags[0] or region.readonly,
        flags[1] or region.nonvolatile,
        flags[2] or region.unmergeable,
    )
    if region.alias is not None:
        return _inside(region.alias, offset + region.alias_offset, flags, depth + 1)
    for child in region.subregions:
        answer = _at(child, offset, flags, depth)
        if answer is not None:
            return answer
    return Answer(region, offset, *flags) if region.terminates else None


def corners(root: MemoryRegion | None) -> set[int]:
    """Return the addresses where something begins or ends, with their neighbours."""
    found = {0, TOP - 1}
    todo: list[tuple[MemoryRegion, int, int]] = [(root, root.addr, 0)] if root else []
    for _ in range(400):
        if not todo:
            break
        region, base, depth = todo.pop(0)
        found |= {base, base + region.size}
        if depth < 8:
            if region.alias is not None:
                todo.append((region.alias, base - region.alias_offset, depth + 1))
            todo += [(child, base + child.addr, depth + 1) for child in region.subregions]
    return {a + d for a in found for d in (-1, 0, 1) if 0 <= a + d < TOP}


def physical_root(region: MemoryRegion | None) -> MemoryRegion | None:
    """Return the region whose view an address space with this root shares.

    QEMU's rule: as long as a region shows nothing but the whole of another one, that one counts; a
    disabled region or a container with nothing enabled in it counts as empty.

    Raises:
        EndlessError: regions show nothing but each other.
    """
    for _ in range(1000):
        if region is None or not region.enabled:
            return None
        following = next_hop(region)
        if following is region:
            return region
        region = following
    raise EndlessError


def next_hop(region: MemoryRegion) -> MemoryRegion | None:
    if not region.enabled:
        return None
    if region.alias is not None:
        covers = region.alias_offset == 0 and region.alias.size <= region.size
        return region.alias if covers else region
    if region.terminates:
        return region
    enabled = [child for child in region.subregions if child.enabled]
    if not enabled:
        return None
    if len(enabled) == 1 and enabled[0].addr == 0 and enabled[0].size <= region.size:
        return enabled[0]
    return region


def route(space: AddressSpace) -> list[MemoryRegion]:
    """Return the regions from an address space's root to its physical root."""
    passed: list[MemoryRegion] = []
    region: MemoryRegion | None = space.root
    while region is not None and region not in passed:
        passed.append(region)
        region = next_hop(region)
    return passed
