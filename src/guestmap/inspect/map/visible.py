"""How much of each region a machine's address spaces show."""

from __future__ import annotations

from typing import TYPE_CHECKING

from guestmap.inspect.map.shown import shown

if TYPE_CHECKING:
    from collections.abc import Iterable

    from guestmap.inspect.map.snapshot import Snapshot


def visible_bytes(snapshot: Snapshot, roots: Iterable[int]) -> dict[int, int]:
    """Return by region id how many of its bytes answer below ``roots``, whichever way leads there.

    A container shows what is in it, an alias what it is an alias of. Regions of which nothing is
    seen are absent. Bytes that are seen twice count once.
    """
    pieces: dict[int, list[tuple[int, int]]] = {}
    for root in roots:
        for start, end, way in shown(snapshot, root):
            for step in way.steps():
                pieces.setdefault(step.region.id, []).append((start - step.base, end - step.base))
    return {region: _length(ranges) for region, ranges in pieces.items()}


def _length(ranges: list[tuple[int, int]]) -> int:
    """Return how many numbers are in any of the half-open ranges."""
    total, reached = 0, 0
    for start, end in sorted(ranges):
        total += max(0, end - max(start, reached))
        reached = max(reached, end)
    return total
