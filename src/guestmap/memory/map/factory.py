"""Making regions, one method for each kind."""

from __future__ import annotations

from collections.abc import Callable
from os import PathLike, fspath

from guestmap.base import ConfigError
from guestmap.memory.map import ram_regions
from guestmap.memory.map.assignment import put
from guestmap.memory.map.checks import checked_address, checked_kind, checked_size
from guestmap.memory.map.core import MapCore
from guestmap.memory.map.facts import RegionFacts
from guestmap.memory.map.iommu import Iommu, IommuTranslator
from guestmap.memory.map.ops import MemoryRegionOps
from guestmap.memory.map.ram_regions import PLAIN_RAM, new_block
from guestmap.memory.map.region import MemoryRegion, sealed
from guestmap.memory.map.usage import usable
from guestmap.memory.ram.host import BufferRam, FileRam, RamBackend, RamOptions


class RegionFactory(MapCore):
    """The part of :class:`guestmap.memory.MemorySystem` that makes regions."""

    def container(self, name: str, size: int, *, owner: object = None) -> MemoryRegion:
        """Return a region that only holds others; what they leave open, nobody answers."""
        return sealed(RegionFacts(self, name, size, owner=owner))

    def io(
        self, name: str, size: int, ops: MemoryRegionOps | None, *, owner: object = None
    ) -> MemoryRegion:
        """Return a region that calls ``ops``; None reserves the addresses and answers nothing."""
        return sealed(RegionFacts(self, name, size, owner=owner, ops=ops, terminates=True))

    def ram(
        self,
        name: str,
        size: int,
        *,
        readonly: bool = False,
        backed: bool = True,
        backend: RamBackend = PLAIN_RAM,
        owner: object = None,
    ) -> MemoryRegion:
        """Return RAM with a block of its own.

        Args:
            name: of the region and the block.
            size: bytes.
            readonly: make it ROM.
            backed: False makes no host memory: the region takes part in the map, reads as zeros
                and forgets what is written. For maps that are only looked at.
            backend: where the memory comes from.
            owner: see :class:`MemoryRegion`.

        Raises:
            ConfigError: the back-end cannot make memory of that size.
            HostError: the host has no room for it.
            StateError: the system is closed.
        """
        _check_backend(name, backend)
        readonly = readonly or backend.makes_rom
        region = RegionFacts(
            self, name, size, owner=owner, ram=True, readonly=readonly, terminates=True
        )
        region.ram_block = new_block(self, name, region.size, backend if backed else None)
        return sealed(region)

    def ram_from_file(
        self,
        name: str,
        path: str | PathLike[str],
        size: int,
        *,
        offset: int = 0,
        align: int = 0,
        share: bool = False,
        readonly: bool = False,
        options: RamOptions | None = None,
        owner: object = None,
    ) -> MemoryRegion:
        """Return RAM whose memory is a file, or ROM where it is for reading only.

        See :meth:`ram` and :class:`FileRam`, which names what goes wrong.
        """
        if not isinstance(path, str | PathLike):
            raise ConfigError(f"region {name!r}: path {path!r} is no text: give the file's name")
        backend = FileRam(
            path=fspath(path),
            offset=offset,
            align=align,
            share=share,
            readonly=readonly,
            options=options if options is not None else RamOptions(),
        )
        return self.ram(name, size, backend=backend, owner=owner)

    def resizeable_ram(
        self,
        name: str,
        size: int,
        max_size: int,
        *,
        resized: Callable[[int], None] | None = None,
        backend: RamBackend = PLAIN_RAM,
        owner: object = None,
    ) -> MemoryRegion:
        """Return RAM that :meth:`MemoryRegion.resize_ram` can change.

        Args:
            name: of the region and the block.
            size: bytes at first.
            max_size: bytes that it may grow to; they have their addresses from the start.
            resized: called with the new size after the change is published.
            backend: where the memory comes from.
            owner: see :class:`MemoryRegion`.

        Raises:
            ConfigError: ``size`` is more than ``max_size``.
            HostError: the host has no room for it.
            StateError: the system is closed.
        """
        _check_backend(name, backend)
        readonly = backend.makes_rom
        region = RegionFacts(
            self, name, size, owner=owner, ram=True, readonly=readonly, terminates=True
        )
        max_size = checked_size(f"{name}, at most", max_size)
        block = new_block(self, name, region.size, backend, max_size=max_size, resized=resized)
        region.ram_block = block
        return sealed(region)

    def rom(
        self, name: str, size: int, *, backed: bool = True, owner: object = None
    ) -> MemoryRegion:
        """Return ROM: the guest's writes vanish, the host fills it through ``buffer``."""
        return self.ram(name, size, readonly=True, backed=backed, owner=owner)

    def rom_device(
        self,
        name: str,
        size: int,
        ops: MemoryRegionOps,
        *,
        backed: bool = True,
        owner: object = None,
    ) -> MemoryRegion:
        """Return a ROM device: reads come from memory, or in the other mode from ``ops``.

        Writes always go to ``ops``. See :meth:`MemoryRegion.set_romd_mode`.
        """
        region = RegionFacts(
            self, name, size, owner=owner, ops=ops, rom_device=True, terminates=True
        )
        region.ram_block = new_block(self, name, region.size, PLAIN_RAM if backed else None)
        return sealed(region)

    def ram_device(
        self, name: str, size: int, buffer: memoryview | None, *, owner: object = None
    ) -> MemoryRegion:
        """Return memory of a device (a mapped BAR): accessed in its bus sizes, 1 to 8 bytes.

        Without a buffer it takes part in the map, reads as zeros and forgets what is written.

        Raises:
            ConfigError: the buffer is read-only, or smaller than the region.
            StateError: the system is closed.
        """
        region = RegionFacts(
            self, name, size, owner=owner, ram=True, ram_device=True, terminates=True
        )
        if buffer is not None:
            checked_kind(f"region {name!r}: buffer", buffer, memoryview)
        backend = None if buffer is None else BufferRam(buffer)
        block = new_block(self, name, region.size, backend)
        region.ram_block = block
        region.ops = ram_regions.ram_device_ops(block)
        return sealed(region)

    def iommu(
        self, name: str, size: int, translator: IommuTranslator, *, owner: object = None
    ) -> MemoryRegion:
        """Return a region whose accesses go where ``translator`` says; notifiers: its ``iommu``.

        Raises:
            ConfigError: it is no translator, or its page size is no power of two.
        """
        checked_kind(f"IOMMU region {name!r}: translator", translator, IommuTranslator)
        region = RegionFacts(self, name, size, owner=owner, terminates=True)
        made = sealed(region)
        put(made, "iommu", Iommu(made, translator))
        return made

    def alias(
        self, name: str, target: MemoryRegion, offset: int, size: int, *, owner: object = None
    ) -> MemoryRegion:
        """Return a window on ``target`` from ``offset`` on; it may reach beyond the target.

        Raises:
            ConfigError: the offset is not an address, or the target is another machine's.
        """
        offset = checked_address(f"alias {name!r}: offset", offset)
        if not isinstance(target, MemoryRegion):
            raise ConfigError(f"alias {name!r}: {target!r} cannot be shown: give a region")
        if target.system is not self:
            raise ConfigError(f"alias {name!r}: {target.name!r} belongs to another machine")
        facts = RegionFacts(self, name, size, owner=owner, alias=target, alias_offset=offset)
        return sealed(facts)

    def free(self, region: MemoryRegion) -> None:
        """Give back what the host holds for ``region``, which nothing may show any more.

        Nobody can show it again. Its memory is unmapped after the last user has left: pins, views
        of the buffer, and readers in a section of :attr:`rcu`. In a transaction that is undone,
        nothing was freed. Regions without memory may be freed too.

        Raises:
            ConfigError: it is no region of this machine.
            StateError: something shows it, or it was freed before.
        """
        ram_regions.free(usable("free: region", region, self.transactions))


def _check_backend(name: str, backend: RamBackend) -> None:
    if not callable(getattr(backend, "allocate", None)):
        raise ConfigError(f"region {name!r}: back-end {backend!r} is none: give a RamBackend")
