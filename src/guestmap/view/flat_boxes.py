"""Boxes for a flat view: what accesses reach, and the room between where nobody answers."""

from __future__ import annotations

from bisect import bisect_right
from itertools import islice
from typing import TYPE_CHECKING

from guestmap.base import format_size
from guestmap.inspect.ask.slot_words import slot_words
from guestmap.view.overlaps import Crowd
from guestmap.view.picture import Box, Label
from guestmap.view.seen_pieces import BY_ITS_OWN
from guestmap.view.tree_boxes import Layer, path_words
from guestmap.view.words import hex_address, whose

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from guestmap.inspect import RangeInfo
    from guestmap.inspect.map.shown import Shown
    from guestmap.inspect.map.snapshot import SlotInfo

_MOST_BEHIND = 4


def flat_layer(
    ranges: Sequence[RangeInfo],
    shown: list[Shown],
    layers: Iterable[Layer],
    root: str | None,
    slots: Sequence[SlotInfo] = (),
) -> Layer:
    """Return the lane of a flat view, without the room where nobody answers.

    Args:
        ranges: the view.
        shown: the same with the ways that lead to each region; empty where there are no trees.
        layers: of the tree that it shows: what is hidden there is named.
        root: name of the root region; what itself answers is the background.
        slots: memory slots by which its addresses are reached, by address.
    """
    hidden = Crowd(
        box
        for layer in layers
        for box in layer.boxes
        if box.state == "hidden" and not box.why.startswith(BY_ITS_OWN)
    )
    layer = Layer()
    for each in ranges:
        end = each.start + each.size
        index = bisect_right(shown, each.start, key=lambda piece: piece.start) - 1
        way = shown[index].way if index >= 0 and shown[index].end > each.start else None
        background = each.name == root if way is None else way.depth == 0
        layer.boxes.append(
            Box(
                lane=0,
                start=each.start,
                end=end,
                title=each.name,
                kind=each.type,
                state="background" if background else "seen",
                priority=each.priority,
                offset=each.offset_in_region,
                why=_behind(hidden, each.start, end),
                path=path_words(way) if way and way.region.name == each.name else "",
                owner=", ".join(
                    filter(None, (whose(each.owner), *each.accelerator, *_slots(slots, each)))
                ),
            )
        )
        layer.labels.append(flat_label(layer.boxes[-1]))
    return layer


def _slots(slots: Sequence[SlotInfo], shown: RangeInfo) -> list[str]:
    """Say by which slots some addresses are reached; several ranges may share one."""
    end = shown.start + shown.size
    index = bisect_right(slots, shown.start, key=lambda slot: slot.start + slot.size)
    found: list[str] = []
    while index < len(slots) and slots[index].start < end and len(found) < _MOST_BEHIND:
        found.append(slot_words(slots[index]))
        index += 1
    return found


def flat_label(box: Box) -> Label:
    """Return what stands in a box of a flat view."""
    detail = format_size(box.end - box.start)
    if box.offset and box.state == "seen":
        detail += f", +{hex_address(box.offset)}"
    return Label(0, box.start, box.end, box.title, detail, faint=box.state == "background")


def _behind(hidden: Crowd, start: int, end: int) -> str:
    """Return which regions are hidden somewhere in a range."""
    names = hidden.within(start, end)
    if not names:
        return ""
    listed = ", ".join(islice(names, _MOST_BEHIND))
    more = len(names) - _MOST_BEHIND
    return f"behind it: {listed}" + (f" and {more} more" if more > 0 else "")


def nobody(layer: Layer, end: int) -> Layer:
    """Return boxes for the room between the boxes of a flat view, and up to ``end``."""
    room = Layer()
    reached = 0
    for start, stop in [*((box.start, box.end) for box in layer.boxes), (end, end)]:
        if start > reached:
            room.boxes.append(Box(0, reached, start, "nobody answers", "nobody", "background"))
            size = format_size(start - reached)
            room.labels.append(Label(0, reached, start, "nobody", size, faint=True))
        reached = max(reached, stop)
    return room
