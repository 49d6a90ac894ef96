"""What no page of ours sends: it is passed over, and what comes after it is not."""

from __future__ import annotations

import pytest
from bokeh.document import Document
from bokeh.events import Tap
from bokeh.models import ColumnDataSource, Div, MultiSelect, Plot, Select, Slider, Tabs, Toggle
from bokeh.server.callbacks import PeriodicCallback

from guestmap.view.film import Film, FilmSpan, Frame
from guestmap.view.film_page import FilmPage
from guestmap.view.guest_screen import ScreenFrame
from guestmap.view.sent import index_sent
from tests.view.maps import pc

NAN, INFINITY = float("nan"), float("inf")


@pytest.mark.parametrize(
    ("value", "index"),
    [(0, 0), (2.9, 2), ("1", 1), (3, None), (-1, None), (-1.0, None), (1e308, None), (NAN, None),
     (INFINITY, None), (-INFINITY, None), ("", None), ("x", None), ("9" * 5000, None), (None, None),
     ([1], None)],
)  # fmt: skip
def test_only_one_of_what_there_is_can_be_named(value, index):
    assert index_sent(value, 3) == index


class Screen:
    """A screen of one dot by two."""

    takes_keys, hint = True, ""
    frame = ScreenFrame(1, 2, 1, bytes(6), lambda x, y: f"dot {x}, {y}")

    def look(self):
        return lambda: None

    def key(self, code: str, *, pressed: bool) -> None:
        raise AssertionError(code)


class Page:
    """A page of a film of three frames, as the server has it."""

    def __init__(self) -> None:
        film = Film("a boot")
        for time_s, shadowed in ((0.0, False), (0.1, True), (0.2, False)):
            film.add(Frame(time_s, "a change", pc(shadowed=shadowed)))
        film.note(0.15, "SeaBIOS")
        film.add_span(FilmSpan("a device", 0.1, end_s=0.2))
        film.screen = Screen()
        self.document = Document()
        FilmPage(film).fill(self.document)
        self.look()

    def look(self) -> str:
        """Have the time go on for the page, and return what it tells."""
        for each in self.document.session_callbacks:
            assert isinstance(each, PeriodicCallback)
            each.callback()
        (told,) = self.document.select({"type": Div, "name": "told"})
        return told.text

    def one(self, kind: type, **more: object):
        """Return the model of a kind."""
        (found,) = self.document.select({"type": kind, **more})
        return found


@pytest.fixture
def page() -> Page:
    return Page()


@pytest.mark.parametrize("x", [NAN, INFINITY, -1, 2, 1e308, None, "x"])
def test_a_click_beside_the_screen_is_no_dot(page, x):
    screen, said = page.one(Plot, name="screen"), page.one(Div, name="dot")
    before = said.text
    page.document.callbacks.trigger_event(Tap(screen, x=x, y=0.5))
    page.document.callbacks.trigger_event(Tap(screen, x=0.5, y=x))
    assert said.text == before
    page.document.callbacks.trigger_event(Tap(screen, x=1.5, y=0.5))
    assert said.text == "dot 1, 0"


@pytest.mark.parametrize("value", [NAN, INFINITY, -INFINITY, -5, 1e308])
def test_a_frame_that_there_is_not_is_the_first(page, value):
    page.one(Toggle, label="follow").active = False
    page.one(Slider).value = value
    assert "<b>1 of 3</b>" in page.look()
    page.one(Slider).value = 1
    assert "<b>2 of 3</b>" in page.look()


@pytest.mark.parametrize("speed", ["x", [1], {"a": 1}, None, NAN])
def test_a_speed_that_there_is_not_is_the_first(page, speed):
    page.one(Select, name="speed").value = speed
    page.one(Toggle, label="▶ play").active = True
    for _ in range(10):
        told = page.look()
    assert "<b>3 of 3</b>" in told
    assert not page.one(Toggle, label="▶ play").active


@pytest.mark.parametrize("line", ["x", "", "-7", "9" * 5000])
def test_a_line_that_there_is_not_goes_nowhere(page, line):
    lines = page.one(MultiSelect, name="happened")
    lines.value = [line]
    assert "<b>3 of 3</b>" in page.look()
    lines.value = ["0"]
    assert "<b>1 of 3</b>" in page.look()


@pytest.mark.parametrize("data", [{}, {"frame": ["x", NAN, None, 9]}])
@pytest.mark.parametrize("of", ["time", "lane"])
@pytest.mark.parametrize("index", [-9, 1 << 70])
def test_a_mark_that_there_is_not_goes_nowhere(page, of, index, data):
    (marks,) = (each for each in page.document.select({"type": ColumnDataSource})
                if of in each.data and "frame" in each.data)  # fmt: skip
    marks.data = data
    marks.selected.indices = [index]
    assert "<b>3 of 3</b>" in page.look()
    marks.selected.indices = [0]
    assert f"<b>{1 if of == 'time' else 2} of 3</b>" in page.look()


@pytest.mark.parametrize("tab", [-9, 1 << 70])
def test_a_tab_that_there_is_not_is_left_for_the_one_that_changed(page, tab):
    page.one(Tabs).active = tab
    page.one(Toggle, label="follow").active = False
    page.one(Slider).value = 1
    assert "<b>2 of 3</b>" in page.look()
    assert page.one(Tabs).active == 0
