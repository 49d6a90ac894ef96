"""A panel as a bokeh figure: boxes, words, what the pointer says, and room to move."""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING, Any, Literal, cast

from bokeh.models import (
    CDSView,
    ColumnDataSource,
    CustomJS,
    CustomJSHover,
    FixedTicker,
    GroupFilter,
    HoverTool,
    PanTool,
    Range1d,
    RangeTool,
    ResetTool,
    Text,
    WheelZoomTool,
)
from bokeh.plotting import figure

from guestmap.view.colours import FAINT_INK, FOLD, INK, MARK
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
    from bokeh.models import Quad
    from bokeh.models.renderers import GlyphRenderer

    from guestmap.view.picture import Panel

_LONG = 36.0
"""From this length on a map may not fit on a small screen."""

_MARGIN = 0.15
_SMALL = 420
"""Pixels in which a figure that yields is still to be read."""
_LANE = 76
"""Pixels that a lane has at least, or it yields."""

_TOOLTIP = """
<div style="max-width: 34em; font: 12px Helvetica, Arial, sans-serif">
  <b>@title</b> <span style="color: #666">@state</span><br>
  <span style="white-space: pre-line">@tip</span><br>
  <span style="color: #666">pointer at $y{custom}</span>
</div>
"""


def script(name: str) -> str:
    """Return a piece of JavaScript of this package."""
    return files("guestmap.view").joinpath(name).read_text(encoding="utf-8")


