"""The I/O event descriptors of a machine: which writes to which region only ring a bell.

A region's writes may signal an :class:`EventNotifier` instead of reaching its callback (QEMU's
``memory_region_add_eventfd``). A commit looks here, and tells whoever listens to an address space,
a hypervisor say, which can then ring without leaving the guest.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable
from operator import attrgetter
from typing import TYPE_CHECKING

from guestmap.base import ConfigError
from guestmap.base.named_tuple import NamedTuple
from guestmap.memory.hear.ioeventfd import (
    LONGEST,
    EventNotifier,
    IoEventFd,
    RegionIoEventFds,
)
from guestmap.memory.map.checks import checked_address, checked_kind, checked_number
from guestmap.memory.map.usage import usable

if TYPE_CHECKING:
    from guestmap.memory.map.flat_range import FlatRange
    from guestmap.memory.map.flatview import FlatView
    from guestmap.memory.map.region import MemoryRegion
    from guestmap.memory.map.transaction import Transactions

_order = attrgetter("order")
_address = attrgetter("address")


class IoEventFdChange(NamedTuple):
    """How the event descriptors of one address space change: what goes, comes, and is then."""

    gone: list[IoEventFd]
    come: list[IoEventFd]
    all: list[IoEventFd]


class IoEventFds:
    """The writes that ring, region by region."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions
        self._of: dict[MemoryRegion, RegionIoEventFds] = {}

    def of(self, region: MemoryRegion) -> RegionIoEventFds | None:
        """Return those of one region; None while there are none."""
        return self._of.get(region)

    def add(
        self, region: MemoryRegion, address: int, size: int, data: int | None,
        notifier: EventNotifier,
    ) -> None:  # fmt: skip
        """Ring ``notifier`` for a write, instead of calling the region's callback.

        Args:
            region: the write's.
            address: offset in the region, in bytes.
            size: bytes that the write must have: 1, 2, 4 or 8; 0 for any.
            data: the value that it must have; None for any.
            notifier: what rings.

        Raises:
            ConfigError: no such write can be, or something is of a wrong type.
            StateError: the memory system is closed.
        """
        each = self._checked(region, address, size, data, notifier)
        with self._transactions.open(f"ioeventfd of {region.name}"):
            of_region = self._of.get(region) or RegionIoEventFds()
            of_region.add(each)
            self._of[region] = of_region
            self._transactions.note(self._drop, region, each)
            self._changed(region)

    def remove(
        self, region: MemoryRegion, address: int, size: int, data: int | None,
        notifier: EventNotifier,
    ) -> None:  # fmt: skip
        """Take back :meth:`add` with the same arguments.

        Raises:
            ConfigError: there is no such event descriptor.
            StateError: the memory system is closed.
        """
        each = self._checked(region, address, size, data, notifier)
        if region not in self._of:
            raise ConfigError(
                f"region {region.name!r}: there is no such ioeventfd at 0x{address:x}"
            )
        with self._transactions.open(f"ioeventfd of {region.name}"):
            self._drop(region, each)
            self._transactions.note(self._restore, region, each)
            self._changed(region)

    def _checked(
        self, region: MemoryRegion, address: int, size: int, data: int | None,
        notifier: EventNotifier,
    ) -> IoEventFd:  # fmt: skip
        region = usable("ioeventfd: region", region, self._transactions)
        what = f"region {region.name!r}: ioeventfd"
        return IoEventFd(
            checked_address(f"{what} at", address),
            checked_number(f"{what}: size", size),
            None if data is None else checked_number(f"{what}: data", data),
            checked_kind(f"{what}: notifier", notifier, EventNotifier),
        )

    def _drop(self, region: MemoryRegion, each: IoEventFd) -> None:
        of_region = self._of[region]
        of_region.remove(each)
        if not of_region:
            del self._of[region]

    def _restore(self, region: MemoryRegion, each: IoEventFd) -> None:
        self._of.setdefault(region, RegionIoEventFds()).add(each)

    def _changed(self, region: MemoryRegion) -> None:
        if region.enabled:
            self._transactions.topology.mark(region)
        self._transactions.topology.forget_plans()

    # -- what the commit asks --------------------------------------------------------------------

    def shown(self, ranges: Iterable[FlatRange]) -> list[IoEventFd]:
        """Return the event descriptors that ranges of a view show, in order, each once."""
        if not self._of:
            return []
        found = {
            each.order: each
            for part in ranges
            if part.region in self._of
            for each in self._of[part.region].shown_in(part)
        }
        return [found[key] for key in sorted(found)]

    def update(
        self, told: list[IoEventFd], new: FlatView, windows: Iterable[tuple[int, int]]
    ) -> IoEventFdChange:
        """Return how the event descriptors of an address space change with its view.

        Args:
            told: those that its listeners know.
            new: the view to come.
            windows: where it may differ from the present one; sorted, and no two touch.
        """
        if not told and not self._of:
            return IoEventFdChange([], [], told)
        gone: list[IoEventFd] = []
        come: list[IoEventFd] = []
        for low, high in _reach(windows):
            first = bisect_left(told, low, key=_address)
            last = bisect_left(told, high, key=_address)
            around = new.within(low, high + LONGEST)
            after = [e for e in self.shown(around) if low <= e.address < high]
            less, more = differences(told[first:last], after)
            gone += less
            come += more
        if not gone and not come:
            return IoEventFdChange(gone, come, told)
        left = {each.order for each in gone}
        kept = [each for each in told if each.order not in left]
        return IoEventFdChange(gone, come, sorted([*kept, *come], key=_order))


def differences(
    old: Iterable[IoEventFd], new: Iterable[IoEventFd]
) -> tuple[list[IoEventFd], list[IoEventFd]]:
    """Return what is only in ``old`` and what is only in ``new``, each in order."""
    before = {each.order: each for each in old}
    after = {each.order: each for each in new}
    gone = sorted((e for key, e in before.items() if key not in after), key=_order)
    come = sorted((e for key, e in after.items() if key not in before), key=_order)
    return gone, come


def _reach(windows: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return the addresses at which a write can touch a window, in runs that do not overlap."""
    runs: list[tuple[int, int]] = []
    for start, end in windows:
        start -= LONGEST - 1
        if runs and start <= runs[-1][1]:
            start = runs.pop()[0]
        runs.append((start, end))
    return runs
