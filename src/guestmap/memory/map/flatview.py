"""The flat view: what a guest sees, as sorted ranges that never overlap.

A view is frozen. It is kept as a list of short chunks, so that a commit that touches a few
addresses copies a few chunks and shares the others with the view before it.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from guestmap.memory.map.flat_range import FlatRange

if TYPE_CHECKING:
    from guestmap.memory.map.region import MemoryRegion
    from guestmap.memory.ram.block import RamBlock

CHUNK = 48
"""Ranges that a chunk is cut to; one grows to twice as many before it is cut again."""


_Hot = tuple[int, int, "RamBlock | None", int]
_COLD: _Hot = (1 << 64, 0, None, 0)


class _Chunk:
    """A few neighbouring ranges, and their start addresses for bisection."""

    __slots__ = ("ranges", "starts")

    def __init__(self, ranges: list[FlatRange]) -> None:
        self.ranges = ranges
        self.starts = [r.start for r in ranges]


class FlatView:
    """Sorted, disjoint ranges of one physical root. Frozen: a commit makes a new one.

    Attributes:
        root: the region that was rendered, or None for the empty view.
        generation: number of the commit that made this view.
        count: how many ranges there are.
    """

    __slots__ = ("_chunks", "_starts", "count", "generation", "hot", "hot_write", "plans", "root")

    def __init__(
        self,
        root: MemoryRegion | None,
        chunks: list[_Chunk],
        starts: list[int],
        count: int,
        generation: int,
    ) -> None:
        self.root = root
        self.generation = generation
        self.count = count
        self._chunks = chunks
        self._starts = starts
        self.plans: dict[int, Any] = {}
        """Room for the dispatcher to remember, by address and size, where accesses went."""
        self.hot: _Hot = _COLD
        self.hot_write: _Hot = _COLD
        """Room for the dispatcher to remember the RAM that was last read, and written: the first
        address, a last one, the block, and the address of the block's first byte. The block, not
        its buffer: an old view that somebody keeps must not keep host memory mapped."""

    @classmethod
    def of(
        cls, root: MemoryRegion | None, ranges: list[FlatRange], generation: int = 0
    ) -> FlatView:
        """Return the view that has these ranges, which must be sorted and disjoint."""
        chunks = _cut_chunks(ranges)
        return cls(root, chunks, [c.starts[0] for c in chunks], len(ranges), generation)

    def __len__(self) -> int:
        return self.count

    def __iter__(self) -> Iterator[FlatRange]:
        for chunk in self._chunks:
            yield from chunk.ranges

    @property
    def ranges(self) -> list[FlatRange]:
        """All ranges, lowest address first."""
        return list(self)

    def find(self, address: int) -> FlatRange | None:
        """Return the range that answers at ``address``, or None."""
        place = bisect_right(self._starts, address) - 1
        if place < 0:
            return None
        chunk = self._chunks[place]
        found = chunk.ranges[bisect_right(chunk.starts, address) - 1]
        return found if address < found.end else None

    def span(self, start: int, end: int) -> list[FlatRange]:
        """Return the range that answers at ``start`` and those after it that begin before ``end``.

        Cheaper than :meth:`within`, and empty where nobody answers at ``start``.
        """
        place = bisect_right(self._starts, start) - 1
        if place < 0:
            return []
        chunk = self._chunks[place]
        starts = chunk.starts
        first = bisect_right(starts, start) - 1
        last = bisect_left(starts, end, first)
        found = chunk.ranges[first:last]
        if found[0].end <= start:
            return []
        while last == len(starts) and place + 1 < len(self._starts):
            place += 1
            starts = self._chunks[place].starts
            last = bisect_left(starts, end)
            found += self._chunks[place].ranges[:last]
        return found

    def next_start(self, address: int) -> int | None:
        """Return the lowest start of a range above ``address``, or None."""
        place = bisect_right(self._starts, address) - 1
        if place >= 0:
            chunk = self._chunks[place]
            index = bisect_right(chunk.starts, address)
            if index < len(chunk.starts):
                return chunk.starts[index]
        return self._starts[place + 1] if place + 1 < len(self._starts) else None

    def within(self, start: int, end: int) -> list[FlatRange]:
        """Return the ranges that share an address with ``[start, end)``, lowest first."""
        return self._collect(start, end)[2]

    def touching(self, start: int, end: int) -> list[FlatRange]:
        """Return the ranges within ``[start, end)`` and those that end or start right at it."""
        return self._collect(start - 1, end + 1)[2]

    def _collect(self, start: int, end: int) -> tuple[int, int, list[FlatRange]]:
        """Return the span of chunks that hold the ranges within a window, and those ranges."""
        first = max(0, bisect_right(self._starts, start) - 1)
        last = bisect_left(self._starts, end, lo=first)
        found = [
            r for c in self._chunks[first:last] for r in c.ranges if r.end > start and r.start < end
        ]
        return first, last, found

    def replaced(self, old: list[FlatRange], new: list[FlatRange], generation: int) -> FlatView:
        """Return a view in which the neighbouring ranges ``old`` are exchanged for ``new``.

        Costs what the touched chunks cost, plus one pointer for each chunk of the view.
        """
        if old:
            low, high = old[0].start, old[-1].end
        elif new:
            low, high = new[0].start, new[-1].end
        else:
            return self
        first, last, _ = self._collect(low, high)
        last = max(last, min(first + 1, len(self._chunks)))  # in front of everything there is
        around = [r for c in self._chunks[first:last] for r in c.ranges]
        index = bisect_left([r.start for r in around], low)
        around[index : index + len(old)] = new
        if len(around) < CHUNK // 4 and last < len(self._chunks):
            around += self._chunks[last].ranges
            last += 1
        fresh = _cut_chunks(around)
        chunks = self._chunks.copy()
        chunks[first:last] = fresh
        starts, begin = self._starts, [c.starts[0] for c in fresh]
        if starts[first:last] != begin:
            starts = starts.copy()
            starts[first:last] = begin
        return FlatView(self.root, chunks, starts, self.count - len(old) + len(new), generation)

    def __repr__(self) -> str:
        name = self.root.name if self.root is not None else "(none)"
        return f"<FlatView of {name}: {self.count} ranges, generation {self.generation}>"


def _cut_chunks(ranges: list[FlatRange]) -> list[_Chunk]:
    if len(ranges) <= 2 * CHUNK:
        return [_Chunk(ranges)] if ranges else []
    return [_Chunk(ranges[i : i + CHUNK]) for i in range(0, len(ranges), CHUNK)]
