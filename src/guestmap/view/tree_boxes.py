"""Boxes for the regions of one tree: each where it lies, cut where it is hidden."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from guestmap.inspect.ask.verdict import disabled
from guestmap.inspect.map.occupied import OccupiedRuns
from guestmap.view.picture import Box, Kind, Label, State
from guestmap.view.seen_pieces import SeenPieces
from guestmap.view.words import hex_address, whose

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from guestmap.inspect.map.shown import Shown
    from guestmap.inspect.map.ways import Way


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
    pieces = SeenPieces(view)
    taken: dict[LaneKey, OccupiedRuns] = {}
    for item in items:
        key, stacked = _free_place(item, taken)
        layer = layers.setdefault(key, Layer())
        boxes = list(_boxes(item, pieces))
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


def _boxes(item: _Item, pieces: SeenPieces) -> Iterator[Box]:
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
        for start, end, why in pieces.of(way):
            yield _box(item, start, end, "hidden" if why else "seen", why)


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
