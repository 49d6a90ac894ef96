"""The memory system of one machine: it makes the regions and owns everything they share."""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType
from typing import Self

from guestmap.base import ConfigError, StateError
from guestmap.memory.access.address_space import AddressSpace
from guestmap.memory.access.dispatch import Dispatch
from guestmap.memory.access.find import find_in, space_and_address
from guestmap.memory.hear.coalesced import CoalescedMmio
from guestmap.memory.hear.dirty_log import DirtyLogging
from guestmap.memory.hear.ioeventfds import IoEventFds
from guestmap.memory.hear.listeners import Listeners
from guestmap.memory.map.checks import checked_callback, checked_kind, checked_number
from guestmap.memory.map.factory import RegionFactory
from guestmap.memory.map.history import CommitRecord
from guestmap.memory.map.region import MemoryRegion
from guestmap.memory.map.section import MemoryRegionSection
from guestmap.memory.map.usage import usable
from guestmap.memory.map.view_root import ClosedRoot
from guestmap.memory.ram.discard_rules import DiscardRules


class MemorySystem(RegionFactory):
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
        listeners: who is told of changes.
        dirty_logging: which writes are logged, and for whom.
        ioeventfds: writes that ring instead of reaching a callback.
        coalesced: writes that may be held back.
        discard_rules: who needs RAM to be discarded, and who cannot bear it.
    """

    def __init__(
        self, *, now_ns: Callable[[], int] = lambda: 0, enforce_readonly: bool = True
    ) -> None:
        super().__init__(now_ns)
        self.enforce_readonly = enforce_readonly
        self.discard_rules = DiscardRules()
        self.ioeventfds = IoEventFds(self.transactions)
        self.listeners = Listeners(self.transactions, self.ioeventfds)
        self.dirty_logging = DirtyLogging(self.transactions, self.listeners, self.ram_blocks)
        self.coalesced = CoalescedMmio(self.listeners, self.transactions)
        self.transactions.before_change = self.coalesced.flush
        self._dispatch = Dispatch(enforce_readonly, self.ioeventfds, self.coalesced)

    # -- address spaces --------------------------------------------------------------------------

    def address_space(self, name: str, root: MemoryRegion) -> AddressSpace:
        """Return a new address space that shows ``root``.

        Raises:
            ConfigError: the root belongs to another machine, or its view would never end.
        """
        self.refuse_if_closed()
        if not isinstance(name, str):
            raise ConfigError(f"address space {name!r}: its name is no text")
        if not isinstance(root, MemoryRegion):
            raise ConfigError(f"address space {name!r}: {root!r} cannot be shown: give a region")
        if root.system is not self:
            raise ConfigError(f"address space {name!r}: root {root.name!r} is another machine's")
        space = AddressSpace(name, root, self._dispatch, self.listeners)
        self.transactions.spaces.add(space)
        return space

    def remove_address_space(self, space: AddressSpace) -> None:
        """Let an address space go: it shows nothing, and its listeners hear that all goes.

        Raises:
            ConfigError: it is no address space.
            StateError: it has gone already.
        """
        checked_kind("address space", space, AddressSpace)
        with self.transaction():
            self.transactions.spaces.remove(space)
            self.transactions.afterwards(space.forget_bounce_buffers)

    @property
    def address_spaces(self) -> tuple[AddressSpace, ...]:
        """All address spaces, oldest first."""
        gone = self.transactions.spaces.removed
        spaces = tuple(self.transactions.spaces.all)
        return tuple(s for s in spaces if isinstance(s, AddressSpace) and s not in gone)

    def find(self, region: MemoryRegion, offset: int, size: int) -> MemoryRegionSection | None:
        """Return what shows first among ``size`` bytes at ``offset`` of ``region``, or None.

        The rules are QEMU's ``memory_region_find``: looked into is the oldest address space whose
        root holds ``region``, where ``region`` is in it; what overlaps ``region`` there is found
        too. The section is the part of the found range inside the window.

        Raises:
            ConfigError: it is no region of this machine, or they are no whole numbers.
            StateError: the system is closed.
        """
        region = usable("find: region", region, self.transactions)
        offset = checked_number(f"region {region.name!r}: offset", offset)
        size = checked_number(f"region {region.name!r}: size", size)
        place = space_and_address(self.address_spaces, region, offset)
        return None if place is None else find_in(*place, size)

    def present(self, container: MemoryRegion, offset: int) -> bool:
        """Tell whether a region other than ``container`` itself answers at ``offset`` of it."""
        found = self.find(container, offset, 1)
        return found is not None and found.region is not container

    # -- the history ----------------------------------------------------------------------------

    def subscribe(self, subscriber: Callable[[CommitRecord], None]) -> None:
        """Call ``subscriber`` with the record of each commit from now on.

        Raises:
            ConfigError: it is no function.
            StateError: the system is closed.
        """
        self.refuse_if_closed()
        checked_callback("subscriber", subscriber)
        self.listeners.subscribers.append(subscriber)

    def unsubscribe(self, subscriber: Callable[[CommitRecord], None]) -> None:
        """Stop calling ``subscriber``.

        Raises:
            StateError: it is not called.
        """
        if subscriber not in self.listeners.subscribers:
            raise StateError(f"{subscriber!r} is no subscriber of this memory system")
        self.listeners.subscribers.remove(subscriber)

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
        self.transactions.closed = True
        for space in spaces:
            space.source = ClosedRoot(space.name)
        blocks = list(self.ram_blocks)
        for block in blocks:
            self.ram_blocks.remove(block)
        self.rcu.drain()
        if not any(block.pins for block in blocks):
            self.rcu.close()  # else it ends with the last pin: that still needs it

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
