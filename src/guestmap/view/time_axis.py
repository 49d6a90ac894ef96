"""A film's time from left to right: marks for all that happened, to point at and to click on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from bokeh.models import ColumnDataSource, HoverTool, Range1d, TapTool
from bokeh.models.annotations import Span
from bokeh.plotting import figure

from guestmap.view.colours import FAINT_INK, FLOW_INK, INK, MARK
from guestmap.view.film import FLOW
from guestmap.view.sent import index_sent

if TYPE_CHECKING:
    from guestmap.view.player import FilmMoment

_TOOLTIP = "<div style='font: 12px Helvetica, Arial, sans-serif'>@time{0.00} ms: @said</div>"
_ROWS = {">>": (2, 12, INK), "==": (1, 10, MARK), FLOW: (-1, 8, FLOW_INK)}
"""Changes of the map, phases and the firmware's flow, by what their lines begin with: row, size,
colour."""
_LINE = (0, 6, FAINT_INK)
_TALL, _MARGIN = 80, 0.6


class TimeAxis:
    """The axis.

    Args:
        go: shows a frame.

    Attributes:
        plot: the axis itself.
        across: from when to when it goes, in ms.
        marks: what is on it: time in ms, what is said of it, the frame that was so then.
    """

    def __init__(self, go: Callable[[int], None]) -> None:
        self._go = go
        self._frames: list[int] = []  # a page can change what is in marks
        self.marks = ColumnDataSource(
            {name: [] for name in ("time", "row", "size", "colour", "said", "frame")}
        )
        self._now = Span(location=0, dimension="height", line_color=MARK, line_width=2)
        self.across = Range1d(start=0, end=1)
        self._down = Range1d(start=-_MARGIN, end=2 + _MARGIN)
        self.plot = self._figure()
        self.marks.selected.on_change("indices", lambda _attribute, _old, new: self._chosen(new))

    def look(self, moments: Sequence[FilmMoment]) -> None:
        """Take in all that happened."""
        rows = [_ROWS.get(each.text[:2], _LINE) for each in moments]
        self._frames = [each.frame for each in moments]
        self.marks.data = {
            "time": [each.time_s * 1e3 for each in moments],
            "row": [row for row, _, _ in rows],
            "size": [size for _, size, _ in rows],
            "colour": [colour for _, _, colour in rows],
            "said": [each.text for each in moments],
            "frame": [each.frame for each in moments],
        }
        lowest = min((row for row, _, _ in rows), default=0)
        self._down.start = min(lowest, 0) - _MARGIN
        first, last = moments[0].time_s * 1e3, moments[-1].time_s * 1e3
        room = (last - first or 1.0) / 50
        self.across.start, self.across.end = first - room, last + room

    def mark(self, time_s: float) -> None:
        """Show which time it is."""
        self._now.location = time_s * 1e3

    def _chosen(self, marks: Sequence[int]) -> None:
        """Go where somebody has clicked; of several marks at one place, to the first."""
        mark = index_sent(marks[0], len(self._frames)) if marks else None
        if mark is not None:
            self._go(self._frames[mark])
            self.marks.selected.indices = []  # it can be clicked again

    def _figure(self) -> figure:
        plot = figure(
            height=_TALL, sizing_mode="stretch_width", x_range=self.across,
            y_range=self._down, tools=[], toolbar_location=None, name="times",
            margin=(0, 12, 0, 12),
        )  # fmt: skip
        marks = plot.scatter(
            x="time", y="row", size="size", color="colour", marker="dash", angle=1.5708,
            line_width=2, source=self.marks,
        )  # fmt: skip
        plot.add_tools(HoverTool(renderers=[marks], tooltips=_TOOLTIP), TapTool(renderers=[marks]))
        plot.add_layout(self._now)
        plot.yaxis.visible = False
        plot.grid.visible = False
        plot.outline_line_color = None
        plot.xaxis.major_label_text_color = INK
        plot.xaxis.axis_label = "time in ms"
        plot.xaxis.axis_label_text_color = FAINT_INK
        plot.xaxis.axis_label_text_font_size = "11px"
        plot.xaxis.axis_label_standoff = 0
        return plot
