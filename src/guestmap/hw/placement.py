"""Devices get their registers: what they want placed becomes memory regions of the machine."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from guestmap.hw.device import IoRegion, Place, Space
    from guestmap.memory import MemoryRegion, MemorySystem
    from guestmap.memory.map.transaction import Transaction


class Placeable(Protocol):
    """What wants registers: a device, or a part of one."""

    regions: Sequence[MemoryRegion]

    @property
    def blocks(self) -> Mapping[str, Placeable]:
        """Return what it consists of."""

    def places(self) -> Iterable[Place]:
        """Return which, and where."""


def place(
    memory: MemorySystem,
    containers: Mapping[Space, MemoryRegion],
    *blocks: Placeable,
    owner: object = None,
) -> None:
    """Make regions of registers and put them where they belong.

    Args:
        memory: the machine's memory system.
        containers: what stands for each of the processor's address spaces.
        blocks: devices and parts of them; they know their regions afterwards.
        owner: see :class:`guestmap.memory.MemoryRegion`.
    """
    for block in blocks:
        regions = []
        for space, address, wanted, priority, mapped in block.places():
            region = make_region(memory, wanted, owner=owner)
            if mapped:
                containers[space].add_subregion(address, region, priority)
            regions.append(region)
        block.regions = tuple(regions)
        place(memory, containers, *block.blocks.values(), owner=owner)


def make_region(memory: MemorySystem, wanted: IoRegion, *, owner: object = None) -> MemoryRegion:
    """Make a region, with those that lie over it, of what a device describes."""
    if wanted.is_container:
        region = memory.container(wanted.name, wanted.size, owner=owner)
    else:
        region = memory.io(wanted.name, wanted.size, wanted.ops, owner=owner)
    for offset, inner in wanted.inner:
        region.add_subregion(offset, make_region(memory, inner, owner=owner))
    return region


def changing(region: MemoryRegion, cause: str) -> Transaction:
    """Return the transaction in which a device changes its place in the map."""
    return region.system.transaction(cause)
