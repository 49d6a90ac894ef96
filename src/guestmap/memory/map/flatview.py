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

    def __init__(self, ranges: list[FlatRange], starts: list[int] | None = None) -> None:
        self.ranges = ranges
        self.starts = [r.start for r in ranges] if starts is None else starts

    def replaced(self, low: int, old: list[FlatRange], new: list[FlatRange]) -> _Chunk:
        """Return a chunk in which ``new`` stands in the place of ``old``, which is at ``low``."""
        index = bisect_left(self.starts, low)
        ranges, starts = self.ranges.copy(), self.starts.copy()
        ranges[index : index + len(old)] = new
        starts[index : index + len(old)] = [r.start for r in new]
        return _Chunk(ranges, starts)


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
        return self._collect(start, end)

    def touching(self, start: int, end: int) -> list[FlatRange]:
        """Return the ranges within ``[start, end)`` and those that end or start right at it."""
        return self._collect(start - 1, end + 1)

    def _collect(self, start: int, end: int) -> list[FlatRange]:
        first, last = self._span(start, end)
        found: list[FlatRange] = []
        for chunk in self._chunks[first:last]:
            starts = chunk.starts
            low = max(0, bisect_right(starts, start) - 1)
            found += chunk.ranges[low : bisect_left(starts, end, lo=low)]
        if found and found[0].end <= start:
            del found[0]
        return found

    def _span(self, start: int, end: int) -> tuple[int, int]:
        """Return the first of the chunks that may hold ranges within a window, and the last + 1."""
        first = max(0, bisect_right(self._starts, start) - 1)
        return first, bisect_left(self._starts, end, lo=first)

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
        first, last = self._span(low, high)
        last = max(last, min(first + 1, len(self._chunks)))  # in front of everything there is
        around = _joined(self._chunks[first:last]).replaced(low, old, new)
        if len(around.ranges) < CHUNK // 4 and last < len(self._chunks):
            around = _joined([around, self._chunks[last]])
            last += 1
        fresh = [around] if 0 < len(around.ranges) <= 2 * CHUNK else _cut_chunks(around.ranges)
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


def _joined(chunks: list[_Chunk]) -> _Chunk:
    if len(chunks) == 1:  # nearly always
        return chunks[0]
    return _Chunk([r for c in chunks for r in c.ranges])


def _cut_chunks(ranges: list[FlatRange]) -> list[_Chunk]:
    if len(ranges) <= 2 * CHUNK:
        return [_Chunk(ranges)] if ranges else []
    return [_Chunk(ranges[i : i + CHUNK]) for i in range(0, len(ranges), CHUNK)]
