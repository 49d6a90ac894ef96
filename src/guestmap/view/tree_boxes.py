"""Boxes for the regions of one tree: each where it lies, cut where it is hidden."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from guestmap.inspect.ask.verdict import Verdict, disabled, outranked
from guestmap.inspect.map.occupied import OccupiedRuns
from guestmap.inspect.map.shown import span
from guestmap.view.picture import Box, Kind, Label, State
from guestmap.view.words import hex_address, whose

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from guestmap.inspect.map.shown import Shown
    from guestmap.inspect.map.ways import Way


BY_ITS_OWN = "hidden by its own subregion"
MOST_PIECES = 64
"""Into so many pieces is a region cut at most; where more hide it, neighbours are told together."""
MOST_PLACES = 3
"""So many lanes does a layer get at most; what overlaps more often than that is drawn stacked."""


class LaneKey(NamedTuple):
    """A layer of the tree, in the order of lanes; ``place`` keeps overlapping siblings apart."""

    depth: int
    minus_priority: int
    place: int = 0


@dataclass(slots=True)
class Layer:
    """What one lane holds; the boxes' ``lane`` is not yet set."""

    boxes: list[Box] = field(default_factory=list)
    labels: list[Label] = field(default_factory=list)


class _Item(NamedTuple):
    """One region in one place: the alias that shows it, if one does, is the same item."""

    way: Way
    front: Way
    depth: int


def tree_layers(
    ways: Iterable[Way], view: list[Shown], *, show_disabled: bool = False
) -> dict[LaneKey, Layer]:
    """Return the layers of a tree, in order of depth and priority.

    Args:
        ways: as :func:`guestmap.inspect.map.ways.walk` yields them.
        view: what the tree shows.
        show_disabled: keep regions that are not enabled, or in something that is not.
    """
    items = [item for item in _items(ways) if show_disabled or item.way.enabled]
    layers: dict[LaneKey, Layer] = {}
    whole = _View(view)
    taken: dict[LaneKey, OccupiedRuns] = {}
    for item in items:
        key, stacked = _free_place(item, taken)
        layer = layers.setdefault(key, Layer())
        boxes = list(_boxes(item, whole))
        if stacked:  # below what is drawn there already, and without words
            layer.boxes[:0] = boxes
        else:
            layer.boxes += boxes
            layer.labels += _labels(boxes)
    return dict(sorted(layers.items()))


def _items(ways: Iterable[Way]) -> Iterator[_Item]:
    """Yield the ways to draw: not aliases of which a part is shown, the target stands for them."""
    shown_through: set[Way] = set()
    for way in ways:
        if way in shown_through:
            continue
        front = way
        while front.parent is not None and front.parent.region.alias is not None:
            front = front.parent
            shown_through.add(front)
        yield _Item(way, front, sum(step.region.alias is None for step in way.steps()) - 1)


def _free_place(item: _Item, taken: dict[LaneKey, OccupiedRuns]) -> tuple[LaneKey, bool]:
    """Return the lane of an item: right of all overlapping items of its layer that come first.

    Also tell whether it must share the last lane with one of them.
    """
    lo, hi = item.way.lo, item.way.hi
    key = LaneKey(item.depth, -item.front.region.priority)
    free, place = 0, 0
    while (spans := taken.get(key._replace(place=place))) is not None:
        if spans.meets(lo, hi):
            free = place + 1
        place += 1
    key = key._replace(place=min(free, MOST_PLACES - 1))
    taken.setdefault(key, OccupiedRuns()).add(lo, hi)
    return key, free >= MOST_PLACES


def _boxes(item: _Item, view: _View) -> Iterator[Box]:
    way = item.way
    if not way.enabled:
        off = disabled(way.steps())
        assert off is not None
        what = "disabled" if off.by is way.region else f"disabled with {off.by.name}"
        yield _box(item, way.lo, way.hi, "disabled", what)
    elif not way.answers:
        yield _box(item, way.lo, way.hi, "frame", "")
    elif way.depth == 0:
        yield _box(item, way.lo, way.hi, "background", "answers where nothing else does")
    else:
        for start, end, why in view.pieces(way):
            yield _box(item, start, end, "hidden" if why else "seen", why)


