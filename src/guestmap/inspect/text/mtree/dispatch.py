"""The dispatch tree that QEMU 7.2 builds for a flat view.

A radix tree over page numbers, 9 bits a level, leads to *physical sections*. A range that is not
whole pages goes through a *subpage*, a nameless section of one page. Numbers of sections and nodes
follow from the order in which the ranges are entered, which is that of the view.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

from guestmap.inspect.map.snapshot import DispatchEntry, DispatchInfo, DispatchSection

if TYPE_CHECKING:
    from guestmap.inspect.map.snapshot import RangeInfo, ViewInfo

BITS = 9
FANOUT = 1 << BITS

_MARKS = ("unassigned", "not dirty", "ROM", "watch")
"""What QEMU prints behind the first four sections, whatever they are."""

_NIL = -1
_Entry = tuple[int, int]
"""Levels to skip, and the node (or, with skip 0, the section) that the entry points to."""


def dispatch_of(view: ViewInfo, *, page_bits: int = 12) -> DispatchInfo:
    """Return the dispatch tree of a view.

    The section QEMU used last, which it marks ``[MRU]``, is not known, and not marked.

    Args:
        view: with at least one range.
        page_bits: log2 of the target's page size (12 on x86); the levels that the tree needs for
            64-bit addresses follow from it.
    """
    builder = _Builder(page_bits)
    for each in view.ranges:
        builder.enter(each)
    root = _compact(builder.nodes, builder.root)
    sections = tuple(
        DispatchSection(
            piece.start,
            piece.size,
            piece.name,
            (*_MARKS[number : number + 1], *(("ROOT",) if _is_root(piece.source, view) else ())),
        )
        for number, piece in enumerate(builder.sections)
    )
    nodes = tuple(tuple(_runs(node)) for node in builder.nodes)
    return DispatchInfo(
        sections, nodes, root_pointer=root[1], root_skip=root[0], levels=builder.levels
    )


def _is_root(source: RangeInfo | None, view: ViewInfo) -> bool:
    if source is None:
        return False
    if view.root_region is not None and source.region is not None:
        return source.region == view.root_region
    # Another region may have the root's name. A root that holds others starts at 0, so each byte of
    # it is its own address; one that lies elsewhere, too, is alone in its own view.
    return source.name == view.root and (
        source.offset_in_region == source.start
        or all(each.name == view.root for each in view.ranges)
    )


@dataclass(frozen=True, slots=True)
class _Piece:
    start: int
    size: int
    name: str
    source: RangeInfo | None = None


class _Builder:
    """Sections and nodes, in the order in which they come to be."""

    def __init__(self, page_bits: int) -> None:
        self.page_bits = page_bits
        self.levels = (64 - page_bits - 1) // BITS + 1
        self.sections = [_Piece(0, 1 << 64, "(noname)")]
        self.nodes: list[list[_Entry]] = []
        self.root: _Entry = (1, _NIL)
        self._subpages: set[int] = set()

    def enter(self, each: RangeInfo) -> None:
        """Enter a range: the partial page in front, the whole pages, the partial page behind."""
        page = 1 << self.page_bits
        start, end = each.start, each.start + each.size
        first_whole = -(-start // page) * page
        if start != first_whole:
            cut = min(first_whole, end)
            self._subpage(each, start, cut)
            start = cut
        last_whole = end // page * page
        if start < last_whole:
            self._pages(
                start, last_whole, self._add(_Piece(start, last_whole - start, each.name, each))
            )
            start = last_whole
        if start < end:
            self._subpage(each, start, end)

    def _add(self, piece: _Piece) -> int:
        self.sections.append(piece)
        return len(self.sections) - 1

    def _subpage(self, each: RangeInfo, start: int, end: int) -> None:
        number = start >> self.page_bits
        if number not in self._subpages:
            self._subpages.add(number)
            base, page = number << self.page_bits, 1 << self.page_bits
            self._pages(base, base + page, self._add(_Piece(base, page, "(noname)")))
        self._add(_Piece(start, end - start, each.name, each))

    def _pages(self, start: int, end: int, section: int) -> None:
        first, last = start >> self.page_bits, end >> self.page_bits
        self.root = self._set(self.root, self.levels - 1, 0, first, last, section)

    def _set(
        self, entry: _Entry, level: int, base: int, first: int, last: int, section: int
    ) -> _Entry:
        """Point pages ``[first, last)`` below ``entry``, which starts at ``base``, to a section."""
        skip, pointer = entry
        if pointer == _NIL:
            pointer = len(self.nodes)
            self.nodes.append([(0, 0) if level == 0 else (1, _NIL)] * FANOUT)
        step = 1 << (level * BITS)
        node = self.nodes[pointer]
        low = max(0, (first - base) // step)
        high = min(FANOUT, -(-(last - base) // step))
        for index in range(low, high):
            here = base + index * step
            if first <= here and here + step <= last:
                node[index] = (0, section)
            else:
                node[index] = self._set(node[index], level - 1, here, first, last, section)
        return skip, pointer


def _compact(nodes: list[list[_Entry]], entry: _Entry) -> _Entry:
    """Lead past nodes with a single way on, from the leaves up; the nodes themselves stay."""
    skip, pointer = entry
    if not skip or pointer == _NIL:
        return entry
    node = nodes[pointer]
    for index, child in enumerate(node):
        if child[0] and child[1] != _NIL:
            node[index] = _compact(nodes, child)
    ways = [child for child in node if child[1] != _NIL]
    if len(ways) != 1:
        return entry
    child_skip, child_pointer = ways[0]
    return (skip + child_skip if child_skip else 0), child_pointer


def _runs(node: list[_Entry]) -> list[DispatchEntry]:
    runs: list[DispatchEntry] = []
    first = 0
    for (skip, pointer), group in groupby(node):
        last = first + len(list(group)) - 1
        runs.append(DispatchEntry(first, last, skip, None if pointer == _NIL else pointer))
        first = last + 1
    return runs
