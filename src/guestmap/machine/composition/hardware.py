"""Which memory regions belong to which device, in the order in which QEMU makes them.

The order matters where names are equal: ``dma-page[0]`` is the first of its name.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Protocol

from guestmap.hw.i440fx import I440FX
from guestmap.hw.pci import PciBridge, PciDevice
from guestmap.hw.piix3 import Piix3
from guestmap.hw.piix4_pm import Piix4Pm

if TYPE_CHECKING:
    from guestmap.memory import MemoryRegion


class HasPorts(Protocol):
    """A device at fixed ports."""

    @property
    def regions(self) -> Sequence[tuple[int, MemoryRegion]]:
        """Port and region."""


def with_subregions(region: MemoryRegion) -> Iterator[MemoryRegion]:
    """Yield a region and all below it, by address."""
    yield region
    for each in sorted(region.subregions, key=lambda child: child.addr):
        yield from with_subregions(each)


def port_regions(device: HasPorts) -> Iterator[MemoryRegion]:
    """Yield the regions of a device at fixed ports."""
    for _, region in device.regions:
        yield from with_subregions(region)


def pci_regions(device: PciDevice) -> Iterator[MemoryRegion]:
    """Yield the regions of a PCI function."""
    yield from with_subregions(device.bus_master.root)
    if isinstance(device, PciBridge):
        yield device.secondary.memory_region
        yield device.secondary.io_region
        yield from device.windows.regions
    elif isinstance(device, I440FX):
        yield device.smram_window
        yield from with_subregions(device.smram)
    elif isinstance(device, Piix3):
        yield device.reset_region
    elif isinstance(device, Piix4Pm):
        yield from _power_management(device)
    for bar in device.bars:
        yield from with_subregions(bar.region)


def _power_management(device: Piix4Pm) -> Iterator[MemoryRegion]:
    yield device.apm.region
    yield device.smbus.region
    yield from with_subregions(device.io_region)
    yield device.pm.gpe_region
    yield device.pci_hotplug.region
    yield from device.cpu_hotplug.regions
    if device.memory_hotplug is not None:
        yield device.memory_hotplug.region


def attribute_map(chip: I440FX) -> Iterator[MemoryRegion]:
    """Yield the windows of the host bridge's attribute map, which belong to the host."""
    for segment in chip.segments:
        pci, rom, write_only, ram = segment.aliases
        yield from (ram, rom, pci, write_only)