class _View:
    """What a tree shows, to be asked where one of its ways is seen, and what hides it elsewhere."""

    def __init__(self, ranges: list[Shown]) -> None:
        self._ranges = ranges
        self._paths = _Paths()
        self._own: dict[int, list[int]] = {}
        """For each path the places in ``ranges`` where its region answers, in order."""
        for index, each in enumerate(ranges):
            self._own.setdefault(self._paths.number(each.way), []).append(index)

    def pieces(self, way: Way) -> list[tuple[int, int, str]]:
        """Cut a way that answers into where it is seen ("") and where it loses, and why."""
        ranges, places = self._ranges, span(self._ranges, way.lo, way.hi)
        if len(places) <= MOST_PIECES:
            return _joined(way, ranges[places.start : places.stop])
        own = self._own.get(self._paths.number(way), [])
        pieces: list[tuple[int, int, str]] = []
        first = places.start
        for index in own[bisect_left(own, places.start) : bisect_left(own, places.stop)]:
            pieces += self._told_together(way, range(first, index))
            pieces += _joined(way, ranges[index : index + 1])
            first = index + 1
        return pieces + self._told_together(way, range(first, places.stop))

    def _told_together(self, way: Way, places: range) -> list[tuple[int, int, str]]:
        """Return one piece for all that hides a way between two places where it is seen."""
        if len(places) < 2:
            return _joined(way, self._ranges[places.start : places.stop])
        first, last = self._ranges[places[0]], self._ranges[places[-1]]
        names = first.way.region.name, last.way.region.name
        words = f"hidden in {len(places)} pieces, by {names[0]} first and by {names[1]} last"
        return [(max(first.start, way.lo), min(last.end, way.hi), words)]


class _Paths:
    """Numbers for ways: one for all that lead along the same regions."""

    def __init__(self) -> None:
        self._numbers: dict[tuple[int, int], int] = {}
        """By the number of the way that leads to it, and the region."""
        self._known: dict[Way, int] = {}

    def number(self, way: Way) -> int:
        """Return the number of a way."""
        new: list[Way] = []
        step: Way | None = way
        while step is not None and step not in self._known:
            new.append(step)
            step = step.parent
        number = -1 if step is None else self._known[step]
        for each in reversed(new):
            key = number, each.region.id
            number = self._known[each] = self._numbers.setdefault(key, len(self._numbers))
        return number


def _joined(way: Way, found: list[Shown]) -> list[tuple[int, int, str]]:
    """Return pieces of a way, neighbours of one verdict as one."""
    steps = way.steps()
    pieces: list[tuple[int, int, str]] = []
    before: Verdict | None = None
    for start, end, other in found:
        lo, hi = max(start, way.lo), min(end, way.hi)
        verdict = outranked(steps, other.steps())
        if pieces and pieces[-1][1] == lo and before == verdict:
            pieces[-1] = (pieces[-1][0], hi, pieces[-1][2])
        else:
            pieces.append((lo, hi, verdict_words(verdict) if verdict else ""))
        before = verdict
    return pieces


def verdict_words(verdict: Verdict) -> str:
    """Return why something is hidden, and by whom."""
    by, loser = verdict.by, verdict.loser
    if verdict.reason == "covered":
        return f"{BY_ITS_OWN} {by.name}"
    if verdict.reason == "priority":
        lost = f"priority {by.priority} beats {loser.priority} of {loser.name}"
        return f"hidden by {by.name}: {lost}"
    return f"hidden by {by.name}: priority {by.priority} as {loser.name}, added later"


def _box(item: _Item, start: int, end: int, state: State, why: str) -> Box:
    way, region = item.way, item.way.region
    kind: Kind = "rom" if way.readonly and region.type == "ram" else region.type
    if not way.answers:
        kind = "container"
    return Box(
        lane=0,
        start=start,
        end=end,
        title=_title(item),
        kind=kind,
        state=state,
        priority=item.front.region.priority,
        offset=start - way.base,
        why=why,
        path=path_words(way),
        owner=whose(region.owner),
    )


def _title(item: _Item) -> str:
    if item.front is item.way:
        return item.way.region.name
    return f"{item.front.region.name} → {item.way.region.name}"


def path_words(way: Way) -> str:
    """Return the names from the root to a region; an arrow leads from an alias to its target."""
    words = ""
    for step in way.steps():
        if step.parent is not None:
            words += " / " if step.parent.region.alias is None else " → "
        words += step.region.name
    return words


def _labels(boxes: list[Box]) -> Iterator[Label]:
    """Yield a label for each run of neighbouring boxes of one state."""
    index = 0
    while index < len(boxes):
        first = last = boxes[index]
        while index < len(boxes) and boxes[index].state == first.state:
            if boxes[index] is not first and boxes[index].start != last.end:
                break
            last = boxes[index]
            index += 1
        skipped = first.offset if first.offset and first.state != "frame" else 0
        detail = f"+{hex_address(skipped)}" if skipped > 0 else ""
        faint = first.state not in ("seen", "frame")
        hatched = first.state == "hidden"
        yield Label(0, first.start, last.end, first.title, detail, faint, hatched)
