"""What one browser window shows of a film: a page that follows while frames still come."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

from bokeh.layouts import column, row
from bokeh.models.widgets import Button, Div, Select, Slider, TextInput, Toggle

from guestmap.base import ConfigError, printable
from guestmap.view.figure import PanelFigure
from guestmap.view.happened import Happened
from guestmap.view.page import body, footer, heading, speak
from guestmap.view.player import SPEEDS, Player, fitting_speed
from guestmap.view.screen_panel import ScreenPanel
from guestmap.view.sent import index_sent

if TYPE_CHECKING:
    from bokeh.document import Document
    from bokeh.models import Tabs

    from guestmap.view.film import Film
    from guestmap.view.picture import Picture

_LOOK_MS = 200
"""How often a page looks for new frames, and goes on when it plays."""

_MAP_LEAST = 440, 620
"""Pixels across and down that a map has beside a screen; where there is no room, it is above."""
_MOMENT = "go to a moment"


class FilmPage:
    """A timeline to step through, what happened, the map; beside it the screen, if there is one.

    Args:
        film: what to show; frames may still be added.
    """

    def __init__(self, film: Film) -> None:
        self._film = film
        self._figures: list[PanelFigure] = []
        self._tabs: Tabs | None = None
        self._shown = (-1, 0)
        self._slider = Slider(
            start=0, end=1, value=0, step=1, title="frame", show_value=False, min_width=150,
            sizing_mode="stretch_width",
        )  # fmt: skip
        self._follow = Toggle(label="follow", active=not film.from_start, width=70, align="end")
        self._play = Toggle(label="▶ play", active=False, width=70, align="end")
        self._player = Player()
        speeds: list[str | tuple[Any, str]] = [*SPEEDS]
        self._speed = Select(
            title="speed", value=SPEEDS[0], options=speeds, width=150, name="speed"
        )
        self._is_speed_set = False
        self._happened = Happened(film, self._chosen)
        self._moment = TextInput(title=_MOMENT, placeholder="setup, 61ms", width=110, name="moment")
        self._opens_at = film.opens_at
        self._told = Div(text="waiting for the first map", disable_math=True, name="told",
                         sizing_mode="stretch_width", margin=(0, 12, 0, 12))  # fmt: skip
        self._place = column(sizing_mode="stretch_both")

    def fill(self, document: Document) -> None:
        """Put the page into a document."""
        back, on = (
            Button(label="◀ back", width=70, align="end"),
            Button(label="next ▶▏", width=70, align="end"),
        )
        back.on_click(lambda: self._step(-1))
        on.on_click(lambda: self._step(+1))
        self._slider.on_change("value", lambda _attribute, _old, _new: self._show())
        self._play.on_change("active", lambda _attribute, _old, new: self._played(new))
        self._moment.on_change("value", lambda _attribute, _old, new: self._asked(new))
        times = self._happened.axis.plot
        speak(
            times, toggles=[self._play, self._follow], told=[self._told],
            named=[
                (self._slider, "frame"), (times, "time; the list has what is marked on it"),
                (self._happened.lanes.plot, "what lasts; the list has when it begins and ends"),
            ],
        )  # fmt: skip
        bar = row(
            back, on, self._play, self._follow, self._speed, self._moment, self._slider,
            sizing_mode="stretch_width", margin=(4, 12, 0, 12), styles={"flex-wrap": "wrap"},
        )  # fmt: skip
        document.title = self._film.title
        shown: list[Any] = [self._place]
        if self._film.screen is not None:
            self._place.min_width, self._place.min_height = _MAP_LEAST
            panel = ScreenPanel(self._film.screen)
            panel.fill(document)
            shown.append(panel.widget)
        document.add_root(
            column(
                bar,
                self._happened.axis.plot,
                self._happened.lanes.plot,
                self._happened.widget,
                self._told,
                row(*shown, sizing_mode="stretch_both", styles={"flex-wrap": "wrap"}),
                sizing_mode="stretch_both",
            )
        )
        document.add_periodic_callback(self._look, _LOOK_MS)
        self._look()

    def _step(self, by: int) -> None:
        self._follow.active = False
        self._go(self._index + by)

    def _asked(self, moment: str) -> None:
        """Go where somebody asks to go; say so where that is nowhere."""
        found = not moment.strip() or self._seek(moment)
        self._moment.title = _MOMENT if found else "no such moment"

    def _seek(self, moment: str) -> bool:
        """Go to the frame that was so at a moment; False where there is none, or not yet."""
        try:
            index = self._film.index_at(moment)
        except ConfigError:
            index = None
        if index is None:
            return False
        self._follow.active = False
        self._go(index)
        return True

    def _played(self, active: bool) -> None:
        """Begin to play: from where the page is, or anew from the end."""
        if not active or not len(self._film):
            return
        self._follow.active = False
        index = self._index
        if index >= len(self._film) - 1:
            index = 0
            self._go(0)
        self._player.at_s = self._film[index].time_s

    def _chosen(self, index: int) -> None:
        """Go where somebody has clicked in what happened."""
        if index != self._index:
            self._follow.active = self._play.active = False
            self._go(index)

    def _play_on(self) -> None:
        speed = self._speed.value if self._speed.value in SPEEDS else SPEEDS[0]
        goes_on = self._player.advance(self._happened.moments, _LOOK_MS / 1e3, speed)
        at_s = self._player.at_s
        frames = [n for n in range(len(self._film)) if self._film[n].time_s <= at_s]
        self._happened.mark(at_s)
        self._go(frames[-1] if frames else 0)
        self._play.active = goes_on

    @property
    def _index(self) -> int:
        """The frame that the page is at."""
        return index_sent(self._slider.value, len(self._film)) or 0

    def _go(self, index: int) -> None:
        self._slider.value = min(max(index, 0), max(len(self._film) - 1, 0))

    def _look(self) -> None:
        """See whether there are new frames; play."""
        count = len(self._film)
        if not count:
            return
        self._slider.end = max(count - 1, 1)
        self._happened.look()
        if not self._is_speed_set and not self._play.active:
            self._speed.value = fitting_speed(self._film)
            self._is_speed_set = bool(self._film.ended)
        if self._opens_at and self._seek(self._opens_at):
            self._opens_at = ""
        elif self._play.active:
            self._play_on()
        elif self._follow.active:
            self._go(count - 1)
        self._show()

    def _show(self) -> None:
        count = len(self._film)
        index = min(self._index, count - 1)
        self._told.text = self._words(index)
        if index < 0 or (index, count) == self._shown:
            return
        self._shown = index, count
        if not self._play.active:
            self._happened.mark(self._film[index].time_s)
        picture = self._film.picture(index)
        if self._place.children and len(picture.panels) == len(self._figures):
            self._place.children[0] = heading(picture)
            for figure, panel in zip(self._figures, picture.panels, strict=True):
                figure.show(panel)
        else:
            self._figures = [PanelFigure(panel) for panel in picture.panels]
            panels, self._tabs = body(picture, self._figures)
            parts: list[Any] = [heading(picture), panels, footer(picture)]
            self._place.children = parts
        self._reveal_what_changed(picture)

    def _reveal_what_changed(self, picture: Picture) -> None:
        """Open the tab where something changed, if that is not the open one, and go there."""
        tabs = self._tabs
        changed = [[box for box in panel.boxes if box.changed] for panel in picture.panels]
        if tabs is not None and any(changed):
            active = index_sent(tabs.active, len(changed))
            if active is None or not changed[active]:
                tabs.active = next(number for number, boxes in enumerate(changed) if boxes)
        for figure, panel, boxes in zip(self._figures, picture.panels, changed, strict=True):
            if boxes:
                first = min(boxes, key=lambda box: box.start)
                figure.reveal(panel.axis.position(first.start), panel.axis.position(first.end))

    def _words(self, index: int) -> str:
        """Return what the frame is, and whether more will come."""
        film = self._film
        if index < 0:
            return _shown(film.ended) or "waiting for the first map"
        frame = film[index]
        more = film.ended or "more may come"
        if film.dropped:
            more += f"; {film.dropped} frames were too many and are not kept"
        if film.unlisted:
            more += f"; {film.unlisted} lines of what happened were too many and are not listed"
        return (
            f"<b>{index + 1} of {len(film)}</b> at {frame.time_s * 1e3:,.2f} ms:"
            f" {_shown(frame.cause or 'the map changed')}"
            f" <span style='color: #666'>({_shown(more)})</span>"
        )


def _shown(words: str) -> str:
    return escape(printable(words))
