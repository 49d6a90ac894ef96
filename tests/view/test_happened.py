"""The list of what happened: a click goes to a frame, a mark goes nowhere."""

from __future__ import annotations

from guestmap.view.film import Film, Frame
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
