"""A bus with one device on it."""

from __future__ import annotations

import random
from collections.abc import Iterator

from guestmap.hw.device import Space
from guestmap.hw.placement import Placeable
from guestmap.machine.placement import MapPlacer
from guestmap.memory import AddressSpace, MemoryRegion, MemorySystem
from guestmap.memory.map import UNASSIGNED_IO_OPS


def place(region: MemoryRegion, address: int) -> AddressSpace:
    """Return an address space that holds nothing but ``region``, at ``address``."""
    system = region.system.container("system", 1 << 64)
    system.add_subregion(address, region)
    return region.system.address_space("memory", system)


def ports_of(*blocks: Placeable) -> AddressSpace:
    """Return an I/O address space that holds nothing but these registers, in their place."""
    memory = MemorySystem()
    io = memory.io("io", 0x10000, UNASSIGNED_IO_OPS)
    MapPlacer(memory).place({Space.IO: io}, *blocks)
    return memory.address_space("I/O", io)


def memory_of(*blocks: Placeable) -> AddressSpace:
    """Return an address space of memory that holds nothing but these registers, in their place."""
    memory = MemorySystem()
    system = memory.container("system", 1 << 64)
    MapPlacer(memory).place({Space.MEMORY: system}, *blocks)
    return memory.address_space("memory", system)


def random_accesses(
    region: MemoryRegion, rng: random.Random, count: int
) -> Iterator[tuple[bool, int, int, int]]:
    """Yield (is_write, offset, size, value): what a guest that knows nothing might do."""
    for _ in range(count):
        size = rng.choice([1, 2, 4, 8])
        value = rng.choice([0, 1, (1 << 8 * size) - 1, rng.getrandbits(8 * size)])
        yield rng.random() < 0.6, rng.randrange(region.size), size, value
