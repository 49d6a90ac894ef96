"""RAM regions: how they get their memory, have it in parts, change its size, and give it back."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from guestmap.base import ConfigError, StateError
from guestmap.memory.map.assignment import put
from guestmap.memory.map.checks import checked_size
from guestmap.memory.map.ops import AccessSizes, MemoryRegionOps
from guestmap.memory.ram.block import RamBlock, page_aligned
from guestmap.memory.ram.host import AnonymousRam, RamBackend, RamOptions

if TYPE_CHECKING:
    from guestmap.memory.map.core import MapCore
    from guestmap.memory.map.discard import RamDiscardManager
    from guestmap.memory.map.region import MemoryRegion

PLAIN_RAM = AnonymousRam(huge_pages=False, options=RamOptions(merge=False, reserve=False))
"""What RAM is made of where nothing else is said: it costs what is touched, and no promise."""


def new_block(
    system: MapCore,
    name: str,
    size: int,
    backend: RamBackend | None,
    *,
    max_size: int | None = None,
    resized: Callable[[int], None] | None = None,
) -> RamBlock:
    """Return a block that is in the system's list.

    Args:
        system: whose block it is.
        name: of the block.
        size: bytes in use.
        backend: where its memory comes from; None for a block without any.
        max_size: bytes that it may grow to; None for one that keeps its size.
        resized: called with each new size.

    Raises:
        ConfigError: the sizes, or the back-end and they, do not fit.
        HostError: the host has no room for it.
        StateError: the system is closed.
    """
    system.refuse_if_closed()
    block = RamBlock(name, size, rcu=system.rcu, max_length=max_size, resized=resized)
    system.ram_blocks.find_offset(block.max_length)  # refuses before there is anything to lose
    if backend is not None:
        block.back(backend.allocate(name, max(size, max_size or 0), system.rcu))
    system.ram_blocks.add(block)
    return block


def resize(region: MemoryRegion, size: int) -> None:
    """Change how much of a region's block is in use, and the region's size with it.

    Raises:
        ConfigError: the region has no RAM, its block keeps its size, or has not so much room;
            QEMU's texts.
    """
    block, system = region.ram_block, region.system
    region.check_open()
    if block is None:
        raise ConfigError(f"region {region.name!r} has no RAM to be resized")
    size = checked_size(region.name, size)
    used, old = page_aligned(size), block.used_length
    if used == old and size == region.size:
        return
    if used != old and not block.resizeable:
        raise ConfigError(f"Size mismatch: {block.name}: 0x{used:x} != 0x{old:x}")
    if used > block.max_length:
        raise ConfigError(f"Size too large: {block.name}: 0x{used:x} > 0x{block.max_length:x}")
    with system.transaction(f"RAM {block.name} gets 0x{size:x} bytes"):
        if used != old:
            system.transactions.note(system.ram_blocks.set_used_length, block, old)
            system.ram_blocks.set_used_length(block, used)
        region.set_size(size)
        if block.resized is not None:
            system.transactions.afterwards(block.resized, size)


def attach_discard_manager(region: MemoryRegion, manager: RamDiscardManager | None) -> None:
    """Say that only parts of ``region`` are there, or (None) that all is again.

    Raises:
        ConfigError: it is no discard manager, or another region's.
        StateError: the region is in a container or shown, or has a manager already.
    """
    region.check_open()
    if manager is not None:
        managed = getattr(manager, "region", None)
        if managed is None:
            raise ConfigError(f"region {region.name!r}: {manager!r} is no discard manager")
        if managed is not region:
            raise ConfigError(
                f"the discard manager of {managed.name!r} cannot be that of {region.name!r}"
            )
    with region.system.transaction():
        if region.container is not None or region.system.topology.shows(region):
            raise StateError(
                f"region {region.name!r} is mapped: what parts of it are there must be said before"
            )
        if manager is not None and region.discard_manager is not None:
            raise StateError(f"region {region.name!r} has a discard manager already")
        region.system.transactions.note(put, region, "discard_manager", region.discard_manager)
        put(region, "discard_manager", manager)


def free(region: MemoryRegion) -> None:
    """Give a region's host memory back when its last user has left.

    Raises:
        StateError: the region is in a container or is shown by something, or was freed before.
    """
    system, block = region.system, region.ram_block
    region.check_open()
    with system.transaction():
        if region.container is not None:
            raise StateError(
                f"region {region.name!r} is in {region.container.name!r}: remove it there before"
                " you free it"
            )
        if system.topology.shows(region):
            raise StateError(
                f"region {region.name!r} is shown by an alias or an address space: remove that"
                " before you free it"
            )
        if region.freed:
            raise StateError(f"region {region.name!r} was freed before")
        system.transactions.note(put, region, "freed", False)
        put(region, "freed", True)
        if block is not None:
            system.transactions.afterwards(system.ram_blocks.remove, block)


def ram_device_ops(block: RamBlock) -> MemoryRegionOps:
    """Return the callbacks that access a block in a device's own sizes, 1 to 8 bytes."""

    def read(offset: int, size: int) -> int:
        return int.from_bytes(block.cells[offset : offset + size], "little")

    def write(offset: int, value: int, size: int) -> None:
        room = max(0, min(size, len(block.buffer) - offset))
        block.buffer[offset : offset + room] = value.to_bytes(size, "little")[:room]
        block.written(offset, room)

    sizes = AccessSizes(1, 8, unaligned=True)
    return MemoryRegionOps(read=read, write=write, valid=sizes, impl=sizes)
