"""Coalesced MMIO: writes that a hypervisor may hold back, until somebody needs them.

A device with many writes and few reads (a display) lets its writes be collected in a ring, so that
the guest need not leave for each. Whoever keeps a ring registers how to empty it; it is emptied
before each access of a region that asks for that, and before the map changes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from guestmap.base import AddrRange, ConfigError
from guestmap.memory.map.checks import checked_address, checked_callback, checked_size
from guestmap.memory.map.usage import usable

if TYPE_CHECKING:
    from collections.abc import Callable

    from guestmap.memory.hear.listeners import Listeners
    from guestmap.memory.map.region import MemoryRegion
    from guestmap.memory.map.transaction import Transactions


class CoalescedMmio:
    """The rings of one machine, and which writes to which region may go there."""

    def __init__(self, listeners: Listeners, transactions: Transactions) -> None:
        self._listeners = listeners
        self._transactions = transactions
        self._flushing_regions: set[MemoryRegion] = set()
        self._rings: tuple[Callable[[], None], ...] = ()
        self._flushing = False

    # -- which writes ----------------------------------------------------------------------------

    def add(self, region: MemoryRegion, offset: int, size: int) -> None:
        """Let writes to ``size`` bytes at ``offset`` of a region be held back; reads flush them.

        Raises:
            ConfigError: not a part of a region of this machine.
            StateError: the memory system is closed, as of all that follows.
            Exception: what a listener raised; then all are told the opposite.
        """
        region = self._usable(region)
        what = f"region {region.name!r}, coalesced:"
        size = checked_size(f"{region.name}, coalesced", size)
        if checked_address(f"{what} offset", offset) + size > region.size:
            raise ConfigError(
                f"region {region.name!r} has no part of 0x{size:x} bytes at 0x{offset:x} to"
                " coalesce"
            )
        part = AddrRange(offset, size)
        self._tell(region, [part], added=True)
        self._parts[region] = [*self._parts.get(region, ()), part]
        self.set_flush(region, True)

    def set_whole(self, region: MemoryRegion) -> None:
        """Let writes to the whole region be held back, and to no other part of it."""
        region = self._usable(region)
        self.clear(region)
        self.add(region, 0, region.size)

    def clear(self, region: MemoryRegion) -> None:
        """Hold no writes to a region back any more, and let those come that were."""
        region = self._usable(region)
        if region not in self._parts:
            return
        self.flush()
        self.set_flush(region, False)
        self._tell(region, self._parts.pop(region), added=False)

    def set_flush(self, region: MemoryRegion, on: bool) -> None:
        """Flush what is held back, of any region, before each access of this one, or not."""
        region = self._usable(region)
        if on:
            self._flushing_regions.add(region)
        else:
            self._flushing_regions.discard(region)
        self._transactions.topology.forget_plans()

    def parts(self, region: MemoryRegion) -> tuple[AddrRange, ...]:
        """Return the parts of a region of which writes may be held back."""
        return tuple(self._parts.get(region, ()))

    def flushes(self, region: MemoryRegion) -> bool:
        """Tell whether an access of the region flushes."""
        return region in self._flushing_regions

    def _usable(self, region: MemoryRegion) -> MemoryRegion:
        return usable("coalesced: region", region, self._transactions)

    @property
    def _parts(self) -> dict[MemoryRegion, list[AddrRange]]:
        return self._listeners.coalesced

    def _tell(self, region: MemoryRegion, parts: list[AddrRange], *, added: bool) -> None:
        with self._listeners.notification() as told:
            for space in self._listeners.spaces:
                told.coalescing(space, region, parts, added=added)

    # -- the rings -------------------------------------------------------------------------------

    def add_ring(self, flush: Callable[[], None]) -> None:
        """Call ``flush`` whenever held-back writes must come."""
        self._transactions.refuse_if_closed()
        checked_callback("coalesced: ring", flush)
        self._rings = (*self._rings, flush)

    def remove_ring(self, flush: Callable[[], None]) -> None:
        """Forget a ring."""
        self._rings = tuple(ring for ring in self._rings if ring != flush)

    def flush(self) -> None:
        """Let all held-back writes come. A write that comes may ask for this again: it is done."""
        if self._flushing or not self._rings:
            return
        self._flushing = True
        try:
            for ring in self._rings:
                ring()
        finally:
            self._flushing = False
