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
    from collections.abc import Iterable, Iterator, Sequence

    from guestmap.view.picture import Box
    from guestmap.view.sections import Family, Section

MOST_BOXES = 20_000
"""So many boxes are drawn one by one, in all lanes of a picture."""

MOST_PANELS = 32
"""So many maps are drawn in a picture; the rest is named, and drawn where it is asked for."""

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
    boxes comes down to what is wanted.
    """
    sections = list(sections)
    layers = [layer for each in sections for layer in (each.flat, *each.layers.values())]
    count = sum(len(layer.boxes) for layer in layers)
    if count <= most:
        return 0
    longest = -(-count // most)
    joined = 0
    for each in sections:
        each.flat, here = _thin(each.flat, longest)
        joined += here
        for key, layer in each.layers.items():
            each.layers[key], here = _thin(layer, longest)
            joined += here
    return joined


def _thin(layer: Layer, longest: int) -> tuple[Layer, int]:
    """Return a layer with runs of small boxes joined, and how many boxes went into those."""
    by_size = sorted(layer.boxes, key=lambda box: box.start - box.end)
    small = set(map(id, by_size[_LARGEST:]))
    boxes: list[Box] = []
    labels: list[Label] = []
    gone: set[int] = set()
    for run in _runs(layer.boxes, small, longest):
        if len(run) == 1:
            boxes += run
            continue
        first, last = run[0], run[-1]
        gone.update(box.start for box in run)
        title = f"{first.title} … {last.title}"
        why = f"{len(run)} that lie side by side, too small to be drawn one by one"
        boxes.append(first._replace(end=last.end, title=title, why=why, path="", owner=""))
        size = format_size(last.end - first.start)
        labels.append(Label(0, first.start, last.end, title, f"{len(run)}, {size}"))
    labels += [label for label in layer.labels if label.start not in gone]
    return Layer(boxes, labels), len(gone)


def _runs(boxes: list[Box], small: set[int], longest: int) -> Iterator[list[Box]]:
    """Yield the boxes by address; small ones of one kind and state in runs of at most so many."""
    run: list[Box] = []
    for box in sorted(boxes, key=lambda box: box.start):
        goes_on = (
            run
            and len(run) < longest
            and id(box) in small
            and id(run[-1]) in small
            and (box.kind, box.state) == (run[-1].kind, run[-1].state)
            and box.start >= run[-1].end
        )
        if goes_on:
            run.append(box)
            continue
        if run:
            yield run
        run = [box]
    if run:
        yield run
