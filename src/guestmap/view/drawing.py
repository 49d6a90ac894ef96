"""What is put into a panel's figure: boxes, words, what the pointer says, scripts."""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING

from bokeh.models import (
    CDSView,
    CustomJS,
    CustomJSHover,
    FixedTicker,
    GroupFilter,
    HoverTool,
    PanTool,
    ResetTool,
    Text,
    WheelZoomTool,
)

from guestmap.view.colours import FOLD, MARK

if TYPE_CHECKING:
    from bokeh.models import Quad
    from bokeh.models.renderers import GlyphRenderer
    from bokeh.plotting import figure

    from guestmap.view.panel_sources import PanelSources

_LANE, _NAMED_LANE = 76, 150
"""Pixels that a lane has at least, or it yields; and for the sake of its names at most."""

_LEADING = 0.9
"""Of the font's height, from line to line: 12 pixels, as declutter.js reckons."""

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


def draw(plot: figure, sources: PanelSources) -> None:
    """Put a panel into a figure."""
    _let_lanes_yield(plot, sources)
    plot.quad(
        left="left", right="right", top="top", bottom="bottom", source=sources.folds,
        fill_color=FOLD, line_color=None,
    )  # fmt: skip
    boxes = plot.quad(
        left="left", right="right", top="top", bottom="bottom", source=sources.boxes,
        fill_color="fill", line_color="line", line_width="line_width", line_dash="dash",
        line_alpha=1.0,
    )  # fmt: skip
    # Hatched apart, all alike: a pattern for each box would take seconds where there are many.
    plot.quad(
        left="left", right="right", top="top", bottom="bottom", source=sources.boxes,
        view=CDSView(filter=GroupFilter(column_name="state", group="hidden")),
        fill_color=None, line_color=None, hatch_pattern="/", hatch_color="#9a9a9a",
        hatch_scale=7, hatch_weight=0.6,
    )  # fmt: skip
    plot.quad(
        left="left", right="right", top="top", bottom="bottom", source=sources.marks,
        fill_color=MARK, fill_alpha=0.12, line_color=MARK, line_width="width",
    )  # fmt: skip
    plot.add_glyph(sources.written, _words())
    _add_tools(plot, sources, boxes)
    _declutter(plot, sources, boxes)


def _let_lanes_yield(plot: figure, sources: PanelSources) -> None:
    """Let lanes on the right leave the picture where it is small; dragging brings them back."""
    args = {
        "plot": plot, "lanes": sources.lanes, "labels": sources.labels, "narrowest": _LANE,
        "widest": _NAMED_LANE,
    }  # fmt: skip
    fit = CustomJS(args=args, code=script("yield.js"))
    plot.js_on_change("inner_width", fit)
    sources.lanes.js_on_change("data", fit)


def let_keys_move(plot: figure, about: str) -> None:
    """Have a keyboard move in a figure, once it is laid out."""
    keys = CustomJS(args={"plot": plot, "about": about}, code=script("plot_keys.js"))
    plot.js_on_change("inner_width", keys)


def _add_tools(plot: figure, sources: PanelSources, boxes: GlyphRenderer[Quad]) -> None:
    pointer = CustomJSHover(args={"edges": sources.edges}, code=script("pointer.js"))
    hover = HoverTool(
        renderers=[boxes], tooltips=_TOOLTIP, formatters={"$y": pointer},
        point_policy="follow_mouse", attachment="horizontal",
    )  # fmt: skip
    wheel = WheelZoomTool(dimensions="height", maintain_focus=False)
    plot.add_tools(hover, wheel, PanTool(), ResetTool())
    plot.toolbar.active_scroll = wheel


def _declutter(plot: figure, sources: PanelSources, boxes: GlyphRenderer[Quad]) -> None:
    ticker = FixedTicker(ticks=[])
    plot.yaxis.ticker = ticker
    tidy = CustomJS(
        args={
            "plot": plot, "labels": sources.labels, "edges": sources.edges,
            "written": sources.written, "ticker": ticker, "headings": sources.headings,
            "above": plot.xaxis[0], "outlined": boxes.glyph,
        },
        code=script("declutter.js"),
    )  # fmt: skip
    for end in ("start", "end"):
        plot.y_range.js_on_change(end, tidy)
    plot.js_on_change("inner_height", tidy)
    plot.js_on_change("inner_width", tidy)
    sources.labels.js_on_change("data", tidy)


def _words() -> Text:
    """Return how words are written: all about them comes from columns."""
    return Text(
        x="x", y="y", text="text", text_color="colour", angle="angle", text_align="align",
        text_baseline="middle", text_font_size="11px", text_line_height=_LEADING,
        text_font={"value": "Helvetica, Arial, sans-serif"}, background_fill_color="paper",
    )  # fmt: skip
