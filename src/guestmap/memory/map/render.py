"""Rendering: the tree of regions becomes the ranges that a guest sees.

The definition is QEMU's: render the children in priority order, then fill the gaps that are left
with the region itself. Ranges that were rendered earlier always win. Here any window of the
address space can be rendered alone, and the result is the full rendering cut to that window.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING

from guestmap.base import ADDRESS_SPACE_SIZE, ConfigError
from guestmap.base.named_tuple import NamedTuple
from guestmap.memory.map.flat_range import FlatRange

if TYPE_CHECKING:
    from collections.abc import Iterator

    from guestmap.memory.map.region import MemoryRegion

MAX_ALIAS_DEPTH = 4096
"""Aliases within aliases: clipping ends every sane recursion far earlier."""

MAX_VISITS = 1_000_000
"""Regions visited in one rendering, each counting once for each way that leads to it."""

PAGE = 512
"""Ranges that one page of a rendering holds before it becomes two."""

_Way = tuple["MemoryRegion", int, int, int]
"""An alias that is being followed: its target, the address of the target's offset 0, the clip."""


class _Canvas:
    """Sorted ranges with gaps; whatever is there already stays on top.

    The ranges are kept in pages, because a list takes a long time to insert into when it is long.

    Args:
        global_mask: clients for which writes to all RAM are logged.
    """

    __slots__ = ("_firsts", "_global_mask", "_pages")

    def __init__(self, global_mask: int) -> None:
        self._firsts = [0]
        self._pages: list[tuple[list[int], list[FlatRange]]] = [([], [])]
        self._global_mask = global_mask

    @property
    def ranges(self) -> list[FlatRange]:
        """All of them, lowest address first."""
        if len(self._pages) == 1:
            return self._pages[0][1]
        return [each for _, ranges in self._pages for each in ranges]

    def fill(self, region: MemoryRegion, base: int, lo: int, hi: int, flags: _Flags) -> None:
        """Show ``region``, whose offset 0 is at ``base``, in the gaps of ``[lo, hi)``."""
        firsts = self._firsts
        while lo < hi:
            page = bisect_right(firsts, lo) - 1 if len(firsts) > 1 else 0
            starts, ranges = self._pages[page]
            i = bisect_right(starts, lo)
            if i:
                if ranges[i - 1].end > lo:
                    lo = ranges[i - 1].end
            elif page:  # the last range of the page before reaches as far as it likes
                lo = max(lo, self._pages[page - 1][1][-1].end)
            if i < len(starts):
                gap_end, following = starts[i], ranges[i].end
            else:
                gap_end = following = firsts[page + 1] if page + 1 < len(firsts) else hi
            if gap_end >= hi:
                gap_end = following = hi
            if lo < gap_end:
                shown = FlatRange(lo, gap_end, region, lo - base, *flags)
                if self._global_mask and region.ram_block is not None:
                    shown.dirty_log_mask |= self._global_mask
                ranges.insert(i, shown)
                starts.insert(i, lo)
                if len(starts) > PAGE:
                    self._split(page)
            lo = following

    def _split(self, page: int) -> None:
        starts, ranges = self._pages[page]
        half = len(starts) // 2
        self._firsts.insert(page + 1, starts[half])
        self._pages.insert(page + 1, (starts[half:], ranges[half:]))
        del starts[half:], ranges[half:]


class _Flags(NamedTuple):
    """What a region is, or inherits from whoever shows it."""

    readonly: bool
    nonvolatile: bool
    unmergeable: bool


_Level = tuple[
    "Iterator[MemoryRegion]", "MemoryRegion | None", int, int, int, _Flags, "_Way | None"
]
"""Who is left to visit; who is to be filled in behind them; the address that offset 0 of their
container is at, the clip, the inherited flags; the way of the alias that led here."""


def render(  # noqa: C901  (one loop: a call for each region is half of the time)
    root: MemoryRegion | None, start: int = 0, end: int = ADDRESS_SPACE_SIZE
) -> list[FlatRange]:
    """Return the ranges that ``root`` shows in ``[start, end)``: sorted, not yet joined.

    Raises:
        ConfigError: aliases lead back to their own region in a way that clipping does not end.
    """
    if root is None:
        return []
    canvas = _Canvas(root.system.ram_blocks.global_dirty_mask)
    fill = canvas.fill
    active: set[_Way] = set()
    above: list[_Level] = []
    level: _Level = (iter((root,)), None, 0, start, end, _PLAIN, None)
    visits = 0
    while True:
        todo, behind, base, lo, hi, inherited, way = level
        for region in todo:
            if not region.enabled:
                continue
            at = base + region.addr
            low = at
            if low < lo:
                low = lo
            high = at + region.size
            if high > hi:
                high = hi
            if low >= high:
                continue
            visits += 1
            if visits > MAX_VISITS:
                raise _given_up(root, visits)
            flags = inherited
            if region.readonly or region.nonvolatile or region.unmergeable:
                flags = _with(region, inherited)
            target = region.alias
            if target is not None:
                above.append(level)
                at -= region.alias_offset
                way = _follow(active, region, at, low, high)
                level = (iter((target,)), None, at - target.addr, low, high, flags, way)
                break
            children = region.children
            if children.members:
                above.append(level)
                whole = low == at and high - at == region.size
                touched = children.ordered() if whole else children.within(low - at, high - at)
                behind = region if region.terminates else None
                level = (iter(touched), behind, at, low, high, flags, None)
                break
            if region.terminates:
                fill(region, at, low, high, flags)
        else:
            if behind is not None:
                fill(behind, base, lo, hi, inherited)
            if way is not None:
                active.remove(way)
            if not above:
                return canvas.ranges
            level = above.pop()


_PLAIN = _Flags(False, False, False)


def _with(region: MemoryRegion, inherited: _Flags) -> _Flags:
    return _Flags(
        inherited.readonly or region.readonly,
        inherited.nonvolatile or region.nonvolatile,
        inherited.unmergeable or region.unmergeable,
    )


def _follow(active: set[_Way], alias: MemoryRegion, base: int, lo: int, hi: int) -> _Way:
    """Return the way to the target of ``alias``; the target's own place does not count.

    Raises:
        ConfigError: this way is being gone already, or it is too long.
    """
    target = alias.alias
    assert target is not None
    way = (target, base, lo, hi)
    if way in active or len(active) >= MAX_ALIAS_DEPTH:
        raise ConfigError(
            f"alias {alias.name!r} of {target.name!r} shows itself without end at 0x{lo:x}:"
            " give it another offset or a smaller size, or disable it"
        )
    active.add(way)
    return way


def _given_up(root: MemoryRegion, visits: int) -> ConfigError:
    return ConfigError(
        f"the view of {root.name!r} was given up after {visits} steps:"
        " aliases show each other too many times over"
    )
