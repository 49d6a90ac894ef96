"""``explain`` for a range: every answer in it, in order, each explained where it begins."""

from __future__ import annotations

from itertools import groupby, pairwise
from typing import TYPE_CHECKING

from guestmap.base import ADDRESS_SPACE_SIZE, ConfigError
from guestmap.base.dataclass import dataclass
from guestmap.inspect.ask.explain import explain
from guestmap.inspect.ask.explanation import Explanation
from guestmap.inspect.ask.notes import contradiction
from guestmap.inspect.ask.recorded import index_at, range_at
from guestmap.inspect.ask.spaces import Spaces
from guestmap.inspect.map.report import Report
from guestmap.inspect.map.shown import shown, within
from guestmap.inspect.map.unshown import unknown_on

if TYPE_CHECKING:
    from guestmap.inspect.ask.spaces import NamedSpace
    from guestmap.inspect.map.snapshot import RangeInfo, Snapshot, ViewInfo
    from guestmap.inspect.map.spans import Span
    from guestmap.inspect.map.ways import Way

MOST = 16
"""How many answers are explained; of more it is said that there are."""


@dataclass(frozen=True, slots=True)
class Part(Report):
    """One answer of a range.

    Attributes:
        start, end: the addresses of the range that have it.
        explanation: of the address ``start``.
    """

    start: int
    end: int
    explanation: Explanation


@dataclass(frozen=True, slots=True)
class RangeExplanation(Report):
    """Who answers in a range.

    Attributes:
        start, end: the addresses that were asked about.
        answers: the first of them in order, :data:`MOST` at most.
        more: how many other answers follow.
    """

    start: int
    end: int
    space: str
    answers: tuple[Part, ...]
    more: int = 0


def explain_range(
    snapshot: Snapshot, start: int, end: int, space: str = "memory"
) -> RangeExplanation:
    """Return who answers from address ``start`` to ``end``, which is not included.

    Raises:
        ConfigError: no such address space, or not a range of 64-bit addresses.
    """
    if not 0 <= start < end <= ADDRESS_SPACE_SIZE:
        raise ConfigError(f"{start:#x} to {end:#x} (not included) is no range of 64-bit addresses")
    found = Spaces(snapshot).find(space)
    parts = _parts(snapshot, found, start, end)
    told = (Part(lo, hi, explain(snapshot, lo, space)) for lo, hi in parts[:MOST])
    return RangeExplanation(start, end, found.name, tuple(told), max(len(parts) - MOST, 0))


def _parts(snapshot: Snapshot, space: NamedSpace, start: int, end: int) -> list[Span]:
    """Return the runs of addresses that have one answer, in order."""
    tree = () if space.root is None else within(shown(snapshot, space.root), start, end)
    edges = {edge for each in tree for edge in (each.start, each.end)}
    for each in () if space.view is None else space.view.ranges:
        edges |= {each.start, each.start + each.size}
    cuts = sorted({start, end} | {edge for edge in edges if start < edge < end})

    def answer(cell: Span) -> object:
        index = index_at(tree, cell[0])
        way = None if index is None else tree[index].way
        said = None if space.view is None else range_at(space.view.ranges, cell[0])
        return _answer(way, space.view, said, has_tree=space.root is not None)

    runs = (list(cells) for _, cells in groupby(pairwise(cuts), answer))
    return [(cells[0][0], cells[-1][1]) for cells in runs]


def _answer(
    way: Way | None, view: ViewInfo | None, said: RangeInfo | None, *, has_tree: bool
) -> object:
    """Return what is the same at two addresses with one answer: as :func:`explain` finds it."""
    unknown = None if way is None else unknown_on(way)
    if not has_tree or (unknown is not None and view is not None):
        return said
    if way is None or unknown is not None:
        return unknown, () if view is None else contradiction(None, said)
    doubts = () if view is None else contradiction(way, said)
    return way.region.id, way.base, way.readonly, way.nonvolatile, doubts
