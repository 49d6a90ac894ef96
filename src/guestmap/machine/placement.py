"""Devices get their registers: what they want placed becomes memory regions of the machine."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from guestmap.hw.device import IoRegion, Space
    from guestmap.hw.placement import Changing, Placeable
    from guestmap.memory import AddressSpace, MemoryRegion, MemorySystem


class MapPlacer:
    """The :class:`guestmap.hw.placement.Placer` of a memory system.

    Args:
        memory: the machine's memory system, which stays in here.
    """

    def __init__(self, memory: MemorySystem) -> None:
        self._memory = memory
        self.changing: Changing = memory.transaction

    def place(
        self,
        containers: Mapping[Space, MemoryRegion],
        *blocks: Placeable,
        owner: object = None,
    ) -> None:
        """Make regions of registers and put them where they belong."""
        for block in blocks:
            regions = []
            for space, address, wanted, priority, mapped in block.places():
                region = self.make(wanted, owner=owner)
                if mapped:
                    containers[space].add_subregion(address, region, priority)
                regions.append(region)
            block.regions = tuple(regions)
            block.changing = self.changing
            self.place(containers, *block.blocks.values(), owner=owner)

    def make(self, wanted: IoRegion, *, owner: object = None) -> MemoryRegion:
        """Return a region, with those that lie over it, of what a device describes."""
        if wanted.is_container:
            region = self._memory.container(wanted.name, wanted.size, owner=owner)
        else:
            region = self._memory.io(wanted.name, wanted.size, wanted.ops, owner=owner)
        for offset, inner in wanted.inner:
            region.add_subregion(offset, self.make(inner, owner=owner))
        return region

    def make_ram(
        self, name: str, size: int, *, readonly: bool = False, owner: object = None
    ) -> MemoryRegion:
        """Return RAM, or ROM, of ``size`` bytes."""
        return self._memory.ram(name, size, readonly=readonly, owner=owner)

    def make_alias(
        self, name: str, target: MemoryRegion, offset: int, size: int, *, owner: object = None
    ) -> MemoryRegion:
        """Return a window onto ``size`` bytes of another region."""
        return self._memory.alias(name, target, offset, size, owner=owner)

    def make_space(self, name: str, root: MemoryRegion) -> AddressSpace:
        """Return an address space that shows ``root``."""
        return self._memory.address_space(name, root)

    def remove_space(self, space: AddressSpace) -> None:
        """Let an address space go."""
        self._memory.remove_address_space(space)
