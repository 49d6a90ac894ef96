"""Coalesced MMIO: writes that a hypervisor may hold back, until somebody needs them.

A device with many writes and few reads (a display) lets its writes be collected in a ring, so that
the guest need not leave for each. Whoever keeps a ring registers how to empty it; it is emptied
before each access of a region that asks for that, and before the map changes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from guestmap.base import AddrRange
    from guestmap.memory.map.region import MemoryRegion
    from guestmap.memory.map.transaction import Transactions


class CoalescedMmio:
    """The rings of one machine, and who is told which writes may go there."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions
        self._rings: tuple[Callable[[], None], ...] = ()
        self._flushing = False

    def add_ring(self, flush: Callable[[], None]) -> None:
        """Call ``flush`` whenever held-back writes must come."""
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

    def tell(self, region: MemoryRegion, parts: list[AddrRange], *, added: bool) -> None:
        """Tell the listeners, at once, where parts of a region show that are held back, or not.

        Raises:
            Exception: what a listener raised; then all are told the opposite.
        """
        self._transactions.tell_coalescing(region, parts, added=added)
