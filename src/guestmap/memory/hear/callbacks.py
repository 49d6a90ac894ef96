"""Single callbacks: each is counted, and how it is taken back is remembered."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from guestmap.base import AddrRange
from guestmap.memory.map.section import MemoryRegionSection

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from guestmap.memory.hear.ioeventfd import IoEventFd
    from guestmap.memory.hear.listener import MemoryListener
    from guestmap.memory.map.flatview import FlatView
    from guestmap.memory.map.region import MemoryRegion
    from guestmap.memory.map.space import ViewedSpace


class Callbacks:
    """The callbacks of one round.

    Listeners are given lowest priority first; what goes is told in the other order.

    Args:
        coalesced: the parts of each region of which writes may be held back.

    Attributes:
        counts: how many were made, by kind.
    """

    __slots__ = ("_inverses", "_parts", "counts")

    def __init__(self, coalesced: Mapping[MemoryRegion, list[AddrRange]]) -> None:
        self._parts = coalesced
        self._inverses: list[tuple[Callable[..., None], tuple[Any, ...]]] = []
        self.counts: dict[str, int] = {}

    def inverses(self) -> list[Callable[[], None]]:
        """Return what takes all of them back, in the order in which it is to be called."""
        return [partial(call, *args) for call, args in reversed(self._inverses)]

    def count(self, kind: str) -> None:
        """Count a callback that was made."""
        self.counts[kind] = self.counts.get(kind, 0) + 1

    def _note(self, kind: str, inverse: Callable[..., None], *args: object) -> None:
        self.count(kind)
        self._inverses.append((inverse, args))

    def add(self, forward: list[MemoryListener], section: MemoryRegionSection) -> None:
        """Tell that a section comes, and what of it is coalesced."""
        for listener in forward:
            listener.region_add(section)
            self._note("added", listener.region_del, section)
        parts = self._parts.get(section.region)
        if parts:
            self.coalesced(forward, section, parts, added=True)

    def remove(self, forward: list[MemoryListener], section: MemoryRegionSection) -> None:
        """Tell that a section goes."""
        parts = self._parts.get(section.region)
        if parts:
            self.coalesced(forward, section, parts, added=False)
        for listener in reversed(forward):
            listener.region_del(section)
            self._note("removed", listener.region_add, section)

    def ioeventfd(
        self,
        call: Callable[[MemoryRegionSection, IoEventFd], None],
        inverse: Callable[[MemoryRegionSection, IoEventFd], None],
        space: ViewedSpace,
        ringing: IoEventFd,
        view: FlatView,
    ) -> None:
        """Tell of one event descriptor, if anything shows where it is."""
        found = view.find(ringing.address)
        if found is not None:
            section = MemoryRegionSection.of(found, space, view)
            call(section, ringing)
            self._note("bells", inverse, section, ringing)

    def coalesced(
        self,
        forward: list[MemoryListener],
        section: MemoryRegionSection,
        parts: list[AddrRange],
        *,
        added: bool,
    ) -> None:
        """Tell of the parts of a section of which writes may be held back, or may not any more."""
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

    def log(
        self, forward: list[MemoryListener], section: MemoryRegionSection, old: int, new: int
    ) -> None:
        """Tell for whom a section's writes are logged now."""
        if new & ~old:
            for listener in forward:
                listener.log_start(section, old, new)
                self._note("logs", listener.log_stop, section, new, old)
        if old & ~new:
            for listener in reversed(forward):
                listener.log_stop(section, old, new)
                self._note("logs", listener.log_start, section, new, old)
