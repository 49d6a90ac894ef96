"""One round of callbacks: what a commit changes is told, and taken back when somebody refuses.

The order is QEMU's: for each address space all that goes is told before anything that comes.
Everything told is noted, because an engine may refuse (the host has no more slots, say): then
those that were told are told the opposite, and stand where they stood before the commit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from typing import TYPE_CHECKING

from guestmap.base import AddrRange
from guestmap.memory.hear.callbacks import Callbacks
from guestmap.memory.hear.ioeventfd import IoEventFd
from guestmap.memory.hear.ioeventfds import IoEventFds
from guestmap.memory.hear.listener import MemoryListener
from guestmap.memory.map.flat_range import FlatRange
from guestmap.memory.map.flatview import FlatView
from guestmap.memory.map.history import ListenerWork
from guestmap.memory.map.section import MemoryRegionSection

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from guestmap.memory.map.hearing import SpaceChange
    from guestmap.memory.map.region import MemoryRegion
    from guestmap.memory.map.space import ViewedSpace
    from guestmap.memory.map.view_root import Patch


class Notification:
    """One round of callbacks, from ``begin`` to ``commit``.

    Args:
        everybody: all listeners, lowest priority first.
        on: the listeners of each address space.
        coalesced: the parts of each region of which writes may be held back.
        ioeventfds: the writes that ring, region by region.
        told: the I/O event descriptors that each address space's listeners know; kept up to date.
    """

    __slots__ = (
        "_begun",
        "_calls",
        "_everybody",
        "_finished",
        "_ioeventfds",
        "_new_told",
        "_on",
        "_told",
    )

    def __init__(
        self,
        everybody: list[MemoryListener],
        on: Mapping[ViewedSpace, list[MemoryListener]],
        coalesced: Mapping[MemoryRegion, list[AddrRange]],
        ioeventfds: IoEventFds,
        told: dict[ViewedSpace, list[IoEventFd]],
    ) -> None:
        self._everybody = everybody
        self._on = on
        self._calls = Callbacks(coalesced)
        self._ioeventfds = ioeventfds
        self._told = told
        self._new_told: dict[ViewedSpace, list[IoEventFd]] = {}
        self._begun: list[MemoryListener] = []
        self._finished = 0

    @property
    def work(self) -> ListenerWork:
        """How many callbacks were made."""
        return ListenerWork(**self._calls.counts)

    def begin(self, listeners: Iterable[MemoryListener]) -> None:
        """Open the round."""
        for listener in listeners:
            listener.begin()
            self._begun.append(listener)

    def commit(self) -> None:
        """Close the round."""
        while self._finished < len(self._begun):
            self._finished += 1  # first: one that fails here has been called
            self._begun[self._finished - 1].commit()
        self._told.update(self._new_told)

    def tell(self, changes: Sequence[SpaceChange], *, shown: bool) -> None:
        """Ask who may refuse it beforehand, then tell what goes and what comes, space by space."""
        for change in changes:
            self._check(change)
        if shown:
            self.begin(self._everybody)
        for change in changes:
            if change.patches:
                self.patches(change.space, change.patches, change.old, change.new)
            if any(map(_asks_for_ioeventfds, self._on[change.space])):
                self._tell_ioeventfds(change)

    def _tell_ioeventfds(self, change: SpaceChange) -> None:
        space = change.space
        update = self._ioeventfds.update(self._told[space], change.new, change.windows)
        for each in update.gone:
            for listener in self._on[space]:
                calls = (listener.eventfd_del, listener.eventfd_add)
                self._calls.ioeventfd(*calls, space, each, change.old)
        for each in update.come:
            for listener in reversed(self._on[space]):
                calls = (listener.eventfd_add, listener.eventfd_del)
                self._calls.ioeventfd(*calls, space, each, change.new)
        self._new_told[space] = update.all

    def _check(self, change: SpaceChange) -> None:
        """Ask the listeners of one address space whether they can follow."""
        asked = [x for x in self._on[change.space] if type(x).check is not MemoryListener.check]
        if not asked:
            return
        space, view = change.space, change.old
        going = [_section(r, space, view) for p in change.patches for r in _without(p.old, p.new)]
        coming = [_section(r, space, view) for p in change.patches for r in _without(p.new, p.old)]
        for listener in asked if going or coming else ():
            listener.check(going, coming)

    def patches(
        self, space: ViewedSpace, patches: Sequence[Patch], view: FlatView, new: FlatView
    ) -> None:
        """Tell the listeners of one address space where ``new`` differs from ``view``.

        Args:
            space: whose listeners to tell.
            patches: the differences, lowest address first.
            view: the view before, which sections carry.
            new: the view after.
        """
        forward = self._on[space]
        for patch in patches:
            for each in _without(patch.old, patch.new):
                self._calls.remove(forward, MemoryRegionSection.of(each, space, view))
        everything = any(type(x).region_nop is not MemoryListener.region_nop for x in forward)
        before = {r.start: r for r in (view if everything else _chained(p.old for p in patches))}
        for each in new if everything else _chained(p.new for p in patches):
            section = MemoryRegionSection.of(each, space, view)
            old = before.get(each.start)
            if old is None or not old.same_mapping(each):
                self._calls.add(forward, section)
            else:
                for listener in forward:
                    listener.region_nop(section)
                    self._calls.count("unchanged")
                self._calls.log(forward, section, old.dirty_log_mask, each.dirty_log_mask)

    def coalescing(
        self, space: ViewedSpace, region: MemoryRegion, parts: list[AddrRange], *, added: bool
    ) -> None:
        """Tell the listeners of one address space that parts of a region are held back, or not."""
        view = space.view
        for each in view:
            if each.region is region:
                section = MemoryRegionSection.of(each, space, view)
                self._calls.coalesced(self._on[space], section, parts, added=added)

    def all_of(self, space: ViewedSpace, listener: MemoryListener, *, added: bool) -> None:
        """Tell one listener, in a round of its own, that all of a space's view comes, or goes."""
        view = space.view
        if added and (coming := [_section(each, space, view) for each in view]):
            listener.check([], coming)
        self.begin([listener])
        for each in view:
            section = MemoryRegionSection.of(each, space, view)
            if added:
                self._calls.add([listener], section)
                self._calls.log([listener], section, 0, each.dirty_log_mask)
            else:
                self._calls.log([listener], section, each.dirty_log_mask, 0)
                self._calls.remove([listener], section)
        for ringing in self._ioeventfds.shown(view):
            call, inverse = listener.eventfd_add, listener.eventfd_del
            if not added:
                call, inverse = inverse, call
            self._calls.ioeventfd(call, inverse, space, ringing, view)
        self.commit()

    def take_back(self, error: BaseException) -> None:
        """Close the round, and tell the opposite of it in another one.

        Args:
            error: why. It gets a note of each error that listeners raise meanwhile; all the others
                are told nevertheless.
        """
        steps: list[Callable[[], None]] = [x.commit for x in self._begun[self._finished :]]
        inverses = self._calls.inverses()
        if inverses:
            steps += [x.begin for x in self._begun]
            steps += inverses
            steps += [x.commit for x in self._begun]
        for step in steps:
            try:
                step()
            except Exception as failure:  # noqa: BLE001  (one engine's failure is not the others')
                error.add_note(f"taking the change back, a listener raised {failure!r}")


def _section(each: FlatRange, space: ViewedSpace, view: FlatView) -> MemoryRegionSection:
    return MemoryRegionSection.of(each, space, view)


def _chained(lists: Iterable[list[FlatRange]]) -> Iterator[FlatRange]:
    return chain.from_iterable(lists)


def _without(ranges: list[FlatRange], others: list[FlatRange]) -> Iterator[FlatRange]:
    """Yield the ranges that no range of ``others`` maps in the same way."""
    kept = {r.start: r for r in others}
    for each in ranges:
        same = kept.get(each.start)
        if same is None or not each.same_mapping(same):
            yield each


def _asks_for_ioeventfds(listener: MemoryListener) -> bool:
    kind = type(listener)
    return (
        kind.eventfd_add is not MemoryListener.eventfd_add
        or kind.eventfd_del is not MemoryListener.eventfd_del
    )
