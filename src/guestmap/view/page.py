"""A picture as a web page that needs nothing else: no network, no server."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

from bokeh.embed import components
from bokeh.events import ValueSubmit
from bokeh.layouts import column, row
from bokeh.models import CustomJS, TabPanel, Tabs
from bokeh.models.ui import UIElement
from bokeh.models.widgets import Div, TextInput
from bokeh.resources import Resources

from guestmap.view.colours import COLOURS, LINE, MARK, MEANINGS, look
from guestmap.view.drawing import script
from guestmap.view.figure import LOW, PanelFigure
from guestmap.view.policy import page_policy

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bokeh.model import Model
    from bokeh.plotting import figure

    from guestmap.view.picture import Kind, Picture

_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<title>{title}</title>
<style>
html, body {{ box-sizing: border-box; display: flow-root; height: 100%; margin: 0; padding: 0; }}
</style>
{libraries}
</head>
<body>
{place}
{script}
</body>
</html>
"""
_CAUSES_WIDTH = 230
_SMALL = "@media (max-width: 1000px)"
_ABOVE_WHERE_SMALL = (
    f"{_SMALL} {{ :host {{ flex-direction: column !important;"
    " min-height: max-content !important; } }"
)
_WIDE_WHERE_SMALL = (
    f"{_SMALL} {{ :host {{ width: auto !important; flex-basis: auto !important; }} }}"
)
_TABS_TALL, _SEARCH_TALL = 45, 70
"""Pixels of the tabs' heads, and of the search line."""
_PANELS_TALL = LOW + _TABS_TALL + _SEARCH_TALL
_HATCH = "repeating-linear-gradient(135deg, #9a9a9a 0 1px, transparent 1px 5px)"


def html_page(picture: Picture) -> str:
    """Return the page, with everything it needs inside."""
    figures = [PanelFigure(panel) for panel in picture.panels]
    panels, _ = body(picture, figures)
    if picture.causes:
        panels = row(
            _causes(picture), panels, sizing_mode="stretch_both", min_height=_PANELS_TALL,
            stylesheets=[_ABOVE_WHERE_SMALL],
        )  # fmt: skip
    page = column(heading(picture), panels, footer(picture), sizing_mode="stretch_both")
    return standalone(page, picture.title)


def standalone(page: UIElement, title: str) -> str:
    """Return a page that has everything it needs inside, and may load nothing."""
    script, place = components(page, wrap_script=False)
    libraries = Resources(mode="inline", components=["bokeh", "bokeh-widgets"]).js_raw
    scripts = [each.strip().replace("\r\n", "\n") for each in (*libraries, script)]
    *before, last = (f"<script>{each}</script>" for each in scripts)
    policy = escape(page_policy(scripts))
    return _PAGE.format(
        policy=policy, title=escape(title), libraries="\n".join(before), place=place,
        script=last,
    )  # fmt: skip


def heading(picture: Picture) -> UIElement:
    """Return the title and the legend."""
    words = f"<b style='font-size: 17px'>{escape(picture.title)}</b>"
    if picture.subtitle:
        words += f" <span style='color: #666'>{escape(picture.subtitle)}</span>"
    kinds = {box.kind for panel in picture.panels for box in panel.boxes}
    changed = any(box.changed for panel in picture.panels for box in panel.boxes)
    return Div(
        text=f"<div>{words}</div><div style='margin-top: 4px'>{_legend(kinds, changed)}</div>",
        disable_math=True,
        sizing_mode="stretch_width",
        margin=(8, 12, 0, 12),
    )


def body(picture: Picture, figures: list[PanelFigure]) -> tuple[UIElement, Tabs | None]:
    """Return the search line with the panels below it; and the tabs, where there are several."""
    if not figures:
        return Div(text="nothing to draw: no address space shows a region", disable_math=True), None
    shown = [_with_overview(each) for each in figures]
    tabs = None
    if len(figures) > 1:
        tabs = Tabs(
            tabs=[
                TabPanel(child=child, title=panel.title)
                for child, panel in zip(shown, picture.panels, strict=True)
            ],
            sizing_mode="stretch_both",
            min_height=LOW + _TABS_TALL,
        )
        keys = CustomJS(args={"tabs": tabs}, code=script("tab_keys.js"))
        tabs.js_on_change("active", keys)
        figures[0].plot.js_on_change("inner_width", keys)
    below: list[Any] = [tabs] if tabs else shown
    parts = column(
        search_line(figures, tabs), *below, sizing_mode="stretch_both", min_height=_PANELS_TALL
    )
    return parts, tabs


