"""What a region wants beside being shown: writes logged, bells rung, writes held back."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from guestmap.base import AddrRange, ConfigError
from guestmap.memory.hear.ioeventfd import EventNotifier, IoEventFd, IoEventFds
from guestmap.memory.map.facts import RegionFacts, put
from guestmap.memory.ram.dirty import DirtyClient, DirtySnapshot

if TYPE_CHECKING:
    from guestmap.memory.map.region import MemoryRegion
    from guestmap.memory.ram.block import RamBlock
    from guestmap.memory.system import MemorySystem


class RegionHooks(RegionFacts):
    """The part of :class:`guestmap.memory.MemoryRegion` that listeners hear of but views do not.

    Attributes:
        vga_logging_users: how many asked for a dirty log of this region.
        ioeventfds: writes that ring instead of reaching the callback; None while there are none.
        coalesced: parts of which writes may be held back.
        flush_coalesced: whether an access flushes what was held back, of any region.
    """

    __slots__ = ("coalesced", "flush_coalesced", "ioeventfds", "vga_logging_users")

    system: MemorySystem
    name: str
    size: int
    enabled: bool
    ram_block: RamBlock | None
    vga_logging_users: int
    ioeventfds: IoEventFds | None
    coalesced: list[AddrRange]
    flush_coalesced: bool

    @property
    def _region(self) -> MemoryRegion:
        """The region that this is a part of."""
        return cast("MemoryRegion", self)

    # -- dirty log -------------------------------------------------------------------------------

    def set_log(self, on: bool, client: DirtyClient = DirtyClient.VGA) -> None:
        """Log writes to this region for a display, or no more; calls count.

        Raises:
            ConfigError: another client than VGA, or a region without RAM.
            StateError: switched off more often than on.
        """
        self.system.dirty_logging.set_region(self._region, client, on=on)

    def set_dirty(self, offset: int, length: int) -> None:
        """Mark ``length`` bytes at ``offset`` as written."""
        if self.ram_block is not None:
            self.ram_block.dirty.mark(offset, length)

    def snapshot_and_clear_dirty(
        self, offset: int, length: int, client: DirtyClient
    ) -> DirtySnapshot:
        """Return which pages are dirty for ``client``, and make them clean.

        Raises:
            ConfigError: the region has no RAM there.
        """
        return self.system.dirty_logging.snapshot_and_clear(self._region, offset, length, client)

    # -- I/O event descriptors -------------------------------------------------------------------

    def add_eventfd(
        self, address: int, size: int, data: int | None, notifier: EventNotifier
    ) -> None:
        """Ring ``notifier`` for a write, instead of calling the region's callback.

        Args:
            address: offset in the region, in bytes.
            size: bytes that the write must have: 1, 2, 4 or 8; 0 for any.
            data: the value that it must have; None for any.
            notifier: what rings.

        Raises:
            ConfigError: no such write can be.
        """
        bell = IoEventFd(address, size, data, notifier)
        with self.system.transaction(f"ioeventfd of {self.name}"):
            bells = self.ioeventfds
            if bells is None:
                bells = IoEventFds()
                put(self, "ioeventfds", bells)
            bells.add(bell)
            self.system.transactions.note(bells.remove, bell)
            self._bells_changed()

    def del_eventfd(
        self, address: int, size: int, data: int | None, notifier: EventNotifier
    ) -> None:
        """Take back :meth:`add_eventfd` with the same arguments.

        Raises:
            ConfigError: there is no such event descriptor.
        """
        bell = IoEventFd(address, size, data, notifier)
        if self.ioeventfds is None:
            raise ConfigError(f"region {self.name!r} has no ioeventfd at 0x{address:x}")
        with self.system.transaction(f"ioeventfd of {self.name}"):
            self.ioeventfds.remove(bell)
            self.system.transactions.note(self.ioeventfds.add, bell)
            self._bells_changed()

    def _bells_changed(self) -> None:
        if self.enabled:
            self.system.topology.mark(self._region)
        self.system.topology.forget_plans()

    # -- coalesced MMIO --------------------------------------------------------------------------

    def set_coalescing(self) -> None:
        """Let writes to the whole region be held back."""
        self.clear_coalescing()
        self.add_coalescing(0, self.size)

    def add_coalescing(self, offset: int, size: int) -> None:
        """Let writes to ``size`` bytes at ``offset`` be held back; reads flush them.

        Raises:
            ConfigError: not a part of the region.
        """
        if offset < 0 or size <= 0 or offset + size > self.size:
            raise ConfigError(
                f"region {self.name!r} has no part of 0x{size:x} bytes at 0x{offset:x} to coalesce"
            )
        part = AddrRange(offset, size)
        self.system.coalesced.tell(self._region, [part], added=True)
        put(self, "coalesced", [*self.coalesced, part])
        self.set_flush_coalesced(True)

    def clear_coalescing(self) -> None:
        """Hold no writes back any more, and let those come that were."""
        if not self.coalesced:
            return
        self.system.coalesced.flush()
        self.set_flush_coalesced(False)
        parts = self.coalesced
        put(self, "coalesced", [])
        self.system.coalesced.tell(self._region, parts, added=False)

    def set_flush_coalesced(self, on: bool) -> None:
        """Flush what is held back before each access of this region, or not."""
        put(self, "flush_coalesced", on)
        self.system.topology.forget_plans()
