"""A fleet as a web page: a cell for each machine, and behind it the map that ``draw`` makes."""

from __future__ import annotations

import math
from collections.abc import Iterable
from html import escape
from typing import Any

from bokeh.layouts import column
from bokeh.models import ColumnDataSource, HoverTool, OpenURL, TapTool
from bokeh.models.widgets import Div
from bokeh.plotting import figure

from guestmap.base import format_size, printable
from guestmap.fleet.record import MachineAudit
from guestmap.view.page import standalone

_FAILED, _ERROR, _WARNING = "#7a0019", "#d7301f", "#fdae61"
_FILLED = ("#edf8e9", "#c7e9c0", "#a1d99b", "#74c476", "#31a354", "#006d2c")
"""From nothing plugged to all that may be."""
_UNKNOWN = "#d9d9d9"
_TOOLTIPS = [
    ("machine", "@machine"), ("host", "@host"), ("state", "@state"), ("used", "@used"),
    ("plugged", "@plugged"), ("free slots", "@slots"), ("largest gap", "@largest"),
    ("findings", "@findings"),
]  # fmt: skip


def fleet_page(records: Iterable[MachineAudit], title: str, *, maps: str = "") -> str:
    """Return the page, with everything it needs inside.

    Args:
        records: the machines, in the order of their cells.
        title: of the page.
        maps: the folder of the maps' pages, relative to this one; a click on a cell opens
            ``MAPS/DIGEST.html``. "": there are none.
    """
    cells = [cell_of(each) for each in records]
    across = max(1, math.ceil(math.sqrt(2 * len(cells))))
    data: dict[str, list[Any]] = {
        key: [each[key] for each in cells] for key in (cells[0] if cells else ())
    }
    data["x"] = [number % across for number in range(len(cells))]
    data["y"] = [-(number // across) for number in range(len(cells))]
    source = ColumnDataSource(data)
    plot = figure(
        sizing_mode="stretch_both", tools="pan,wheel_zoom,reset", active_scroll="wheel_zoom",
        match_aspect=True, toolbar_location="above",
    )  # fmt: skip
    plot.axis.visible = False
    plot.grid.visible = False
    drawn = plot.rect("x", "y", 0.94, 0.94, source=source, fill_color="colour", line_color="edge",
                      line_width=2)  # fmt: skip
    plot.add_tools(HoverTool(renderers=[drawn], tooltips=_TOOLTIPS))
    if maps:
        plot.add_tools(TapTool(renderers=[drawn], callback=OpenURL(url=f"{maps}/@digest.html")))
    words = (
        f"<b style='font-size: 17px'>{escape(title)}</b> <span style='color: #666'>"
        f"{len(cells)} machines; green: memory plugged, of what may be; red: errors, orange:"
        " warnings, dark red: could not be looked at</span>"
    )
    heading = Div(text=words, disable_math=True, sizing_mode="stretch_width")
    return standalone(column(heading, plot, sizing_mode="stretch_both"), title)


def cell_of(record: MachineAudit) -> dict[str, str]:
    """Return what a cell shows: texts for people, and colours."""
    memory = record.memory
    counts = {
        word: sum(f.severity == word for f in record.findings) for word in ("error", "warning")
    }
    known = {
        "used": "not known",
        "plugged": "not known",
        "slots": "not known",
        "largest": "not known",
    }
    colour = _UNKNOWN
    if memory is not None:
        known = {
            "used": f"{format_size(memory.used)} of {format_size(memory.capacity)}",
            "plugged": format_size(memory.plugged),
            "slots": f"{memory.slots_left} of {len(memory.slots)}",
            "largest": format_size(max((gap.size for gap in memory.gaps), default=0)),
        }
        share = memory.used / memory.capacity if memory.capacity else 0.0
        colour = _FILLED[min(len(_FILLED) - 1, int(share * len(_FILLED)))]
    edge = _ERROR if counts["error"] else _WARNING if counts["warning"] else "#999999"
    return {
        "machine": printable(record.machine),
        "host": printable(record.host),
        "state": record.state,
        "digest": record.digest,
        "colour": colour if record.is_ok else _FAILED,
        "edge": edge if record.is_ok else _FAILED,
        "findings": ", ".join(dict.fromkeys(each.code for each in record.findings)) or "none",
        **known,
    }
