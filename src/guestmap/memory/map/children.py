"""The subregions of one region: in rendering order, and findable by address.

Rendering asks "which children touch this window, most important first". A container may hold
thousands of children (the PCI hole of a large machine), and a commit renders small windows only,
so the answer must not cost a walk over all of them. Children are filed by size class (the power of
two at or below their size), each class sorted by address: one class needs to be searched only from
``window start - twice the class`` on. The order of rendering is found out when it is asked for.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterator
from operator import attrgetter
from typing import TYPE_CHECKING

from guestmap.base import AddrRange
from guestmap.memory.map.paged import PagedList

if TYPE_CHECKING:
    from guestmap.memory.map.region import MemoryRegion

_INDEX_FROM = 24
"""Below this many children a plain walk is cheaper than the index."""

_ADDRESS_SHIFT = 64
"""A key is the address above the identity: one number, so that bisection is fast."""

_order = attrgetter("_order")


class Children:
    """Subregions sorted by priority, highest first; among equals the last added comes first.

    Attributes:
        members: all of them, in no order that matters.
    """

    __slots__ = ("_classes", "_ordered", "members")

    def __init__(self) -> None:
        self.members: dict[MemoryRegion, None] = {}
        self._ordered: list[MemoryRegion] | None = []
        self._classes: dict[int, PagedList[MemoryRegion]] | None = None

    def __len__(self) -> int:
        return len(self.members)

    def __iter__(self) -> Iterator[MemoryRegion]:
        return iter(self.ordered())

    def ordered(self) -> list[MemoryRegion]:
        """Return all of them in rendering order."""
        if self._ordered is None:
            self._ordered = sorted(self.members, key=_order)
        return self._ordered

    def add(self, child: MemoryRegion) -> None:
        """Insert ``child``, whose ``_order`` says its place."""
        self.members[child] = None
        if self._classes is not None:
            self._ordered = None
            self._file(child)
        else:
            insort(self.ordered(), child, key=_order)
            if len(self.members) > _INDEX_FROM:
                self._classes = {}
                for each in self.members:
                    self._file(each)

    def remove(self, child: MemoryRegion) -> None:
        """Take ``child`` out; it must be present, with the address and size it was added with."""
        del self.members[child]
        if self._classes is not None:
            self._ordered = None
            size_class = child.size.bit_length()
            like = self._classes[size_class]
            like.remove(_key(child))
            if not like:
                del self._classes[size_class]
        else:
            self.ordered().remove(child)

    def within(self, start: int, end: int) -> list[MemoryRegion]:
        """Return the children that touch ``[start, end)`` (region offsets), in rendering order."""
        if self._classes is None:
            return [c for c in self.ordered() if c.addr < end and c.addr + c.size > start]
        found: list[MemoryRegion] = []
        high = end << _ADDRESS_SHIFT
        for size_class, like in self._classes.items():
            # Whoever begins before this has ended at the window's start.
            low = (start - (1 << size_class)) << _ADDRESS_SHIFT
            if like.last < low or like.first >= high:  # most classes are elsewhere
                continue
            for child in like.between(low, high):
                if child.addr + child.size > start:
                    found.append(child)
        if len(found) > 1:
            found.sort(key=_order)
        return found

    def gaps(self, end: int, size: int, align: int) -> Iterator[AddrRange]:
        """Yield the ranges below ``end`` that no child touches and that hold ``size`` bytes.

        Each starts at a multiple of ``align`` bytes; lowest first.
        """
        free = 0
        for low, high in [*sorted((c.addr, c.addr + c.size) for c in self.members), (end, end)]:
            start = -(-free // align) * align
            if start + size <= min(low, end):
                yield AddrRange(start, min(low, end) - start)
            free = max(free, high)

    def _file(self, child: MemoryRegion) -> None:
        assert self._classes is not None
        size_class = child.size.bit_length()
        like = self._classes.get(size_class)
        if like is None:
            like = self._classes[size_class] = PagedList()
        like.add(_key(child), child)


def _key(child: MemoryRegion) -> int:
    return child.addr << _ADDRESS_SHIFT | id(child)
