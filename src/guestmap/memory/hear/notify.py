"""Telling the listeners what a commit changes, and taking it back when one of them refuses.

The order is QEMU's: for each address space all that goes is told before anything that comes.
Everything told is noted, because an engine may refuse (the host has no more slots, say): then
those that were told are told the opposite, and stand where they stood before the commit.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from typing import TYPE_CHECKING, Any

from guestmap.base import AddrRange
from guestmap.memory.hear.ioeventfd import BellChange, IoEventFd, shown
from guestmap.memory.hear.listener import MemoryListener
from guestmap.memory.map.flat_range import FlatRange
from guestmap.memory.map.flatview import FlatView
from guestmap.memory.map.history import ListenerWork
from guestmap.memory.map.section import MemoryRegionSection

if TYPE_CHECKING:
    from guestmap.memory.access.address_space import AddressSpace
    from guestmap.memory.map.region import MemoryRegion
    from guestmap.memory.map.view_root import Patch


class Telling:
    """One round of callbacks, from ``begin`` to ``commit``."""

    __slots__ = ("_begun", "_counts", "_finished", "_inverses")

    def __init__(self) -> None:
        self._begun: list[MemoryListener] = []
        self._counts: Counter[str] = Counter()
        self._finished = 0
        self._inverses: list[tuple[Callable[..., None], tuple[Any, ...]]] = []

    @property
    def work(self) -> ListenerWork:
        """How many callbacks were made."""
        return ListenerWork(**self._counts)

    def _note(self, kind: str, inverse: Callable[..., None], *args: object) -> None:
        """Count a callback that was made, and remember how it is taken back."""
        self._counts[kind] += 1
        self._inverses.append((inverse, args))

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

    @staticmethod
    def check(space: AddressSpace, patches: list[Patch], view: FlatView) -> None:
        """Ask the listeners of one address space whether they can follow; before :meth:`begin`.

        Args:
            space: whose listeners to ask.
            patches: the differences, lowest address first.
            view: the view before, which sections carry.

        Raises:
            Exception: what a listener refuses it with.
        """
        going = [_section(r, space, view) for p in patches for r in _without(p.old, p.new)]
        coming = [_section(r, space, view) for p in patches for r in _without(p.new, p.old)]
        for listener in space.listeners if going or coming else ():
            listener.check(going, coming)

    def patches(
        self, space: AddressSpace, patches: list[Patch], view: FlatView, new: FlatView
    ) -> None:
        """Tell the listeners of one address space where ``new`` differs from ``view``.

        Args:
            space: whose listeners to tell.
            patches: the differences, lowest address first.
            view: the view before, which sections carry.
            new: the view after.
        """
        forward = space.listeners
        for patch in patches:
            for each in _without(patch.old, patch.new):
                self._del(forward, MemoryRegionSection.of(each, space, view))
        everything = any(type(x).region_nop is not MemoryListener.region_nop for x in forward)
        before = {r.start: r for r in (view if everything else _chained(p.old for p in patches))}
        for each in new if everything else _chained(p.new for p in patches):
            section = MemoryRegionSection.of(each, space, view)
            old = before.get(each.start)
            if old is None or not old.same_mapping(each):
                self._add(forward, section)
            else:
                for listener in forward:
                    listener.region_nop(section)
                    self._counts["unchanged"] += 1
                self._log(forward, section, old.dirty_log_mask, each.dirty_log_mask)

    def bells(self, space: AddressSpace, change: BellChange, new: FlatView) -> None:
        """Tell the listeners of one address space which writes ring no more, and which do now."""
        for bell in change.gone:
            for listener in space.listeners:
                self._bell(listener.eventfd_del, listener.eventfd_add, space, bell, space.view)
        for bell in change.come:
            for listener in reversed(space.listeners):
                self._bell(listener.eventfd_add, listener.eventfd_del, space, bell, new)

    def coalescing(
        self, space: AddressSpace, region: MemoryRegion, parts: list[AddrRange], *, added: bool
    ) -> None:
        """Tell the listeners of one address space that parts of a region are held back, or not."""
        view = space.view
        for each in view:
            if each.region is region:
                section = MemoryRegionSection.of(each, space, view)
                self._coalesced(space.listeners, section, parts, added=added)

    def all_of(self, space: AddressSpace, listener: MemoryListener, *, added: bool) -> None:
        """Tell one listener, in a round of its own, that all of a space's view comes, or goes."""
        view = space.view
        if added and (coming := [_section(each, space, view) for each in view]):
            listener.check([], coming)
        self.begin([listener])
        for each in view:
            section = MemoryRegionSection.of(each, space, view)
            if added:
                self._add([listener], section)
                self._log([listener], section, 0, each.dirty_log_mask)
            else:
                self._log([listener], section, each.dirty_log_mask, 0)
                self._del([listener], section)
        for bell in shown(view):
            call, inverse = listener.eventfd_add, listener.eventfd_del
            if not added:
                call, inverse = inverse, call
            self._bell(call, inverse, space, bell, view)
        self.commit()

    def take_back(self, error: BaseException) -> None:
        """Close the round, and tell the opposite of it in another one.

        Args:
            error: why. It gets a note of each error that listeners raise meanwhile; all the others
                are told nevertheless.
        """
        steps: list[Callable[[], None]] = [x.commit for x in self._begun[self._finished :]]
        if self._inverses:
            steps += [x.begin for x in self._begun]
            steps += [_bound(call, args) for call, args in reversed(self._inverses)]
            steps += [x.commit for x in self._begun]
        for step in steps:
            try:
                step()
            except Exception as failure:  # noqa: BLE001  (one engine's failure is not the others')
                error.add_note(f"taking the change back, a listener raised {failure!r}")

    # -- single callbacks, and how each is taken back ----------------------------------------------

    def _add(self, forward: list[MemoryListener], section: MemoryRegionSection) -> None:
        for listener in forward:
            listener.region_add(section)
            self._note("added", listener.region_del, section)
        if section.region.coalesced:
            self._coalesced(forward, section, section.region.coalesced, added=True)

    def _del(self, forward: list[MemoryListener], section: MemoryRegionSection) -> None:
        if section.region.coalesced:
            self._coalesced(forward, section, section.region.coalesced, added=False)
        for listener in reversed(forward):
            listener.region_del(section)
            self._note("removed", listener.region_add, section)

    def _bell(
        self,
        call: Callable[[MemoryRegionSection, IoEventFd], None],
        inverse: Callable[[MemoryRegionSection, IoEventFd], None],
        space: AddressSpace,
        bell: IoEventFd,
        view: FlatView,
    ) -> None:
        found = view.find(bell.address)
        if found is not None:
            section = MemoryRegionSection.of(found, space, view)
            call(section, bell)
            self._note("bells", inverse, section, bell)

    def _coalesced(
        self,
        forward: list[MemoryListener],
        section: MemoryRegionSection,
        parts: list[AddrRange],
        *,
        added: bool,
    ) -> None:
        shown_part = AddrRange(section.offset_within_region, section.size)
        shift = section.offset_within_address_space - section.offset_within_region
        for part in parts:
            common = part.intersection(shown_part)
            if not common.size:
                continue
            args = (section, common.start + shift, common.size)
            for listener in forward if added else reversed(forward):
                calls = (listener.coalesced_io_del, listener.coalesced_io_add)
                calls[added](*args)
                self._inverses.append((calls[not added], args))

    def _log(
        self, forward: list[MemoryListener], section: MemoryRegionSection, old: int, new: int
    ) -> None:
        if new & ~old:
            for listener in forward:
                listener.log_start(section, old, new)
                self._note("logs", listener.log_stop, section, new, old)
        if old & ~new:
            for listener in reversed(forward):
                listener.log_stop(section, old, new)
                self._note("logs", listener.log_start, section, new, old)


def _section(each: FlatRange, space: AddressSpace, view: FlatView) -> MemoryRegionSection:
    return MemoryRegionSection.of(each, space, view)


def _bound(call: Callable[..., None], args: tuple[Any, ...]) -> Callable[[], None]:
    return lambda: call(*args)


def _chained(lists: Iterable[list[FlatRange]]) -> Iterator[FlatRange]:
    return chain.from_iterable(lists)


def _without(ranges: list[FlatRange], others: list[FlatRange]) -> Iterator[FlatRange]:
    """Yield the ranges that no range of ``others`` maps in the same way."""
    kept = {r.start: r for r in others}
    for each in ranges:
        same = kept.get(each.start)
        if same is None or not each.same_mapping(same):
            yield each
