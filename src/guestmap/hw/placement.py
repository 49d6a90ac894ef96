"""Devices get their registers: what they want placed becomes memory regions of the machine."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from guestmap.hw.device import IoRegion, Place, Space
    from guestmap.memory import MemoryRegion, MemorySystem


class Placeable(Protocol):
    """What wants registers: a device, or a part of one."""

    regions: Sequence[MemoryRegion]

    def places(self) -> Iterable[Place]:
        """Return which, and where."""


def place(
    memory: MemorySystem, containers: Mapping[Space, MemoryRegion], *blocks: Placeable
) -> None:
    """Make regions of registers and put them where they belong.

    Args:
        memory: the machine's memory system.
        containers: what stands for each of the processor's address spaces.
        blocks: devices and parts of them; they know their regions afterwards.
    """
    for block in blocks:
        regions = []
        for space, address, wanted, priority in block.places():
            region = make_region(memory, wanted)
            containers[space].add_subregion(address, region, priority)
            regions.append(region)
        block.regions = tuple(regions)


def make_region(memory: MemorySystem, wanted: IoRegion, *, owner: object = None) -> MemoryRegion:
    """Make a region, with those that lie over it, of what a device describes."""
    region = memory.io(wanted.name, wanted.size, wanted.ops, owner=owner)
    for offset, inner in wanted.inner:
        region.add_subregion(offset, make_region(memory, inner, owner=owner))
    return region