def search_line(figures: list[PanelFigure], tabs: Tabs | None) -> UIElement:
    """Return where to type what to look for, and where the answer appears."""
    box = TextInput(
        title="find a name or an address; Enter: the next one", placeholder="pc.ram, 0xc9000",
        width=330,
    )  # fmt: skip
    # what is found has names in it: text, never HTML
    answer = Div(
        text="",
        render_as_text=True,
        disable_math=True,
        sizing_mode="stretch_width",
        margin=(26, 5, 0, 5),
        name="answer",
    )
    args = {
        "box": box,
        "answer": answer,
        "tabs": tabs,
        "state": Div(tags=["", 0]),
        "plots": [each.plot for each in figures],
        "boxes": [each.sources.boxes for each in figures],
        "marks": [each.sources.marks for each in figures],
        "edges": [each.sources.edges for each in figures],
    }
    box.js_on_change("value_input", CustomJS(args={**args, "step": 0}, code=script("search.js")))
    overviews = [(each.overview, "") for each in figures if each.is_long]
    speak(figures[0].plot, told=[answer], named=overviews)
    box.js_on_event(ValueSubmit, CustomJS(args={**args, "step": 1}, code=script("search.js")))
    return row(box, answer, sizing_mode="stretch_width", margin=(0, 8, 0, 8))


def speak(
    plot: figure,
    named: Sequence[tuple[Model, str]] = (),
    toggles: Sequence[Model] = (),
    told: Sequence[Model] = (),
) -> None:
    """Tell screen readers what widgets leave out, once ``plot`` is laid out.

    Args:
        plot: a figure of the page.
        named: widgets and figures, and what they are called.
        toggles: buttons that are down or up.
        told: words that are read out when they change.
    """
    args = {
        "named": [model for model, _ in named],
        "names": [name for _, name in named],
        "toggles": [*toggles],
        "told": [*told],
    }
    spoken = CustomJS(args=args, code=script("spoken.js"))
    plot.js_on_change("inner_width", spoken)
    for toggle in toggles:
        toggle.js_on_change("active", spoken)


def footer(picture: Picture) -> UIElement:
    """Return the notes."""
    words = " ".join(escape(note) for note in picture.notes)
    return Div(
        text=f"<small style='color: #555'>{words}</small>",
        disable_math=True,
        sizing_mode="stretch_width",
        margin=(0, 12, 6, 12),
    )


def _causes(picture: Picture) -> UIElement:
    """Return what probably made the difference, for the picture's side."""
    causes = "".join(f"<li style='margin-top: 4px'>{escape(each)}</li>" for each in picture.causes)
    return Div(
        text=f"<b>What probably happened</b><ol style='padding-left: 22px; margin: 4px 0'>"
        f"{causes}</ol>",
        disable_math=True,
        width=_CAUSES_WIDTH,
        margin=(8, 12, 0, 12),
        stylesheets=[_WIDE_WHERE_SMALL],
        name="causes",
    )


def _with_overview(each: PanelFigure) -> UIElement:
    if not each.is_long:
        return each.plot
    return row(each.overview, each.plot, sizing_mode="stretch_both", min_height=LOW)


def _legend(kinds: set[Kind], changed: bool) -> str:
    parts = [
        _swatch(f"background: {colour}; border-color: {LINE}", MEANINGS[kind])
        for kind, colour in COLOURS.items()
        if kind in kinds and kind != "nobody"
    ]
    hidden = look("i/o", "hidden")
    parts.append(_swatch(f"background: {_HATCH}, {hidden.fill}", "hidden behind another"))
    if changed:
        parts.append(_swatch(f"border: 2px solid {MARK}", "changed"))
    return " ".join(parts)


def _swatch(style: str, words: str) -> str:
    box = "display: inline-block; width: 22px; height: 12px; border: 1px solid #b5b5b5"
    return (
        f"<span style='margin-right: 14px; white-space: nowrap'><span style='{box}; {style};"
        f" vertical-align: -1px; margin-right: 5px'></span>{escape(words)}</span>"
    )
