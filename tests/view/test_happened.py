"""The list of what happened: a click goes to a frame, a mark goes nowhere."""

from __future__ import annotations

from bokeh.models import Span

from guestmap.view.film import FLOW, Film, Frame
from guestmap.view.happened import Happened
from tests.view.maps import pc


def test_a_click_goes_to_the_frame_of_then_and_a_mark_goes_nowhere():
    film, gone = Film("a boot"), []
    for time_s in (0.0, 0.1, 0.2):
        film.add(Frame(time_s, "a change", pc()))
    film.note(0.15, "SeaBIOS")
    happened = Happened(film, gone.append)
    happened.look()
    assert [words for _, words in happened.widget.options] == [
        "     0.00 ms  >> a change", "   100.00 ms  >> a change", "   150.00 ms  SeaBIOS",
        "   200.00 ms  >> a change",
    ]  # fmt: skip
    happened.mark(0.16)
    assert happened.widget.value == ["2"]
    assert gone == []
    happened.widget.value = ["3"]
    assert gone == [2]
    happened.mark(0.2)
    happened.widget.value = ["2"]
    assert gone == [2, 1]


def test_the_firmware_s_flow_has_a_lane_of_its_own():
    film = Film("a boot")
    film.add(Frame(0.0, "at reset", pc()))
    film.note(0.1, "SeaBIOS")
    happened = Happened(film, lambda _frame: None)
    happened.look()
    plain = happened.axis.plot.y_range.start
    film.note(0.2, f"{FLOW} mode 16-bit -> 32-bit")
    happened.look()
    assert happened.axis.marks.data["row"] == [2, 0, -1]
    assert happened.axis.plot.y_range.start == plain - 1


def test_the_axis_has_a_mark_for_each_line_and_a_click_on_one_goes_to_its_frame():
    film, gone = Film("a boot"), []
    film.add(Frame(0.0, "at reset", pc()))
    film.add(Frame(0.2, "PAM", pc()))
    film.mark("setup", 0.1)
    film.note(0.3, "SeaBIOS")
    happened = Happened(film, gone.append)
    happened.look()
    marks = happened.axis.marks
    assert marks.data["time"] == [0, 100, 200, 300]
    assert marks.data["said"] == [">> at reset", "== setup", ">> PAM", "SeaBIOS"]
    assert marks.data["row"] == [2, 1, 2, 0], "changes of the map, phases, and all else"
    marks.selected.indices = [3]
    marks.selected.indices = [1, 2]
    assert gone == [1, 0]
    assert marks.selected.indices == [], "the same one can be clicked once more"
    happened.mark(0.2)
    (now,) = happened.axis.plot.select(Span)
    assert now.location == 200
