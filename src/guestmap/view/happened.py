"""What happened in a film, as a list and on an axis: to click on, with what is shown marked."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from bokeh.models import CustomJS
from bokeh.models.widgets import MultiSelect

from guestmap.view.drawing import script
from guestmap.view.player import moments
from guestmap.view.sent import index_sent
from guestmap.view.span_lanes import SpanLanes
from guestmap.view.time_axis import TimeAxis

if TYPE_CHECKING:
    from guestmap.view.film import Film
    from guestmap.view.player import FilmMoment

_LINES = 5


class Happened:
    """The list.

    Args:
        film: what it is of.
        go: shows a frame.

    Attributes:
        widget: the list itself, which a keyboard can move in.
        axis: the same as marks on an axis of time.
        lanes: what lasts, as bars below that axis.
        moments: what is in it.
    """

    def __init__(self, film: Film, go: Callable[[int], None]) -> None:
        self._film = film
        self._go = go
        self._count = (0, 0, 0, 0, "")
        self._marked: list[str] = []
        self.moments: list[FilmMoment] = []
        self.axis = TimeAxis(go)
        self.lanes = SpanLanes(film, self.axis.across, go)
        self.widget = MultiSelect(
            title="what happened: click on a line to see the map of then",
            name="happened", size=_LINES,
            sizing_mode="stretch_width", margin=(0, 12, 4, 12),
        )  # fmt: skip
        follow = CustomJS(args={"list": self.widget}, code=script("follow.js"))
        self.widget.js_on_change("value", follow)
        self.widget.on_change("value", lambda _attribute, _old, new: self._chosen(new))

    def look(self) -> None:
        """Take in what is new."""
        film = self._film
        count = len(film), len(film.marks), len(film.notes), len(film.spans), film.ended
        if count != self._count:
            self._count = count
            self.moments = moments(film)
            self.axis.look(self.moments)
            self.lanes.look(self.moments[-1].time_s)
            self.axis.plot.min_border_left = self.lanes.labels_wide
            self.widget.options = [
                (str(number), f"{each.time_s * 1e3:9.2f} ms  {each.text}")
                for number, each in enumerate(self.moments)
            ]

    def mark(self, time_s: float) -> None:
        """Mark the last line that was so at a time, and the time."""
        self.axis.mark(time_s)
        self.lanes.mark(time_s)
        before = [n for n, each in enumerate(self.moments) if each.time_s <= time_s]
        self._marked = [str(before[-1])] if before else []
        self.widget.value = self._marked

    def _chosen(self, lines: list[str]) -> None:
        if lines == self._marked:
            return  # nobody has clicked
        line = index_sent(lines[-1], len(self.moments)) if lines else None
        if line is not None:
            self._go(self.moments[line].frame)
