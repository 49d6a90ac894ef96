"""A panel as a bokeh figure: boxes, words, what the pointer says, and room to move."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from bokeh.models import FixedTicker, Range1d, RangeTool
from bokeh.plotting import figure

from guestmap.view.colours import FAINT_INK, INK
from guestmap.view.columns import lane_extents
from guestmap.view.drawing import draw, let_keys_move
from guestmap.view.panel_sources import PanelSources

if TYPE_CHECKING:
    from guestmap.view.picture import Panel

_LONG = 36.0
"""From this length on a map may not fit on a small screen."""

_MARGIN, _EDGE = 0.15, 0.03
"""What is left free above and below, and on the sides."""
_NARROW, LOW = 420, 300
"""Pixels in which a figure is still to be read."""


class PanelFigure:
    """The figure of one panel; :meth:`show` puts another panel into it.

    Where there is no room for all lanes, those on the right give way; dragging brings them back.

    Args:
        panel: what to draw.

    Attributes:
        sources: what is drawn.
        plot: the figure.
        overview: a strip with the whole map beside it; moves what ``plot`` shows.
    """

    def __init__(self, panel: Panel) -> None:
        self.sources = PanelSources(panel)
        self.plot = self._figure(panel)
        draw(self.plot, self.sources)
        let_keys_move(self.plot, f"what is seen by {panel.title}")
        self.overview = self._overview(panel)
        self._head()
        self.sources.load_words(panel)

    def show(self, panel: Panel) -> None:
        """Show another panel, where this one was; what is in view stays in view."""
        inside = self._inside
        seen = abs(cast("float", inside.start) - cast("float", inside.end))
        whole = seen >= self.sources.length
        extents, length = lane_extents(panel.lanes), panel.axis.length
        self._across.bounds = (-_EDGE, extents[-1].right + _EDGE)
        self.sources.load(panel)
        self._small_across.end, self._small_inside.start = extents[0].right, length
        inside.bounds = (-_MARGIN, length + _MARGIN)
        if whole:
            inside.start, inside.end = length + _MARGIN, -_MARGIN
        self._head()
        self.sources.load_words(panel)

    def reveal(self, top: float, bottom: float) -> None:
        """Bring a part of the axis into view, if it is not."""
        inside = self._inside
        low, high = cast("float", inside.end), cast("float", inside.start)
        if low <= top and bottom <= high:
            return
        span, length = high - low, self.sources.length
        low = max(min((top + bottom - span) / 2, length + _MARGIN - span), -_MARGIN)
        inside.start, inside.end = low + span, low

    @property
    def is_long(self) -> bool:
        """Whether there is more than fits on a screen."""
        return self.sources.length > _LONG

    def _figure(self, panel: Panel) -> figure:
        right = lane_extents(panel.lanes)[-1].right + _EDGE
        length = panel.axis.length
        low, high = -_MARGIN, length + _MARGIN
        lanes = sum(0.3 if lane.narrow else 1.0 for lane in panel.lanes)
        self._across = Range1d(start=-_EDGE, end=right, bounds=(-_EDGE, right))
        self._inside = Range1d(start=high, end=low, bounds=(low, high))
        plot = figure(
            x_range=self._across,
            y_range=self._inside,
            x_axis_location="above",
            sizing_mode="stretch_both",
            min_width=_NARROW,
            max_width=int(300 + 280 * lanes),
            min_height=LOW,
            max_height=max(LOW, int(80 + 42 * length)),
            tools=[],
            toolbar_location="right",
        )
        plot.toolbar.logo = None
        plot.grid.visible = False
        plot.outline_line_color = None
        plot.axis.axis_line_color = None
        plot.axis.minor_tick_line_color = None
        plot.axis.major_label_text_color = INK
        plot.axis.major_label_text_font_size = "11px"
        plot.xaxis.major_tick_line_color = None
        plot.yaxis.major_label_text_font = "monospace"
        plot.yaxis.major_tick_in = 0
        return plot

    def _overview(self, panel: Panel) -> figure:
        self._small_across = Range1d(start=0, end=lane_extents(panel.lanes)[0].right)
        self._small_inside = Range1d(start=panel.axis.length, end=0)
        strip = figure(
            width=54, sizing_mode="stretch_height", min_height=LOW, tools=[],
            toolbar_location=None,
            x_range=self._small_across, y_range=self._small_inside,
        )  # fmt: skip
        strip.axis.visible = False
        strip.grid.visible = False
        strip.quad(
            left="left", right="right", top="top", bottom="bottom", source=self.sources.small,
            fill_color="fill", line_color=None,
        )  # fmt: skip
        strip.add_tools(RangeTool(y_range=self.plot.y_range))
        return strip

    def _head(self) -> None:
        """Say where the lanes' names stand, and name the edges."""
        plot = self.plot
        plot.xaxis.ticker = FixedTicker(ticks=list(self.sources.headings.data["middle"]))
        edges = self.sources.edges.data
        plot.yaxis.major_label_overrides = dict(zip(edges["position"], edges["words"], strict=True))
        plot.yaxis.major_label_text_color = FAINT_INK
