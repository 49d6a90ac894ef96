"""Listeners: whoever must be told when an address space shows something else.

Order and priorities are QEMU's (include/exec/memory.h, ``struct MemoryListener``): what is added
is told to the lowest priority first, what goes away to the highest first; among equals the
one that registered first comes first, or last in the reverse order.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, NamedTuple

from guestmap.memory.flatview import FlatRange, FlatView

if TYPE_CHECKING:
    from guestmap.memory.address_space import AddressSpace
    from guestmap.memory.region import MemoryRegion
    from guestmap.memory.view_root import Patch

PRIORITY_MIN = 0
PRIORITY_ACCEL = 10
PRIORITY_DEV_BACKEND = 10


class MemoryRegionSection(NamedTuple):
    """A part of a region as it shows in an address space.

    Attributes:
        region: the region that answers.
        offset_within_region: first byte of it that shows.
        size: bytes, up to 2**64.
        offset_within_address_space: the address of that first byte.
        readonly, nonvolatile, unmergeable: with what parents and aliases add.
        address_space: where it shows.
        view: the view it was taken from; for a listener the one before the change.
    """

    region: MemoryRegion
    offset_within_region: int
    size: int
    offset_within_address_space: int
    readonly: bool
    nonvolatile: bool
    unmergeable: bool
    address_space: AddressSpace
    view: FlatView

    @classmethod
    def of(cls, each: FlatRange, space: AddressSpace, view: FlatView) -> MemoryRegionSection:
        """Return the section that is one range of an address space."""
        return cls(
            each.region,
            each.offset_in_region,
            each.end - each.start,
            each.start,
            each.readonly,
            each.nonvolatile,
            each.unmergeable,
            space,
            view,
        )


class MemoryListener:
    """Base class: override what you want to hear of; everything else does nothing.

    Callbacks run inside the commit, in the thread that committed, with the system locked. They
    must not change the tree.

    Attributes:
        priority: 0 and up; see the module.
        name: for people.
    """

    priority: int = PRIORITY_MIN
    name: str = "listener"

    def begin(self) -> None:
        """A commit that changes some view (not always this one's) starts to tell."""

    def commit(self) -> None:
        """The commit has told everything, and the new views are published."""

    def region_add(self, section: MemoryRegionSection) -> None:
        """``section`` begins to show."""

    def region_del(self, section: MemoryRegionSection) -> None:
        """``section`` no longer shows; of one commit, all of these come before any other."""

    def region_nop(self, section: MemoryRegionSection) -> None:
        """``section`` stays as it is. Overriding this makes each commit walk the whole view."""

    def log_start(self, section: MemoryRegionSection, old: int, new: int) -> None:
        """More clients than before want to know of writes to ``section`` (masks)."""

    def log_stop(self, section: MemoryRegionSection, old: int, new: int) -> None:
        """Fewer clients than before want to know of writes to ``section`` (masks)."""


def in_order(listeners: Iterable[MemoryListener]) -> list[MemoryListener]:
    """Return listeners by priority, the lowest first; equals keep their order."""
    return sorted(listeners, key=lambda each: each.priority)


def tell_patches(space: AddressSpace, patches: list[Patch], view: FlatView, new: FlatView) -> None:
    """Tell the listeners of one address space what a commit changes: first all that goes.

    Args:
        space: whose listeners to tell.
        patches: where ``new`` differs from ``view``, lowest address first.
        view: the view before, still published.
        new: the view after.
    """
    forward = space.listeners
    reverse = forward[::-1]
    for patch in patches:
        for each in _without(patch.old, patch.new):
            section = MemoryRegionSection.of(each, space, view)
            for listener in reverse:
                listener.region_del(section)
    everything = any(type(x).region_nop is not MemoryListener.region_nop for x in forward)
    old_ranges = {r.start: r for r in (view if everything else _all_old(patches))}
    for each in new if everything else _all_new(patches):
        before = old_ranges.get(each.start)
        section = MemoryRegionSection.of(each, space, view)
        if before is None or not before.same_mapping(each):
            for listener in forward:
                listener.region_add(section)
        else:
            for listener in forward:
                listener.region_nop(section)
            _tell_log(forward, section, before.dirty_log_mask, each.dirty_log_mask)


def tell_everything(space: AddressSpace, listener: MemoryListener, *, added: bool) -> None:
    """Tell one listener that all of a space's present view comes, or goes."""
    view = space.view
    listener.begin()
    for each in view:
        section = MemoryRegionSection.of(each, space, view)
        mask = each.dirty_log_mask
        if added:
            listener.region_add(section)
            if mask:
                listener.log_start(section, 0, mask)
        else:
            if mask:
                listener.log_stop(section, mask, 0)
            listener.region_del(section)
    listener.commit()


def _tell_log(
    forward: list[MemoryListener], section: MemoryRegionSection, old: int, new: int
) -> None:
    if new & ~old:
        for listener in forward:
            listener.log_start(section, old, new)
    if old & ~new:
        for listener in forward[::-1]:
            listener.log_stop(section, old, new)


def _all_old(patches: list[Patch]) -> Iterator[FlatRange]:
    for patch in patches:
        yield from patch.old


def _all_new(patches: list[Patch]) -> Iterator[FlatRange]:
    for patch in patches:
        yield from patch.new


def _without(ranges: list[FlatRange], others: list[FlatRange]) -> Iterator[FlatRange]:
    """Yield the ranges that no range of ``others`` maps in the same way."""
    kept = {r.start: r for r in others}
    for each in ranges:
        same = kept.get(each.start)
        if same is None or not each.same_mapping(same):
            yield each
