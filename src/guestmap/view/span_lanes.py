"""What lasts, as bars over time: a lane for each thing, below the axis of a film's moments."""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING

from bokeh.models import ColumnDataSource, HoverTool, PanTool, TapTool, WheelZoomTool
from bokeh.models.annotations import Span
from bokeh.models.ranges import FactorRange
from bokeh.plotting import figure

from guestmap.view.colours import FLOW_INK, INK, MARK, pale
from guestmap.view.sent import index_sent

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from bokeh.models import Range1d

    from guestmap.view.film import Film

_TOOLTIP = "<div style='font: 12px Helvetica, Arial, sans-serif'>@said</div>"
_LOOKS = {"use": (0.7, FLOW_INK), "life": (0.28, pale(FLOW_INK)), "mark": (0.7, MARK)}
"""How tall and in which colour a span is, by its kind."""
_LANE_TALL, _AXIS_TALL = 15, 12
_MOST_LANES = 16
_LABELS = 200
"""Pixels for what the lanes are called."""
_LONGEST = 30


class SpanLanes:
    """The lanes.

    Args:
        film: whose spans they show.
        across: the range of time, in ms, that the axis above has.
        go: shows a frame.

    Attributes:
        plot: the lanes themselves; it is not visible while there are none.
        bars: what is on it: lane, from and to in ms, what is said of it, the frame of its begin.
    """

    def __init__(self, film: Film, across: Range1d, go: Callable[[int], None]) -> None:
        self._film, self._go = film, go
        self._frames: list[int] = []  # a page can change what is in bars
        self.bars = ColumnDataSource(
            {name: [] for name in ("lane", "left", "right", "tall", "colour", "said", "frame")}
        )
        self._lanes = FactorRange(factors=[])
        self._now = Span(location=0, dimension="height", line_color=MARK, line_width=2)
        self.plot = self._figure(across)
        self.bars.selected.on_change("indices", lambda _attribute, _old, new: self._chosen(new))

    def look(self, until_s: float) -> None:
        """Take in all spans; one that has not ended lasts until then."""
        spans = self._film.spans.copy()
        ranked = sorted(spans, key=lambda each: each.rank)
        names = list(dict.fromkeys(each.lane for each in ranked))[:_MOST_LANES]
        shown = [each for each in spans if each.lane in names]
        ends = [until_s if each.end_s is None else each.end_s for each in shown]
        begins = [self._film[index].time_s for index in range(len(self._film))]
        self._lanes.factors = [_label(each) for each in reversed(names)]
        self._frames = [max(bisect_right(begins, each.start_s) - 1, 0) for each in shown]
        self.bars.data = {
            "lane": [_label(each.lane) for each in shown],
            "left": [each.start_s * 1e3 for each in shown],
            "right": [end * 1e3 for end in ends],
            "tall": [_LOOKS[each.kind][0] for each in shown],
            "colour": [_LOOKS[each.kind][1] for each in shown],
            "said": [_said(each.lane, each.said, each.start_s, end)
                     for each, end in zip(shown, ends, strict=True)],
            "frame": list(self._frames),
        }  # fmt: skip
        self.plot.height = _AXIS_TALL + _LANE_TALL * len(names)
        self.plot.visible = bool(names)

    @property
    def labels_wide(self) -> int:
        """How many pixels the lanes' names need at the left: what is above begins there, too."""
        return _LABELS if self.plot.visible else 0

    def mark(self, time_s: float) -> None:
        """Show which time it is."""
        self._now.location = time_s * 1e3

    def _chosen(self, bars: Sequence[int]) -> None:
        """Go to where what somebody has clicked on begins."""
        bar = index_sent(bars[-1], len(self._frames)) if bars else None
        if bar is not None:
            self._go(self._frames[bar])
            self.bars.selected.indices = []  # it can be clicked again

    def _figure(self, across: Range1d) -> figure:
        plot = figure(
            height=_AXIS_TALL, sizing_mode="stretch_width", x_range=across, y_range=self._lanes,
            tools=[], toolbar_location=None, name="spans", margin=(0, 12, 0, 12),
            min_border_left=_LABELS, visible=False,
        )  # fmt: skip
        bars = plot.hbar(
            y="lane", left="left", right="right", height="tall", fill_color="colour",
            line_color="colour", source=self.bars,
        )  # fmt: skip
        wheel = WheelZoomTool(dimensions="width", modifiers={"ctrl": True})
        plot.add_tools(
            HoverTool(renderers=[bars], tooltips=_TOOLTIP), TapTool(renderers=[bars]),
            PanTool(dimensions="width"), wheel,
        )  # fmt: skip
        plot.toolbar.active_scroll = wheel
        plot.add_layout(self._now)
        plot.xaxis.visible = False
        plot.grid.visible = False
        plot.outline_line_color = None
        plot.yaxis.axis_line_color = None
        plot.yaxis.major_tick_line_color = None
        plot.yaxis.major_label_text_color = INK
        plot.yaxis.major_label_text_font_size = "11px"
        return plot


def _label(lane: str) -> str:
    """Return a lane's name, cut where it has no room."""
    return lane if len(lane) <= _LONGEST else f"{lane[: _LONGEST - 1]}…"


def _said(lane: str, said: str, start_s: float, end_s: float) -> str:
    took = (end_s - start_s) * 1e3
    return f"{lane}{f': {said}' if said else ''}: {start_s * 1e3:.2f} ms, for {took:.3f} ms"
