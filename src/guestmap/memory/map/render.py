"""Rendering: the tree of regions becomes the ranges that a guest sees.

The definition is QEMU's: render the children in priority order, then fill the gaps that are left
with the region itself. Ranges that were rendered earlier always win. Here any window of the
address space can be rendered alone, and the result is the full rendering cut to that window.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING

from guestmap.base import ADDRESS_SPACE_SIZE, ConfigError
from guestmap.memory.map.flat_range import FlatRange

if TYPE_CHECKING:
    from guestmap.memory.map.region import MemoryRegion

MAX_ALIAS_DEPTH = 4096
"""Aliases within aliases: clipping ends every sane recursion far earlier."""

MAX_VISITS = 1_000_000
"""Nodes visited in one rendering, a region counting once for each way that leads to it."""

_Flags = tuple[bool, bool, bool]
"""Read-only, nonvolatile and unmergeable, as inherited."""

_VISIT, _FILL, _LEAVE_ALIAS = range(3)
_Task = tuple[int, "MemoryRegion", int, int, int, _Flags]
"""What to do, to which region, the address of its offset 0, the clip, the inherited flags."""


class _Canvas:
    """Sorted ranges with gaps; whatever is there already stays on top."""

    __slots__ = ("ranges", "starts")

    def __init__(self) -> None:
        self.ranges: list[FlatRange] = []
        self.starts: list[int] = []

    def fill(self, region: MemoryRegion, base: int, lo: int, hi: int, flags: _Flags) -> None:
        """Show ``region``, whose offset 0 is at ``base``, in the gaps of ``[lo, hi)``."""
        ranges, starts = self.ranges, self.starts
        i = bisect_right(starts, lo)
        if i and ranges[i - 1].end > lo:
            lo = ranges[i - 1].end
        while lo < hi:
            gap_end = starts[i] if i < len(starts) and starts[i] < hi else hi
            if lo < gap_end:
                ranges.insert(i, FlatRange(lo, gap_end, region, lo - base, *flags))
                starts.insert(i, lo)
                i += 1
            if gap_end == hi:
                return
            lo = ranges[i].end
            i += 1


def render(
    root: MemoryRegion | None, start: int = 0, end: int = ADDRESS_SPACE_SIZE
) -> list[FlatRange]:
    """Return the ranges that ``root`` shows in ``[start, end)``: sorted, not yet joined.

    Raises:
        ConfigError: aliases lead back to their own region in a way that clipping does not end.
    """
    canvas = _Canvas()
    active: set[tuple[MemoryRegion, int, int, int]] = set()
    todo: list[_Task] = []
    if root is not None:
        _enter(todo, root, 0, start, end, (False, False, False))
    visits = 0
    while todo:
        step, region, base, lo, hi, flags = todo.pop()
        if step == _FILL:
            canvas.fill(region, base, lo, hi, flags)
        elif step == _LEAVE_ALIAS:
            active.remove((region, base, lo, hi))
        elif region.alias is not None:
            _follow(todo, active, region, base, lo, hi, flags)
        else:
            if region.terminates:
                todo.append((_FILL, region, base, lo, hi, flags))
            for child in reversed(region.children.within(lo - base, hi - base)):
                _enter(todo, child, base, lo, hi, flags)
        visits += 1
        if visits > MAX_VISITS:
            raise ConfigError(
                f"the view of {root.name if root else None!r} was given up after {visits} steps:"
                " aliases show each other too many times over"
            )
    return canvas.ranges


def _enter(
    todo: list[_Task], region: MemoryRegion, base: int, lo: int, hi: int, flags: _Flags
) -> None:
    """Plan a visit to ``region`` in a container whose offset 0 is at ``base``, if it shows."""
    if not region.enabled:
        return
    base += region.addr
    lo = max(lo, base)
    hi = min(hi, base + region.size)
    if lo < hi:
        readonly, nonvolatile, unmergeable = flags
        flags = (
            readonly or region.readonly,
            nonvolatile or region.nonvolatile,
            unmergeable or region.unmergeable,
        )
        todo.append((_VISIT, region, base, lo, hi, flags))


def _follow(
    todo: list[_Task],
    active: set[tuple[MemoryRegion, int, int, int]],
    alias: MemoryRegion,
    base: int,
    lo: int,
    hi: int,
    flags: _Flags,
) -> None:
    """Plan a visit to the target of ``alias``; the target's own place does not count."""
    target = alias.alias
    assert target is not None
    base -= alias.alias_offset
    way = (target, base, lo, hi)
    if way in active or len(active) >= MAX_ALIAS_DEPTH:
        raise ConfigError(
            f"alias {alias.name!r} of {target.name!r} shows itself without end at 0x{lo:x}:"
            " give it another offset or a smaller size, or disable it"
        )
    active.add(way)
    todo.append((_LEAVE_ALIAS, target, base, lo, hi, flags))
    _enter(todo, target, base - target.addr, lo, hi, flags)
