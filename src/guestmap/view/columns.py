"""A panel as columns of values, in the form that drawing libraries want."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from guestmap.view.colours import FAINT_INK, INK, MARK, MEANINGS, PAPER, look
from guestmap.view.words import hex_address, range_words

if TYPE_CHECKING:
    from guestmap.view.picture import Box, Label, Lane, Panel

Columns = dict[str, list[Any]]

WIDE_WIDTH = 1.6
LANE_WIDTH = 1.0
NARROW_WIDTH = 0.22
_GAP = 0.05
_SECTION_GAP = 0.25


@dataclass(frozen=True, slots=True)
class Extent:
    """Where a lane is, from left to right; a lane of a tree is 1.0 wide."""

    left: float
    right: float

    @property
    def middle(self) -> float:
        """The middle of the lane."""
        return (self.left + self.right) / 2


def lane_extents(lanes: tuple[Lane, ...]) -> list[Extent]:
    """Return where the lanes are, side by side."""
    extents: list[Extent] = []
    left = 0.0
    for index, lane in enumerate(lanes):
        if index:
            left += _SECTION_GAP if lane.section != lanes[index - 1].section else _GAP
        width = WIDE_WIDTH if lane.wide else NARROW_WIDTH if lane.narrow else LANE_WIDTH
        extents.append(Extent(left, left + width))
        left += width
    return extents


def box_columns(panel: Panel) -> Columns:
    """Return one row for each box: its place, its look, and what to say about it."""
    extents = lane_extents(panel.lanes)
    return _columns([_box_row(panel, box, extents[box.lane]) for box in panel.boxes])


def _box_row(panel: Panel, box: Box, extent: Extent) -> dict[str, Any]:
    appearance = look(box.kind, box.state)
    lane = panel.lanes[box.lane]
    return {
        "left": extent.left,
        "right": extent.right,
        "top": panel.axis.position(box.start),
        "bottom": panel.axis.position(box.end),
        "fill": appearance.fill,
        "line": MARK if box.changed else appearance.line,
        "line_width": 2.0 if box.changed else 0.75,
        "hatched": appearance.hatched,
        "dash": [3, 3] if appearance.dashed else [],
        "title": box.title,
        "range": range_words(box.start, box.end),
        "kind": MEANINGS[box.kind],
        "state": box.state,
        "priority": "" if box.kind == "nobody" else str(box.priority),
        "offset": hex_address(box.offset) if box.kind not in ("nobody", "container") else "",
        "why": box.why,
        "path": box.path,
        "owner": box.owner,
        "lane": " ".join(lane.heading.split()),
        "about": lane.about,
        "views": lane.views,
        # JavaScript's numbers are exact to 2**53 only: addresses go as digits
        "start": f"{box.start:x}",
        "end": f"{box.end:x}",
    }


def label_columns(panel: Panel) -> Columns:
    """Return one row for each label: the room it has, its words, and how to write them."""
    extents = lane_extents(panel.lanes)
    return _columns([_label_row(panel, each, extents[each.lane]) for each in panel.labels])


def _label_row(panel: Panel, label: Label, extent: Extent) -> dict[str, Any]:
    return {
        "left": extent.left,
        "right": extent.right,
        "top": panel.axis.position(label.start),
        "bottom": panel.axis.position(label.end),
        "text": label.text,
        "detail": label.detail,
        "colour": FAINT_INK if label.faint else INK,
        "paper": PAPER if label.hatched else "#00000000",
        "upright": panel.lanes[label.lane].narrow,
    }


def _columns(rows: list[dict[str, Any]]) -> Columns:
    values = zip(*(row.values() for row in rows), strict=True)
    return {name: list(each) for name, each in zip(rows[0], values, strict=True)} if rows else {}


def tick_columns(panel: Panel) -> Columns:
    """Return the axis' edges: position, address in words and as digits, and how much it matters.

    Where something starts that accesses reach matters most (2), then where it ends (1).
    """
    views = {i for i, lane in enumerate(panel.lanes) if lane.views}
    reached = [box for box in panel.boxes if box.lane in views and box.state == "seen"]
    starts, ends = {box.start for box in reached}, {box.end for box in reached}
    edges = panel.axis.edges
    return {
        "position": list(panel.axis.positions),
        "words": [hex_address(edge) for edge in edges],
        "address": [f"{edge:x}" for edge in edges],
        "rank": [2 if edge in starts else int(edge in ends) for edge in edges],
    }


def heading_columns(panel: Panel) -> Columns:
    """Return the lanes' headings, and where they stand; narrow lanes have none."""
    lanes = zip(panel.lanes, lane_extents(panel.lanes), strict=True)
    wide = [(lane, extent) for lane, extent in lanes if not lane.narrow]
    return {
        "left": [extent.left for _, extent in wide],
        "right": [extent.right for _, extent in wide],
        "middle": [extent.middle for _, extent in wide],
        "words": [lane.heading for lane, _ in wide],
    }


def fold_columns(panel: Panel) -> Columns:
    """Return the pieces of the axis that are folded."""
    folded = [piece for piece in panel.axis.pieces if piece.folded]
    extents = lane_extents(panel.lanes)
    return {
        "left": [extents[0].left] * len(folded),
        "right": [extents[-1].right] * len(folded),
        "top": [piece.top for piece in folded],
        "bottom": [piece.bottom for piece in folded],
    }
