"""Dirty logging of a whole machine: who wants to know, asking the engines, looking and clearing.

Writes that go through an address space mark their pages at once. An engine's CPU writes straight to
host memory, so before a client looks, listeners are asked to report (``log_sync``); after it has
cleared, they are told (``log_clear``), so that they can begin anew. Names and order are QEMU's
(system/memory.c, docs/devel/memory.rst).
"""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

from guestmap.base import ConfigError, StateError
from guestmap.memory.hear.listener import MemoryListener
from guestmap.memory.map.checks import checked_kind, checked_number
from guestmap.memory.map.section import MemoryRegionSection
from guestmap.memory.map.usage import usable
from guestmap.memory.ram.dirty import DirtyClient, DirtySnapshot

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from guestmap.memory.hear.listeners import Listeners
    from guestmap.memory.map.region import MemoryRegion
    from guestmap.memory.map.transaction import Transactions
    from guestmap.memory.ram.block_list import RamList


class DirtyLogging:
    """What is logged, and the conversation with the listeners about it."""

    def __init__(self, transactions: Transactions, listeners: Listeners, blocks: RamList) -> None:
        self._transactions = transactions
        self._hearers = listeners
        self._blocks = blocks
        self._vga_users: dict[MemoryRegion, int] = {}

    @property
    def global_mask(self) -> int:
        """The clients for which all RAM is logged."""
        return self._blocks.global_dirty_mask

    # -- who wants to know -----------------------------------------------------------------------

    def set_region(
        self, region: MemoryRegion, client: DirtyClient = DirtyClient.VGA, *, on: bool
    ) -> None:
        """Log writes to one region for a client, or no more; calls count.

        Raises:
            ConfigError: the client is not VGA (the others log all RAM), the region has no RAM.
            StateError: switched off more often than on, or the memory system is closed.
        """
        region = usable("dirty log: region", region, self._transactions)
        if _client(client) is not DirtyClient.VGA:
            raise ConfigError(f"dirty logging of one region is for VGA, not {client.name}")
        if region.ram_block is None:
            raise ConfigError(f"region {region.name!r} has no RAM that could be logged")
        before = self._vga_users.get(region, 0)
        users = before + (1 if on else -1)
        if users < 0:
            raise StateError(f"dirty logging of region {region.name!r} is off already")
        with self._transactions.open(f"dirty log of {region.name}"):
            self._transactions.note(self._count_users, region, before)
            self._count_users(region, users)
            mask = client.mask if users else 0
            self._transactions.topology.assign(region, "dirty_log_mask", mask)

    def _count_users(self, region: MemoryRegion, users: int) -> None:
        if users:
            self._vga_users[region] = users
        else:
            self._vga_users.pop(region, None)

    def start_global(self, client: DirtyClient = DirtyClient.MIGRATION) -> None:
        """Log writes to all RAM for ``client``.

        Raises:
            ConfigError: it is no client.
            StateError: it is logged already, or the memory system is closed.
            Exception: what a listener raised; then nothing is logged, and those that were told
                are told to stop.
        """
        self._transactions.refuse_if_closed()
        if self.global_mask & _client(client).mask:
            raise StateError(f"global dirty logging for {client.name} is on already")
        with ExitStack() as back:
            if not self.global_mask:
                for listener in self._listeners():
                    listener.log_global_start()
                    back.callback(listener.log_global_stop)
            self._set_global(self.global_mask | client.mask)
            back.pop_all()

    def stop_global(self, client: DirtyClient = DirtyClient.MIGRATION) -> None:
        """Log no more for ``client``.

        Raises:
            ConfigError: it is no client.
            StateError: it is not logged, or the memory system is closed.
        """
        self._transactions.refuse_if_closed()
        if not self.global_mask & _client(client).mask:
            raise StateError(f"global dirty logging for {client.name} is off already")
        self._set_global(self.global_mask & ~client.mask)
        for block in self._blocks:
            block.dirty.forget(client)
        if not self.global_mask:
            for listener in reversed(self._listeners()):
                listener.log_global_stop()

    def _set_global(self, mask: int) -> None:
        with self._transactions.open("global dirty logging"):
            self._transactions.note(self._assign_global, self.global_mask)
            self._assign_global(mask)

    def _assign_global(self, mask: int) -> None:
        self._blocks.global_dirty_mask = mask
        self._transactions.topology.mark_everything()

    # -- looking ---------------------------------------------------------------------------------

    def sync(self, region: MemoryRegion | None = None, *, last_stage: bool = False) -> None:
        """Ask the engines which pages their CPUs wrote: of one region, or of all that is logged.

        Raises:
            ConfigError: it is no region of this machine.
            StateError: the memory system is closed.
        """
        self._transactions.refuse_if_closed()
        if region is not None:
            region = usable("dirty log: region", region, self._transactions)
        for listener in self._listeners():
            if _overrides(listener, MemoryListener.log_sync):
                for section in self._logged(listener, region):
                    listener.log_sync(section)
            else:
                listener.log_sync_global(last_stage=last_stage)

    def snapshot_and_clear(
        self, region: MemoryRegion, offset: int, length: int, client: DirtyClient
    ) -> DirtySnapshot:
        """Return which pages of a region are dirty, and make them clean.

        Args:
            region: one with RAM.
            offset: in the region, in bytes.
            length: in bytes.
            client: who looks.

        Raises:
            ConfigError: it is no region of this machine, or has no RAM, or not so much.
            StateError: the memory system is closed.
        """
        self.sync(usable("dirty log: region", region, self._transactions))
        _client(client)
        offset = checked_number(f"region {region.name!r}: offset", offset)
        length = checked_number(f"region {region.name!r}: length", length)
        block = region.ram_block
        if block is None or min(offset, length) < 0 or offset + length > region.size:
            raise ConfigError(
                f"region {region.name!r} has no RAM from {offset:#x} to {offset + length:#x}"
            )
        snapshot = block.dirty.snapshot_and_clear(client, offset, length)
        self._clear(region, snapshot.start, snapshot.end)
        for listener in self._listeners():
            listener.log_global_after_sync()
        return snapshot

    def _clear(self, region: MemoryRegion, start: int, end: int) -> None:
        for listener in self._listeners():
            if not _overrides(listener, MemoryListener.log_clear):
                continue
            for section in self._logged(listener, region):
                low = max(start, section.offset_within_region)
                high = min(end, section.offset_within_region + section.size)
                if low < high:
                    shift = low - section.offset_within_region
                    listener.log_clear(
                        section._replace(
                            offset_within_region=low,
                            size=high - low,
                            offset_within_address_space=section.offset_within_address_space + shift,
                        )
                    )

    def _logged(
        self, listener: MemoryListener, region: MemoryRegion | None
    ) -> Iterator[MemoryRegionSection]:
        space = self._hearers.space_of(listener)
        view = space.view
        for each in view:
            if each.dirty_log_mask and (region is None or each.region is region):
                yield MemoryRegionSection.of(each, space, view)

    def _listeners(self) -> list[MemoryListener]:
        return self._hearers.all


def _client(client: DirtyClient) -> DirtyClient:
    return checked_kind("dirty log: client", client, DirtyClient)


def _overrides(listener: MemoryListener, method: Callable[..., object]) -> bool:
    return getattr(type(listener), method.__name__) is not method
