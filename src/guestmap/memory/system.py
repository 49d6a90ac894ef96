"""The memory system of one machine: it makes the regions and owns everything they share."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Self

from guestmap.base import ConfigError, StateError
from guestmap.memory.access.address_space import AddressSpace
from guestmap.memory.access.find import find_in, space_and_address
from guestmap.memory.access.mapping import BouncePool
from guestmap.memory.hear.coalesced import CoalescedMmio
from guestmap.memory.hear.dirty_log import DirtyLogging
from guestmap.memory.map import ram_regions
from guestmap.memory.map.facts import checked_address, checked_size, put
from guestmap.memory.map.guard import DeviceGuards
from guestmap.memory.map.history import CommitRecord
from guestmap.memory.map.iommu import Iommu, IommuTranslator
from guestmap.memory.map.ops import MemoryRegionOps
from guestmap.memory.map.ram_regions import PLAIN_RAM, new_block
from guestmap.memory.map.region import MemoryRegion
from guestmap.memory.map.section import MemoryRegionSection
from guestmap.memory.map.topology import Topology
from guestmap.memory.map.transaction import Transaction, Transactions
from guestmap.memory.map.view_root import ClosedRoot
from guestmap.memory.ram.block_list import RamList
from guestmap.memory.ram.discard_rules import DiscardRules
from guestmap.memory.ram.host import BufferRam, FileRam, RamBackend, RamOptions
from guestmap.rcu import Rcu


class MemorySystem:
    """Regions, address spaces, RAM blocks and the transaction of one machine.

    Two systems in one process never meet. Close a system, or use it in a ``with`` statement, to
    give the host's memory back at once.

    Args:
        now_ns: the clock that commits are stamped with, in nanoseconds.
        enforce_readonly: whether a read-only alias or container keeps :meth:`AddressSpace.write`
            from a writable region. QEMU looks at the region alone there (a guest's own stores are
            refused in both), so False is what QEMU does.

    Attributes:
        ram_blocks: all RAM blocks, largest first.
        guards: against devices that reach themselves.
        dirty_logging: which writes are logged, and for whom.
        coalesced: writes that are held back.
    """

    def __init__(
        self, *, now_ns: Callable[[], int] = lambda: 0, enforce_readonly: bool = True
    ) -> None:
        self.enforce_readonly = enforce_readonly
        self.guards = DeviceGuards()
        self.rcu = Rcu("memory")
        self.ram_blocks = RamList()
        self.discard_rules = DiscardRules()
        self.bounce_pools: dict[AddressSpace, BouncePool] = {}
        self.closed = False
        self.transactions = Transactions(now_ns)
        self.dirty_logging = DirtyLogging(self.transactions, self.ram_blocks)
        self.coalesced = CoalescedMmio(self.transactions)
        self.transactions.before_change = self.coalesced.flush

    # -- regions ---------------------------------------------------------------------------------

    def container(self, name: str, size: int, *, owner: object = None) -> MemoryRegion:
        """Return a region that only holds others; what they leave open, nobody answers."""
        return MemoryRegion(self, name, size, owner=owner)

    def io(
        self, name: str, size: int, ops: MemoryRegionOps | None, *, owner: object = None
    ) -> MemoryRegion:
        """Return a region that calls ``ops``; None reserves the addresses and answers nothing."""
        return MemoryRegion(self, name, size, owner=owner, ops=ops, terminates=True)

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
        readonly = readonly or backend.makes_rom
        region = MemoryRegion(
            self, name, size, owner=owner, ram=True, readonly=readonly, terminates=True
        )
        put(region, "ram_block", new_block(self, name, region.size, backend if backed else None))
        return region

    def ram_from_file(
        self,
        name: str,
        path: str,
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
        backend = FileRam(
            path=path,
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
        readonly = backend.makes_rom
        region = MemoryRegion(
            self, name, size, owner=owner, ram=True, readonly=readonly, terminates=True
        )
        max_size = checked_size(f"{name}, at most", max_size)
        block = new_block(self, name, region.size, backend, max_size=max_size, resized=resized)
        put(region, "ram_block", block)
        return region

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
        region = MemoryRegion(
            self, name, size, owner=owner, ops=ops, rom_device=True, terminates=True
        )
        put(region, "ram_block", new_block(self, name, region.size, PLAIN_RAM if backed else None))
        return region

    def ram_device(
        self, name: str, size: int, buffer: memoryview | None, *, owner: object = None
    ) -> MemoryRegion:
        """Return memory of a device (a mapped BAR): accessed in its bus sizes, 1 to 8 bytes.

        Without a buffer it takes part in the map, reads as zeros and forgets what is written.

        Raises:
            ConfigError: the buffer is read-only, or smaller than the region.
            StateError: the system is closed.
        """
        region = MemoryRegion(
            self, name, size, owner=owner, ram=True, ram_device=True, terminates=True
        )
        backend = None if buffer is None else BufferRam(buffer)
        block = new_block(self, name, region.size, backend)
        put(region, "ram_block", block)
        put(region, "ops", ram_regions.ram_device_ops(block))
        return region

    def iommu(
        self, name: str, size: int, translator: IommuTranslator, *, owner: object = None
    ) -> MemoryRegion:
        """Return a region whose accesses go where ``translator`` says; notifiers: its ``iommu``.

        Raises:
            ConfigError: the translator's page size is no power of two.
        """
        region = MemoryRegion(self, name, size, owner=owner, terminates=True)
        put(region, "iommu", Iommu(region, translator))
        return region

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
        return MemoryRegion(self, name, size, owner=owner, alias=target, alias_offset=offset)

    def free(self, region: MemoryRegion) -> None:
        """Give back what the host holds for ``region``, which nothing may show any more.

        Nobody can show it again. Its memory is unmapped after the last user has left: pins, views
        of the buffer, and readers in a section of :attr:`rcu`. In a transaction that is undone,
        nothing was freed. Regions without memory may be freed too.

        Raises:
            StateError: something shows it, or it was freed before.
        """
        ram_regions.free(region)

    # -- address spaces --------------------------------------------------------------------------

    def address_space(self, name: str, root: MemoryRegion) -> AddressSpace:
        """Return a new address space that shows ``root``.

        Raises:
            ConfigError: the root belongs to another machine, or its view would never end.
        """
        self.refuse_if_closed()
        if not isinstance(root, MemoryRegion):
            raise ConfigError(f"address space {name!r}: {root!r} cannot be shown: give a region")
        if root.system is not self:
            raise ConfigError(f"address space {name!r}: root {root.name!r} is another machine's")
        space = AddressSpace(name, root)
        self.transactions.add_space(space)
        return space

    def remove_address_space(self, space: AddressSpace) -> None:
        """Let an address space go: it shows nothing, and its listeners hear that all goes.

        Raises:
            StateError: it has gone already.
        """
        with self.transaction():
            self.transactions.remove_space(space)
            self.transactions.afterwards(self.bounce_pools.pop, space, None)

    @property
    def address_spaces(self) -> tuple[AddressSpace, ...]:
        """All address spaces, oldest first."""
        gone = self.transactions.removed
        return tuple(space for space in tuple(self.transactions.spaces) if space not in gone)

    def find(self, region: MemoryRegion, offset: int, size: int) -> MemoryRegionSection | None:
        """Return what shows first among ``size`` bytes at ``offset`` of ``region``, or None.

        The rules are QEMU's ``memory_region_find``: looked into is the oldest address space whose
        root holds ``region``, where ``region`` is in it; what overlaps ``region`` there is found
        too. The section is the part of the found range inside the window.
        """
        place = space_and_address(self.address_spaces, region, offset)
        return None if place is None else find_in(*place, size)

    def present(self, container: MemoryRegion, offset: int) -> bool:
        """Tell whether a region other than ``container`` itself answers at ``offset`` of it."""
        found = self.find(container, offset, 1)
        return found is not None and found.region is not container

    # -- transactions ----------------------------------------------------------------------------

    @property
    def topology(self) -> Topology:
        """The notes that commits go by."""
        return self.transactions.topology

    def transaction(self, cause: str = "") -> Transaction:
        """Return a context manager: mutations inside show all at once at its end.

        Transactions nest; the outermost publishes, and the first cause given names the commit. An
        exception undoes what its block changed. Where nothing changed, nothing is published.

        Raises:
            ConfigError: at the end, when a view would never end; everything is undone.
            StateError: a listener tried to change the tree.
        """
        return self.transactions.open(cause)

    def steady(self) -> AbstractContextManager[None]:
        """Return a context manager inside which no transaction runs, in whatever thread.

        For who reads more than one view: the tree, several address spaces. Transactions of other
        threads wait for its end, so be quick; one view alone is whole without this.

        Raises:
            StateError: on entry, in a transaction or a callback of this thread; and, from whatever
                opens a transaction inside.
        """
        return self.transactions.steady()

    @property
    def generation(self) -> int:
        """Number of the last published commit."""
        return self.transactions.generation

    @property
    def history(self) -> tuple[CommitRecord, ...]:
        """The last commits, oldest first."""
        return tuple(self.transactions.history)

    def subscribe(self, subscriber: Callable[[CommitRecord], None]) -> None:
        """Call ``subscriber`` with the record of each commit from now on."""
        self.transactions.subscribers.append(subscriber)

    def unsubscribe(self, subscriber: Callable[[CommitRecord], None]) -> None:
        """Stop calling ``subscriber``."""
        self.transactions.subscribers.remove(subscriber)

    # -- the end ---------------------------------------------------------------------------------

    def close(self) -> None:
        """Remove all address spaces and give all host memory back, waiting for readers.

        Memory that somebody still has pinned goes when the pin does. Closing again does nothing.

        Raises:
            StateError: the caller is in a transaction, a callback or a read section.
        """
        if self.closed:
            return
        self.transactions.refuse_inside("close")
        if self.rcu.in_read_section:
            raise StateError("close the memory system outside of read sections: it waits for them")
        spaces = self.address_spaces
        with self.transaction("close"):
            for space in spaces:
                self.remove_address_space(space)
        self.closed = True
        for space in spaces:
            space.source = ClosedRoot(space.name)
        blocks = list(self.ram_blocks)
        for block in blocks:
            self.ram_blocks.remove(block)
        self.rcu.drain()
        if not any(block.pins for block in blocks):
            self.rcu.close()  # else it ends with the last pin: that still needs it

    def refuse_if_closed(self) -> None:
        """Check that the system is open.

        Raises:
            StateError: it is closed.
        """
        if self.closed:
            raise StateError("the memory system is closed: make a new one")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
