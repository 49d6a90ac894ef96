"""The subregions of one region: in rendering order, and findable by address.

Rendering asks "which children touch this window, most important first". A container may hold
thousands of children (the PCI hole of a large machine), and a commit renders small windows only,
so the answer must not cost a walk over all of them. Children are filed by size class (the power of
two at or below their size), each class sorted by address: one class needs to be searched only from
``window start - twice the class`` on.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterator
from operator import attrgetter
from typing import TYPE_CHECKING

from guestmap.base import AddrRange

if TYPE_CHECKING:
    from guestmap.memory.map.region import MemoryRegion

_INDEX_FROM = 24
"""Below this many children a plain walk is cheaper than the index."""

_ADDRESS_SHIFT = 64
"""A key is the address above the identity: one number, so that bisection is fast."""

_order = attrgetter("_order")


class _SizeClass:
    """Children of about the same size, by address."""

    __slots__ = ("keys", "members")

    def __init__(self) -> None:
        self.keys: list[int] = []
        self.members: list[MemoryRegion] = []

    def add(self, child: MemoryRegion) -> None:
        key = child.addr << _ADDRESS_SHIFT | id(child)
        place = bisect_left(self.keys, key)
        self.keys.insert(place, key)
        self.members.insert(place, child)

    def remove(self, child: MemoryRegion) -> None:
        place = bisect_left(self.keys, child.addr << _ADDRESS_SHIFT | id(child))
        del self.keys[place]
        del self.members[place]


class Children:
    """Subregions sorted by priority, highest first; among equals the last added comes first."""

    __slots__ = ("_classes", "_list")

    def __init__(self) -> None:
        self._list: list[MemoryRegion] = []
        self._classes: dict[int, _SizeClass] | None = None

    def __len__(self) -> int:
        return len(self._list)

    def __iter__(self) -> Iterator[MemoryRegion]:
        return iter(self._list)

    def add(self, child: MemoryRegion) -> None:
        """Insert ``child``, whose ``_order`` says its place."""
        insort(self._list, child, key=_order)
        if self._classes is not None:
            self._file(child)
        elif len(self._list) > _INDEX_FROM:
            self._classes = {}
            for each in self._list:
                self._file(each)

    def remove(self, child: MemoryRegion) -> None:
        """Take ``child`` out; it must be present, with the address and size it was added with."""
        index = bisect_left(self._list, child._order, key=_order)
        del self._list[index]
        if self._classes is not None:
            size_class = child.size.bit_length()
            like = self._classes[size_class]
            like.remove(child)
            if not like.members:
                del self._classes[size_class]

    def within(self, start: int, end: int) -> list[MemoryRegion]:
        """Return the children that touch ``[start, end)`` (region offsets), in rendering order."""
        if self._classes is None:
            return [c for c in self._list if c.addr < end and c.addr + c.size > start]
        found: list[MemoryRegion] = []
        for size_class, like in self._classes.items():
            # Whoever begins before this has ended at the window's start.
            place = bisect_left(like.keys, (start - (1 << size_class)) << _ADDRESS_SHIFT)
            last = bisect_left(like.keys, end << _ADDRESS_SHIFT, lo=place)
            for child in like.members[place:last]:
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
        for low, high in [*sorted((c.addr, c.addr + c.size) for c in self._list), (end, end)]:
            start = -(-free // align) * align
            if start + size <= min(low, end):
                yield AddrRange(start, min(low, end) - start)
            free = max(free, high)

    def _file(self, child: MemoryRegion) -> None:
        assert self._classes is not None
        size_class = child.size.bit_length()
        like = self._classes.get(size_class)
        if like is None:
            like = self._classes[size_class] = _SizeClass()
        like.add(child)
