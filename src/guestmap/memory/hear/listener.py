"""Listeners: whoever must be told when an address space shows something else.

Order and priorities are QEMU's (include/exec/memory.h, ``struct MemoryListener``): what is added
is told to the lowest priority first, what goes away to the highest first; among equals the
one that registered first comes first, or last in the reverse order.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from guestmap.memory.map.section import MemoryRegionSection

if TYPE_CHECKING:
    from guestmap.memory.hear.ioeventfd import IoEventFd

PRIORITY_MIN = 0
PRIORITY_ACCEL = 10
PRIORITY_DEV_BACKEND = 10


class MemoryListener:
    """Base class: override what you want to hear of; everything else does nothing.

    Callbacks run inside the commit, in the thread that committed, with the system locked. They
    must not change the tree, nor register listeners (StateError).

    What can be refused is best refused in :meth:`check`, before anybody is told anything. Any other
    callback that raises (an engine: HostError) refuses the whole commit, too: the tree and views
    become what they were; whoever was told something is first told ``commit``, if it was not yet,
    and then the opposite, from a ``begin`` to a ``commit`` of its own; the error goes to whoever
    made the change. An add, del or log callback that raised counts as one that did nothing and is
    not taken back; after a ``commit`` that raised, all is.

    Attributes:
        priority: 0 and up; see the module.
        name: for people.
    """

    priority: int = PRIORITY_MIN
    name: str = "listener"

    def check(
        self, going: Sequence[MemoryRegionSection], coming: Sequence[MemoryRegionSection]
    ) -> None:
        """Refuse a commit: raise, and nobody is told of it. Nothing has changed yet.

        Called before :meth:`begin`, where something of the address space is to go or to come; a
        listener that registers is asked about all that shows. To accept is no promise of the
        others': a commit that is checked may still not be told.

        Args:
            going: what is not going to show any more.
            coming: what is going to show, which does not, or not in this way.
        """

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

    def log_sync(self, section: MemoryRegionSection) -> None:
        """Mark the pages of ``section`` dirty that the CPU wrote (``block.dirty.mark``)."""

    def log_sync_global(self, *, last_stage: bool) -> None:
        """Mark all dirty pages, for listeners that know no sections; not with :meth:`log_sync`."""

    def log_clear(self, section: MemoryRegionSection) -> None:
        """The pages of ``section`` are clean now: report the next write to each."""

    def log_global_start(self) -> None:
        """All RAM is going to be logged."""

    def log_global_stop(self) -> None:
        """No longer is all RAM logged; told to the highest priority first."""

    def log_global_after_sync(self) -> None:
        """What was asked for by syncing has been taken."""

    def eventfd_add(self, section: MemoryRegionSection, bell: IoEventFd) -> None:
        """A write rings from now on; told to the highest priority first (as QEMU does)."""

    def eventfd_del(self, section: MemoryRegionSection, bell: IoEventFd) -> None:
        """A write rings no more; told to the lowest priority first (as QEMU does)."""

    def coalesced_io_add(self, section: MemoryRegionSection, address: int, size: int) -> None:
        """Writes to ``size`` bytes at ``address`` of the address space may be held back."""

    def coalesced_io_del(self, section: MemoryRegionSection, address: int, size: int) -> None:
        """Writes to ``size`` bytes at ``address`` must come at once again."""


def in_order(listeners: Iterable[MemoryListener]) -> list[MemoryListener]:
    """Return listeners by priority, the lowest first; equals keep their order."""
    return sorted(listeners, key=lambda each: each.priority)
