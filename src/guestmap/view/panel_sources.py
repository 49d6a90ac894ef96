"""The columns of a panel, as bokeh's figures and their scripts read them."""

from __future__ import annotations

from itertools import takewhile
from typing import TYPE_CHECKING, Any

from bokeh.models import ColumnDataSource

from guestmap.view.columns import (
    box_columns,
    fold_columns,
    heading_columns,
    label_columns,
    lane_extents,
    tick_columns,
)
from guestmap.view.plain import plain

if TYPE_CHECKING:
    from guestmap.view.picture import Panel


class PanelSources:
    """What is drawn of one panel, or of one after the other.

    Attributes:
        boxes: what is drawn.
        marks: what is marked in it, which scripts fill.
        edges: of the axis.
        labels, written: words, and those of them that there is room for, which a script fills.
        folds: pieces of the axis that are folded.
        small: the boxes of the first lane.
        headings: of the lanes.
        lanes: where each lane ends, and where the first of them end, which are never left out.
    """

    def __init__(self, panel: Panel) -> None:
        self.boxes = ColumnDataSource()
        self.marks = _empty("left", "right", "top", "bottom", "width")
        self.edges = ColumnDataSource()
        self.labels = ColumnDataSource()
        self.written = _empty("x", "y", "text", "colour", "paper", "angle", "align")
        self.folds = ColumnDataSource()
        self.small = ColumnDataSource()
        self.headings = ColumnDataSource()
        self.lanes = ColumnDataSource()
        self.load(panel)

    @property
    def length(self) -> float:
        """The length of the axis."""
        return float(self.edges.data["position"][-1])

    def load(self, panel: Panel) -> None:
        """Take a panel, but for its words."""
        boxes = box_columns(panel)
        boxes["tip"] = [_tip(boxes, row) for row in range(len(boxes["title"]))]
        self.boxes.data = plain(boxes)
        seen = [i for i, lane in enumerate(boxes["left"]) if not lane]
        names = ("left", "right", "top", "bottom", "fill")
        self.small.data = plain({name: [boxes[name][i] for i in seen] for name in names})
        self.edges.data = plain(tick_columns(panel))
        self.folds.data = plain(fold_columns(panel))
        self.headings.data = heading_columns(panel)
        ends = [extent.right for extent in lane_extents(panel.lanes)]
        first = sum(1 for _ in takewhile(lambda lane: lane.wide, panel.lanes))
        lanes = {"end": ends, "needed": [ends[max(first, 1) - 1]] * len(ends)}
        if lanes != self.lanes.data:  # else lanes that somebody has dragged stay where they are
            self.lanes.data = lanes

    def load_words(self, panel: Panel) -> None:
        """Take the panel's words, last of all: they are placed when they come."""
        self.labels.data = plain(label_columns(panel))


def _empty(*names: str) -> ColumnDataSource:
    return ColumnDataSource({name: [] for name in names})


def _tip(boxes: dict[str, Any], row: int) -> str:
    """Return the lines that the pointer shows below a box's name."""
    value = {name: column[row] for name, column in boxes.items()}
    facts = value["kind"]
    if value["priority"]:
        facts += f", priority {value['priority']}"
    if value["offset"] not in ("", "0x0"):
        facts += f", from {value['offset']} in it"
    lines = [value["range"], facts, value["why"], value["path"], value["owner"]]
    return "\n".join(line for line in lines if line)
