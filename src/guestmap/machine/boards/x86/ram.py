"""Where an x86 board's RAM is: from address 0 on, and the rest of it higher up."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from guestmap.memory import MemoryRegion, MemorySystem


def map_ram(
    system: MemorySystem, under: MemoryRegion, ram: MemoryRegion, below: int, above_start: int
) -> None:
    """Map all of the RAM in one piece or two (QEMU 7.2, hw/i386/pc.c).

    Args:
        system: the memory system.
        under: the region that it goes into.
        ram: all RAM.
        below: bytes of it that are at address 0.
        above_start: where the rest is, if there is any.
    """
    under.add_subregion(0, system.alias("ram-below-4g", ram, 0, below))
    above = ram.size - below
    if above:
        under.add_subregion(above_start, system.alias("ram-above-4g", ram, below, above))
