"""An address axis that folds empty space.

Addresses reach 2**64 and what matters may be a few bytes. So the axis is cut at every edge of what
is drawn; each piece gets a height that grows with the logarithm of its size, and pieces with
nothing in them get a small fixed one. Order is kept: a higher address is never further up.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING, NamedTuple

from guestmap.base import ADDRESS_SPACE_SIZE

if TYPE_CHECKING:
    from collections.abc import Iterable

    from guestmap.inspect.map.spans import Span

FOLDED = 1.0
"""Height of an empty piece; a piece of one byte has height 1.05."""

_PER_DOUBLING = 0.05


class AxisSegment(NamedTuple):
    """Addresses ``start <= a < end``, drawn from ``top`` to ``bottom``; ``folded``: empty."""

    start: int
    end: int
    top: float
    bottom: float
    folded: bool


class FoldedAxis:
    """A piecewise linear map from addresses to positions; position 0.0 is the lowest address.

    Args:
        edges: where pieces may begin and end; 0 and 2**64 are not added.
        full: what is not empty.
    """

    def __init__(self, edges: Iterable[int], full: Iterable[Span]) -> None:
        self._edges = sorted(set(edges)) or [0, ADDRESS_SPACE_SIZE]
        if len(self._edges) == 1:
            self._edges.append(self._edges[0] + 1)
        covered = _covered(self._edges, full)
        self.positions = [0.0]
        pieces: list[AxisSegment] = []
        for index, is_full in enumerate(covered):
            start, end = self._edges[index : index + 2]
            height = 1 + _PER_DOUBLING * (end - start).bit_length() if is_full else FOLDED
            top = self.positions[-1]
            self.positions.append(top + height)
            pieces.append(AxisSegment(start, end, top, top + height, not is_full))
        self.pieces = tuple(pieces)

    @property
    def edges(self) -> tuple[int, ...]:
        """The addresses at which pieces begin and end."""
        return tuple(self._edges)

    @property
    def length(self) -> float:
        """The position of the last edge."""
        return self.positions[-1]

    def position(self, address: int) -> float:
        """Return where an address is; beyond the ends it is at the end."""
        index = bisect_right(self._edges, address) - 1
        if index < 0:
            return 0.0
        if index >= len(self.pieces):
            return self.length
        piece = self.pieces[index]
        part = (address - piece.start) / (piece.end - piece.start)
        return min(piece.top + part * (piece.bottom - piece.top), piece.bottom)

    def address(self, position: float) -> int:
        """Return which address is at a position; beyond the ends the first or last edge."""
        if position >= self.length:
            return self._edges[-1]
        index = max(bisect_right(self.positions, position) - 1, 0)
        piece = self.pieces[index]
        part = max(position - piece.top, 0.0) / (piece.bottom - piece.top)
        return min(piece.start + round(part * (piece.end - piece.start)), piece.end)


def _covered(edges: list[int], spans: Iterable[Span]) -> list[bool]:
    """Tell for each piece between two edges whether a span covers some of it."""
    covered = [False] * (len(edges) - 1)
    reached = 0
    for start, end in sorted(spans):
        index = max(bisect_right(edges, start) - 1, reached)
        while index < len(covered) and edges[index] < end:
            covered[index] = True
            index += 1
        reached = max(reached, index - 1, 0)
    return covered
