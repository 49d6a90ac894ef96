"""Which memory regions belong to which device, in the order in which QEMU makes them.

The order matters where names are equal: ``dma-page[0]`` is the first of its name.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from guestmap.hw.i440fx import I440FX
    from guestmap.memory import MemoryRegion


def with_subregions(region: MemoryRegion) -> Iterator[MemoryRegion]:
    """Yield a region and all below it that are of the same owner, by address."""
    yield region
    for each in sorted(region.subregions, key=lambda child: child.addr):
        if each.owner is region.owner:
            yield from with_subregions(each)


def attribute_map(chip: I440FX) -> Iterator[MemoryRegion]:
    """Yield the windows of the host bridge's attribute map, which belong to the host."""
    for segment in chip.segments:
        pci, rom, write_only, ram = segment.aliases
        yield from (ram, rom, pci, write_only)
