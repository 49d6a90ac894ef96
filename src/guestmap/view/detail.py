"""Level of detail: of a map with more boxes than anybody can see, runs of small ones become one.

The largest boxes of each lane stay as they are. Of more maps than anybody looks through, the first
are drawn. So a page stays one that a browser opens at once, however large the map is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from guestmap.base import format_size
from guestmap.view.picture import Label
from guestmap.view.tree_boxes import Layer
from guestmap.view.words import spaces_words

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from guestmap.view.picture import Box
    from guestmap.view.sections import Family, Section

    _Joins = Callable[[Box, Box], bool]
    """Whether a box may be joined with the one that begins before it."""

MOST_BOXES = 8_000
"""So many boxes are drawn one by one, in all lanes of a picture."""

MOST_PANELS = 32
"""So many maps are drawn in a picture; the rest is named, and drawn where it is asked for."""

_FAR_TOO_MANY = 3
"""So many times the boxes that are wanted."""

_LARGEST = 256
"""So many of a lane are never joined with others."""


def limited(families: Sequence[Family]) -> tuple[Sequence[Family], list[str]]:
    """Return the families that are drawn, thinned; and what is said of the others."""
    drawn, left = families[:MOST_PANELS], families[MOST_PANELS:]
    notes = []
    if joined := thinned(section for family in drawn for section in family.sections):
        notes.append(f"{joined:,} small boxes are joined with their neighbours.")
    if left:
        names = [name for family in left for section in family.sections for name in section.spaces]
        notes.append(
            f"{len(names):,} address spaces are not drawn, for want of room"
            f" (--as NAME draws one): {spaces_words(names)}."
        )
    return drawn, notes


def thinned(sections: Iterable[Section], most: int = MOST_BOXES) -> int:
    """Join boxes of sections until about ``most`` are left; return how many were joined.

    Joined are neighbours in a lane that are alike: in one run at most so many that the number of
    boxes comes down to what is wanted. Where that leaves far too many, neighbours of all kinds are
    joined, and at last those too that lie over each other.
    """
    sections = list(sections)
    layers = [layer for each in sections for layer in (each.flat, *each.layers.values())]
    count = sum(len(layer.boxes) for layer in layers)
    if count <= most:
        return 0
    longest = -(-count // most)
    for joins in (_are_alike, _are_apart, None):
        thin = [_thin(layer, longest, joins) for layer in layers]
        if sum(len(layer.boxes) for layer, _ in thin) <= _FAR_TOO_MANY * most:
            break
    left = iter(thin)
    for each in sections:
        each.flat, _ = next(left)
        for key in each.layers:
            each.layers[key], _ = next(left)
    return sum(joined for _, joined in thin)


def _are_alike(one: Box, other: Box) -> bool:
    return _are_apart(one, other) and (one.kind, one.state) == (other.kind, other.state)


def _are_apart(one: Box, other: Box) -> bool:
    return other.start >= one.end


def _thin(layer: Layer, longest: int, joins: _Joins | None) -> tuple[Layer, int]:
    """Return a layer with runs of small boxes joined, and how many boxes went into those."""
    by_size = sorted(layer.boxes, key=lambda box: box.start - box.end)
    small = set(map(id, by_size[_LARGEST:]))
    boxes: list[Box] = []
    labels: list[Label] = []
    gone: set[int] = set()
    for run in _runs(layer.boxes, small, longest, joins):
        if len(run) == 1:
            boxes += run
            continue
        gone.update(box.start for box in run)
        boxes.append(_joined(run))
        start, end, title = boxes[-1].start, boxes[-1].end, boxes[-1].title
        labels.append(Label(0, start, end, title, f"{len(run)}, {format_size(end - start)}"))
    labels += [label for label in layer.labels if label.start not in gone]
    return Layer(boxes, labels), len(gone)


def _joined(run: list[Box]) -> Box:
    """Return one box for several, which looks as the largest of them does."""
    first, last = run[0], run[-1]
    kinds = len({box.kind for box in run})
    of_kinds = f" of {kinds} kinds" if kinds > 1 else ""
    return max(run, key=lambda box: box.end - box.start)._replace(
        start=first.start,
        end=max(box.end for box in run),
        title=f"{first.title} … {last.title}",
        priority=first.priority,
        offset=first.offset,
        why=f"{len(run)}{of_kinds} that lie side by side, too small to be drawn one by one",
        path="",
        owner="",
    )


def _runs(
    boxes: list[Box], small: set[int], longest: int, joins: _Joins | None
) -> Iterator[list[Box]]:
    """Yield the boxes by address; small ones that may be joined in runs of at most so many."""
    run: list[Box] = []
    for box in sorted(boxes, key=lambda box: box.start):
        goes_on = (
            run
            and len(run) < longest
            and id(box) in small
            and id(run[-1]) in small
            and (joins is None or joins(run[-1], box))
        )
        if goes_on:
            run.append(box)
            continue
        if run:
            yield run
        run = [box]
    if run:
        yield run
