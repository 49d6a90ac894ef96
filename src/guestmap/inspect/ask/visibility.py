"""One region's ways below one root, beside what the root shows."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Literal, NamedTuple

from guestmap.base import ADDRESS_SPACE_SIZE
from guestmap.inspect.ask.explanation import PathStep, path_of
from guestmap.inspect.ask.verdict import Reason, Verdict, clipped, disabled, outranked
from guestmap.inspect.map.report import RegionRef, Report
from guestmap.inspect.map.shown import Shown, shown
from guestmap.inspect.map.spans import Span, minus
from guestmap.inspect.map.ways import Way

if TYPE_CHECKING:
    from collections.abc import Iterator

    from guestmap.inspect.map.snapshot import RegionInfo, Snapshot


@dataclass(frozen=True, slots=True)
class Visible(Report):
    """Addresses ``start <= a < end`` at which accesses reach the region; ``offset``: its byte."""

    start: int
    end: int
    offset: int


@dataclass(frozen=True, slots=True)
class Hidden(Report):
    """Addresses at which the region would be, and is not.

    Attributes:
        offset: which byte of the region would be at ``start``.
        reason: as for losers of an address; ``empty``: the region holds nothing that answers.
        by: what is disabled or clips, or which sibling or subregion comes first.
        against: the region on the way that loses to ``by``.
        container: what holds ``by`` and ``against`` where they are siblings.
        winner: who answers there instead; None: nobody, or not the same all along.
        path: the way to the region that this is about.
    """

    start: int
    end: int
    offset: int
    reason: Reason | Literal["empty"]
    by: RegionRef | None
    against: RegionRef
    container: RegionRef | None
    winner: RegionRef | None
    path: tuple[PathStep, ...]


class _Piece(NamedTuple):
    """A run of addresses with the same verdict; none: the region holds nothing there."""

    start: int
    end: int
    verdict: Verdict | None
    winner: RegionInfo | None


class RegionVisibility:
    """Where one of ``ways``, all to the same region, shows it in ``view``, and where not."""

    def __init__(self, snapshot: Snapshot, view: list[Shown], ways: list[Way]) -> None:
        self._snapshot = snapshot
        self._view = view
        self._ways = ways
        self._seen = self._seen_spans()

    def visible(self) -> tuple[Visible, ...]:
        """Return the ranges that are answered on one of the ways."""
        found = [(*span, base) for base, spans in self._seen.items() for span in spans]
        return tuple(Visible(start, end, start - base) for start, end, base in sorted(found))

    def hidden(self) -> tuple[Hidden, ...]:
        """Return the ranges that no way shows though one leads there, and why it does not."""
        hidden: list[Hidden] = []
        for way in self._ways:
            seen = self._seen.get(way.base, [])
            pieces = [
                _Piece(lo, hi, piece.verdict, piece.winner)
                for piece in self._pieces(way)
                for lo, hi in minus((piece.start, piece.end), seen)
            ]
            hidden += [self._hidden(way, piece) for piece in _joined(pieces)]
        for way, piece in self._cut_pieces():
            hidden.append(self._hidden(way, piece))
        return tuple(sorted(hidden, key=lambda each: (each.start, each.end)))

    def _seen_spans(self) -> dict[int, list[Span]]:
        """Return the spans in which the region is seen, by the address of its offset 0."""
        places = {_ids(way): way for way in self._ways}
        seen: dict[int, list[Span]] = {}
        for start, end, other in self._view:
            ids = _ids(other)
            whole = places.get(ids)
            parts = (places.get(ids[:n]) for n in range(len(ids) - 1, 0, -1))
            way = whole or next((w for w in parts if w is not None and not w.answers), None)
            if way is None:
                continue
            spans = seen.setdefault(way.base, [])
            if spans and spans[-1][1] == start:
                spans[-1] = (spans[-1][0], end)
            else:
                spans.append((start, end))
        return seen

    def _pieces(self, way: Way) -> Iterator[_Piece]:
        """Cut what a way leaves of the region into where it loses, and to whom."""
        if way.lo >= way.hi:
            return
        steps = way.steps()
        off = disabled(steps)
        if off is not None:
            yield _Piece(way.lo, way.hi, off, None)
            return
        window = (way.lo, way.hi)
        holes = [window] if way.answers else _contents(self._snapshot, way)
        empty = [] if way.answers else minus(window, holes)
        for lo, hi in empty:
            yield _Piece(lo, hi, None, None)
        for start, end, other in self._view:
            lo, hi = max(start, way.lo), min(end, way.hi)
            if lo < hi:
                verdict = outranked(steps, other.steps())
                for part in minus((lo, hi), empty):
                    yield _Piece(*part, verdict, other.region)

    def _cut_pieces(self) -> Iterator[tuple[Way, _Piece]]:
        """Yield what ways claim and none of them reaches; the best of them speaks for all."""
        places: dict[int, list[Way]] = {}
        for way in self._ways:
            places.setdefault(way.base, []).append(way)
        for ways in places.values():
            pieces: dict[Way, list[_Piece]] = {}
            for lo, hi in pairwise(_edges(ways)):
                claiming = [
                    way
                    for way in ways
                    if way.claim[0] <= lo and hi <= way.claim[1] and not way.is_circular
                ]
                if not claiming or any(way.shows(lo) for way in ways):
                    continue
                best = max(claiming, key=lambda way: way.worth)
                obstacle = clipped(best.steps(), lo)
                assert obstacle is not None
                pieces.setdefault(best, []).append(_Piece(lo, hi, obstacle[1], None))
            for way, found in pieces.items():
                yield from ((way, piece) for piece in _joined(found))

    def _hidden(self, way: Way, piece: _Piece) -> Hidden:
        verdict = piece.verdict
        container = verdict.container if verdict else None
        return Hidden(
            start=piece.start,
            end=piece.end,
            offset=piece.start - way.base,
            reason=verdict.reason if verdict else "empty",
            by=RegionRef.to(verdict.by) if verdict else None,
            against=RegionRef.to(verdict.loser if verdict else way.region),
            container=RegionRef.to(container) if container else None,
            winner=RegionRef.to(piece.winner) if piece.winner else None,
            path=path_of(self._snapshot, way, piece.start),
        )


def _ids(way: Way) -> tuple[int, ...]:
    return tuple(step.region.id for step in way.steps())


def _contents(snapshot: Snapshot, way: Way) -> list[Span]:
    """Return where a region that does not answer itself holds something that does."""
    moved = way.base - way.region.addr
    return [(start + moved, end + moved) for start, end, _ in shown(snapshot, way.region.id)]


def _edges(ways: list[Way]) -> list[int]:
    """Return every address at which some way to one place may change."""
    edges = {0, ADDRESS_SPACE_SIZE}
    for way in ways:
        edges.update(way.claim)
        for step in way.steps():
            edges.update(step.extent)
    return sorted(edge for edge in edges if 0 <= edge <= ADDRESS_SPACE_SIZE)


def _joined(pieces: list[_Piece]) -> list[_Piece]:
    """Join neighbours with one verdict; the winner is named where it is the same."""
    found: list[_Piece] = []
    for piece in sorted(pieces, key=lambda each: each.start):
        last = found[-1] if found else None
        if last is None or last.end != piece.start or last.verdict != piece.verdict:
            found.append(piece)
            continue
        winner = last.winner if last.winner == piece.winner else None
        found[-1] = _Piece(last.start, piece.end, last.verdict, winner)
    return found
