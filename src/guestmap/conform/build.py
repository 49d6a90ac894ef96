"""Build a recorded tree with :mod:`guestmap.memory`."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from guestmap.base import ADDRESS_SPACE_SIZE, PeerError
from guestmap.memory import MemoryRegion, MemoryRegionOps, MemorySystem

if TYPE_CHECKING:
    from guestmap.conform.cases import VectorCase, VectorRegion


class Built(NamedTuple):
    """A memory system, and its regions by the ids of the vector."""

    memory: MemorySystem
    regions: dict[int, MemoryRegion]


def build(case: VectorCase) -> Built:
    """Return a memory system with the vector's tree and address spaces; its RAM is not backed.

    Raises:
        PeerError: the aliases of the vector form a ring.
        ConfigError: the tree is none: a region in two containers, or in itself.
    """
    memory = MemorySystem()
    regions = {r.id: _make(memory, r) for r in case.regions if r.alias is None}
    _make_aliases(memory, case, regions)
    with memory.transaction("build"):
        for r in case.regions:
            region = regions[r.id]
            region.set_readonly(r.readonly)
            region.set_nonvolatile(r.nonvolatile)
            # An empty region shows nothing, nor does anything in it; ours have a byte at least.
            region.set_enabled(r.enabled and (r.size > 0 or r.alias is not None))
        _wire(memory, case, regions)
    for space in case.address_spaces:
        memory.address_space(space.name, regions[space.root])
    return Built(memory, regions)


def _make(memory: MemorySystem, r: VectorRegion) -> MemoryRegion:
    size = max(r.size, 1)
    if r.type in ("ram", "rom"):
        return memory.ram(r.name, size, backed=False, owner=r.owner)
    if r.type == "romd":
        return memory.rom_device(r.name, size, MemoryRegionOps(), backed=False, owner=r.owner)
    if r.type == "ramd":
        return memory.ram_device(r.name, size, None, owner=r.owner)
    if r.terminates:
        return memory.io(r.name, size, None, owner=r.owner)
    return memory.container(r.name, size, owner=r.owner)


def _make_aliases(memory: MemorySystem, case: VectorCase, regions: dict[int, MemoryRegion]) -> None:
    """Make the aliases, each after its target; empty ones show a byte of nothing."""
    nothing = memory.container("nothing", ADDRESS_SPACE_SIZE)
    waiting = [r for r in case.regions if r.alias is not None]
    while waiting:
        later: list[VectorRegion] = []
        for r in waiting:
            target = None if r.alias is None else regions.get(r.alias)
            target = target if r.size or target is None else nothing
            if target is None:
                later.append(r)
            else:
                regions[r.id] = memory.alias(
                    r.name, target, r.alias_offset, max(r.size, 1), owner=r.owner
                )
        if len(later) == len(waiting):
            raise PeerError(f"aliases show each other in a ring; one is {waiting[0].name!r}")
        waiting = later


def _wire(memory: MemorySystem, case: VectorCase, regions: dict[int, MemoryRegion]) -> None:
    """Add the children; give what is in no container the place it had in its last one."""
    by_id = {r.id: r for r in case.regions}
    elsewhere = memory.container("elsewhere", ADDRESS_SPACE_SIZE)
    contained = {child for r in case.regions for child in r.children}
    for r in case.regions:
        if r.id not in contained:
            elsewhere.add_subregion(r.addr, regions[r.id], r.priority)
            elsewhere.del_subregion(regions[r.id])
        for child in reversed(r.children):  # the newest comes first in the list
            c = by_id[child]
            regions[r.id].add_subregion(c.addr, regions[child], c.priority)
