"""Devices get their registers: what they want placed becomes memory regions of the machine."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from guestmap.hw.device import Device, IoRegion, Space
    from guestmap.memory import MemoryRegion, MemorySystem


def place(
    memory: MemorySystem, containers: Mapping[Space, MemoryRegion], *devices: Device[Any]
) -> None:
    """Make the regions of devices and put them where they belong.

    Args:
        memory: the machine's memory system.
        containers: what stands for each of the processor's address spaces.
        devices: they know their regions afterwards.
    """
    for device in devices:
        regions = []
        for space, address, wanted, priority in device.places():
            region = make_region(memory, wanted)
            containers[space].add_subregion(address, region, priority)
            regions.append(region)
        device.regions = tuple(regions)


def make_region(memory: MemorySystem, wanted: IoRegion, *, owner: object = None) -> MemoryRegion:
    """Make a region, with those that lie over it, of what a device describes."""
    region = memory.io(wanted.name, wanted.size, wanted.ops, owner=owner)
    for offset, inner in wanted.inner:
        region.add_subregion(offset, make_region(memory, inner, owner=owner))
    return region
