"""A guest's screen in a page, beside the map: to look at, to type into, to ask where a dot is."""

from __future__ import annotations

import re
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np
from bokeh.events import Tap
from bokeh.layouts import column
from bokeh.models import ColumnDataSource, CustomJS, Range1d
from bokeh.models.widgets import Div, TextInput
from bokeh.plotting import figure

from guestmap.base import printable
from guestmap.view.colours import MARK
from guestmap.view.drawing import script
from guestmap.view.sent import index_sent

if TYPE_CHECKING:
    from bokeh.document import Document
    from bokeh.models.ui import UIElement

    from guestmap.view.guest_screen import GuestScreen, ScreenFrame

_WIDEST, _NARROWEST = 720, 320
"""Pixels that a screen takes across; where there are fewer, it is smaller."""
_LOOK_MS = 50
"""How often a page sees whether there is another picture: bokeh lets no thread of others say so."""
_TYPED = re.compile(r"\d{1,12} ([01]) ([A-Za-z0-9]{1,32})")


class ScreenPanel:
    """The panel; it is there from the first picture on, and another comes when there is one.

    Args:
        screen: the screen.

    Attributes:
        dots: the picture, one of ``image_rgba``, and how large it is.
        said: where the dot is that was clicked on.
        typed: keys, as ``screen_keys.js`` writes them.
        widget: all of it.
    """

    def __init__(self, screen: GuestScreen) -> None:
        self._screen = screen
        self._shown: ScreenFrame | None = None
        self.dots = ColumnDataSource({"image": [], "wide": [], "tall": []})
        self._spot = ColumnDataSource({"x": [], "y": []})
        self._across, self._up = Range1d(start=0, end=1), Range1d(start=0, end=1)
        self.said = Div(
            text=screen.hint, disable_math=True, name="dot", sizing_mode="stretch_width",
            styles={"overflow-wrap": "anywhere"},
        )  # fmt: skip
        self.typed = TextInput(visible=False, name="typed")
        self._plot = self._figure()
        self.typed.on_change("value", lambda _attribute, _old, new: self._type(new))
        self._plot.on_event(Tap, self._tapped)
        if screen.takes_keys:
            keys = CustomJS(
                args={"plot": self._plot, "typed": self.typed}, code=script("screen_keys.js")
            )
            self._plot.js_on_change("inner_width", keys)
        self.widget: UIElement = column(
            self._plot, self.said, self.typed, sizing_mode="stretch_width", max_width=_WIDEST,
            min_width=_NARROWEST, margin=(0, 12, 6, 12), visible=screen.frame is not None,
        )  # fmt: skip

    def fill(self, document: Document) -> None:
        """Show each picture, as long as the page is there."""
        leave = self._screen.look()
        document.on_session_destroyed(lambda _context: leave())
        document.add_periodic_callback(self._show, _LOOK_MS)

    def _show(self) -> None:
        """Show the newest picture; a page that is slow leaves others out."""
        frame = self._screen.frame
        if frame is None or frame is self._shown:
            return
        before, self._shown = self._shown, frame
        if before is None or (before.width, before.height) != (frame.width, frame.height):
            self._fit(frame)
        self.dots.data = {
            "image": [_rgba(frame)], "wide": [frame.width], "tall": [frame.height],
        }  # fmt: skip

    def _fit(self, frame: ScreenFrame) -> None:
        self.widget.visible = True
        self._across.end, self._up.end = frame.width, frame.height
        self._plot.aspect_ratio = frame.width / frame.height
        self._spot.data = {"x": [], "y": []}

    def _tapped(self, event: Any) -> None:
        """Say where the dot is that was clicked on."""
        frame = self._shown
        if frame is None:
            return
        x, up = index_sent(event.x, frame.width), index_sent(event.y, frame.height)
        if x is not None and up is not None:
            self._spot.data = {"x": [x + 0.5], "y": [up + 0.5]}
            self.said.text = escape(printable(frame.place(x, frame.height - 1 - up)))

    def _type(self, words: str) -> None:
        """Give a key to the guest; whatever else a page may send is passed over."""
        if self._screen.takes_keys and (found := _TYPED.fullmatch(words)):
            self._screen.key(found[2], pressed=found[1] == "1")

    def _figure(self) -> figure:
        plot = figure(
            aspect_ratio=4 / 3, sizing_mode="scale_width", x_range=self._across, y_range=self._up,
            tools=[], toolbar_location=None, name="screen", min_border=0,
            background_fill_color="black", styles={"flex": "none"},
        )  # fmt: skip
        plot.image_rgba(image="image", x=0, y=0, dw="wide", dh="tall", source=self.dots)
        plot.scatter(x="x", y="y", marker="cross", size=14, line_color=MARK, line_width=2,
                     source=self._spot)  # fmt: skip
        plot.axis.visible = False
        plot.grid.visible = False
        plot.outline_line_color = None
        return plot


def _rgba(frame: ScreenFrame) -> Any:
    """Return a picture as bokeh takes it: a row of 32-bit dots for each line, the lowest first."""
    dots = np.full((frame.height, frame.width, 4), 0xFF, dtype=np.uint8)
    dots[:, :, :3] = np.frombuffer(frame.rgb, np.uint8).reshape(frame.height, frame.width, 3)
    return np.ascontiguousarray(dots[::-1]).view(np.uint32)[:, :, 0]