class PanelFigure:
    """The figure of one panel; :meth:`show` puts another panel into it.

    Args:
        panel: what to draw.
        yields: where there is no room for all lanes, those on the right give way.

    Attributes:
        plot: the figure.
        overview: a strip with the whole map beside it; moves what ``plot`` shows.
        boxes, marks, edges: its sources: what is drawn, what is marked in it, the axis' edges.
    """

    def __init__(self, panel: Panel, *, yields: bool = False) -> None:
        self.boxes = ColumnDataSource()
        self.marks = ColumnDataSource(
            {name: [] for name in ("left", "right", "top", "bottom", "width")}
        )
        self.edges = ColumnDataSource()
        self._labels = ColumnDataSource()
        self._written = ColumnDataSource(
            {name: [] for name in ("x", "y", "text", "colour", "paper", "angle", "align")}
        )
        self._folds = ColumnDataSource()
        self._small = ColumnDataSource()
        self._headings = ColumnDataSource()
        self._load(panel)
        self.plot = self._figure(panel)
        if yields:
            self._yield(panel)
        self._draw()
        self.overview = self._overview(panel)
        self._head()
        self._labels.data = plain(label_columns(panel))

    def show(self, panel: Panel) -> None:
        """Show another panel, where this one was; what is in view stays in view."""
        inside = self._inside
        seen = abs(cast("float", inside.start) - cast("float", inside.end))
        whole = seen >= self.edges.data["position"][-1]
        self._load(panel)
        extents, length = lane_extents(panel.lanes), panel.axis.length
        self._across.end = extents[-1].right + 0.03
        self._small_across.end, self._small_inside.start = extents[0].right, length
        inside.bounds = (-_MARGIN, length + _MARGIN)
        if whole:
            inside.start, inside.end = length + _MARGIN, -_MARGIN
        self._head()
        self._labels.data = plain(label_columns(panel))  # last: words are placed when it changes

    def reveal(self, top: float, bottom: float) -> None:
        """Bring a part of the axis into view, if it is not."""
        inside = self._inside
        low, high = cast("float", inside.end), cast("float", inside.start)
        if low <= top and bottom <= high:
            return
        span, length = high - low, self.edges.data["position"][-1]
        low = max(min((top + bottom - span) / 2, length + _MARGIN - span), -_MARGIN)
        inside.start, inside.end = low + span, low

    @property
    def is_long(self) -> bool:
        """Whether there is more than fits on a screen."""
        return bool(self.edges.data["position"][-1] > _LONG)

    def _load(self, panel: Panel) -> None:
        boxes = box_columns(panel)
        boxes["tip"] = [_tip(boxes, row) for row in range(len(boxes["title"]))]
        self.boxes.data = plain(boxes)
        seen = [i for i, lane in enumerate(boxes["left"]) if not lane]
        names = ("left", "right", "top", "bottom", "fill")
        self._small.data = plain({name: [boxes[name][i] for i in seen] for name in names})
        self.edges.data = plain(tick_columns(panel))
        self._folds.data = plain(fold_columns(panel))
        self._headings.data = heading_columns(panel)

    def _figure(self, panel: Panel) -> figure:
        right = lane_extents(panel.lanes)[-1].right
        length = panel.axis.length
        low, high = -_MARGIN, length + _MARGIN
        lanes = sum(0.3 if lane.narrow else 1.0 for lane in panel.lanes)
        self._across = Range1d(start=-0.03, end=right + 0.03)
        self._inside = Range1d(start=high, end=low, bounds=(low, high))
        plot = figure(
            x_range=self._across,
            y_range=self._inside,
            x_axis_location="above",
            sizing_mode="stretch_both",
            min_width=int(120 + 96 * lanes),
            max_width=int(300 + 280 * lanes),
            min_height=420,
            max_height=max(420, int(80 + 42 * length)),
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

    def _yield(self, panel: Panel) -> None:
        """Let lanes of trees leave the picture where it is small; dragging brings them back."""
        plot, lanes = self.plot, list(zip(panel.lanes, lane_extents(panel.lanes), strict=True))
        ends = [extent.right for _, extent in lanes]
        needed = max(extent.right for lane, extent in lanes if lane.wide)
        plot.min_width = _SMALL
        self._across.bounds = (-0.03, ends[-1] + 0.03)
        args = {"plot": plot, "needed": needed, "ends": ends, "narrowest": _LANE}
        plot.js_on_change("inner_width", CustomJS(args=args, code=script("yield.js")))

    def _draw(self) -> None:
        plot = self.plot
        plot.quad(
            left="left", right="right", top="top", bottom="bottom", source=self._folds,
            fill_color=FOLD, line_color=None,
        )  # fmt: skip
        boxes = plot.quad(
            left="left", right="right", top="top", bottom="bottom", source=self.boxes,
            fill_color="fill", line_color="line", line_width="line_width", line_dash="dash",
            line_alpha=1.0,
        )  # fmt: skip
        # Hatched apart, all alike: a pattern for each box would take seconds where there are many.
        plot.quad(
            left="left", right="right", top="top", bottom="bottom", source=self.boxes,
            view=CDSView(filter=GroupFilter(column_name="state", group="hidden")),
            fill_color=None, line_color=None, hatch_pattern="/", hatch_color="#9a9a9a",
            hatch_scale=7, hatch_weight=0.6,
        )  # fmt: skip
        plot.quad(
            left="left", right="right", top="top", bottom="bottom", source=self.marks,
            fill_color=MARK, fill_alpha=0.12, line_color=MARK, line_width="width",
        )  # fmt: skip
        plot.add_glyph(self._written, _words())
        pointer = CustomJSHover(args={"edges": self.edges}, code=script("pointer.js"))
        hover = HoverTool(
            renderers=[boxes], tooltips=_TOOLTIP, formatters={"$y": pointer},
            point_policy="follow_mouse", attachment="horizontal",
        )  # fmt: skip
        dragged: Literal["height", "both"] = "height" if self._across.bounds is None else "both"
        wheel = WheelZoomTool(dimensions="height", maintain_focus=False)
        plot.add_tools(hover, wheel, PanTool(dimensions=dragged), ResetTool())
        plot.toolbar.active_scroll = wheel
        self._declutter(boxes)

    def _declutter(self, boxes: GlyphRenderer[Quad]) -> None:
        plot = self.plot
        ticker = FixedTicker(ticks=[])
        plot.yaxis.ticker = ticker
        tidy = CustomJS(
            args={
                "plot": plot, "labels": self._labels, "edges": self.edges,
                "written": self._written, "ticker": ticker, "headings": self._headings,
                "above": plot.xaxis[0], "outlined": boxes.glyph,
            },
            code=script("declutter.js"),
        )  # fmt: skip
        for end in ("start", "end"):
            plot.y_range.js_on_change(end, tidy)
        plot.js_on_change("inner_height", tidy)
        plot.js_on_change("inner_width", tidy)
        self._labels.js_on_change("data", tidy)

    def _overview(self, panel: Panel) -> figure:
        self._small_across = Range1d(start=0, end=lane_extents(panel.lanes)[0].right)
        self._small_inside = Range1d(start=panel.axis.length, end=0)
        strip = figure(
            width=54, sizing_mode="stretch_height", min_height=420, tools=[],
            toolbar_location=None,
            x_range=self._small_across, y_range=self._small_inside,
        )  # fmt: skip
        strip.axis.visible = False
        strip.grid.visible = False
        strip.quad(
            left="left", right="right", top="top", bottom="bottom", source=self._small,
            fill_color="fill", line_color=None,
        )  # fmt: skip
        strip.add_tools(RangeTool(y_range=self.plot.y_range))
        return strip

    def _head(self) -> None:
        """Say where the lanes' names stand, and name the edges."""
        plot = self.plot
        plot.xaxis.ticker = FixedTicker(ticks=list(self._headings.data["middle"]))
        edges = self.edges.data
        plot.yaxis.major_label_overrides = dict(zip(edges["position"], edges["words"], strict=True))
        plot.yaxis.major_label_text_color = FAINT_INK


def _words() -> Text:
    """Return how words are written: all about them comes from columns."""
    return Text(
        x="x", y="y", text="text", text_color="colour", angle="angle", text_align="align",
        text_baseline="middle", text_font_size="11px", text_line_height=1.1,
        text_font={"value": "Helvetica, Arial, sans-serif"}, background_fill_color="paper",
    )  # fmt: skip


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
