from __future__ import annotations

import pytest
from bokeh.document import Document
from bokeh.models import Div, Slider
from bokeh.plotting import figure

from guestmap.base import ConfigError
from guestmap.inspect import Snapshot
from guestmap.view.columns import lane_extents
from guestmap.view.compose import panel_of
from guestmap.view.film import MOST_FRAMES, MOST_NOTES, Film, Frame
from guestmap.view.film_page import FilmPage
from guestmap.view.sections import find_sections
from tests.inspect.snapshots import Builder
from tests.view.maps import pc


def _film(*shadowed: bool) -> Film:
    film = Film("a film")
    for number, each in enumerate(shadowed):
        film.add(Frame(number / 10, f"cause {number}", pc(shadowed=each)))
    return film


def _marked(film: Film, index: int) -> set[str]:
    return {b.title for panel in film.picture(index).panels for b in panel.boxes if b.changed}


def test_what_a_frame_changed_is_marked_in_it_and_not_in_the_next():
    film = _film(False, True, True)
    assert _marked(film, 0) == set(), "the first has nothing before it"
    assert {"pc.ram", "pam-ram → pc.ram"} <= _marked(film, 1)
    assert _marked(film, 2) == set()


def test_all_frames_have_one_axis_so_that_nothing_jumps():
    film = _film(False, True)
    axes = [film.picture(index).panels[0].axis for index in (0, 1)]
    assert axes[0].edges == axes[1].edges
    assert axes[0].positions == axes[1].positions
    assert 0xC4000 in axes[0].edges, "an edge of the second frame only counts in the first, too"


def _split(*, apart: bool) -> Snapshot:
    """Return RAM that two spaces see; ``apart``: one of them has SMRAM over it."""
    tree = Builder()
    system = tree.container("system", 0, 1 << 32)
    ram = tree.region("ram", 0, 1 << 20, into=system, type="ram")
    smm = tree.container("smm", 0, 1 << 32)
    tree.alias("whole", 0, 1 << 20, ram, into=smm)
    tree.region("smram", 0xA0000, 1 << 16, into=smm, type="ram", priority=1, enabled=apart)
    tree.space("memory", system)
    tree.space("cpu-smm-0", smm)
    return tree.snapshot()


def test_all_frames_have_one_set_of_lanes_so_that_columns_keep_their_place():
    film = _film(False, True)
    lanes = [film.picture(index).panels[0].lanes for index in (0, 1)]
    assert lanes[0] == lanes[1]
    keys = {lane.heading for lane in panel_of(find_sections(pc()).families[0]).lanes}
    others = {
        lane.heading for lane in panel_of(find_sections(pc(shadowed=False)).families[0]).lanes
    }
    assert keys != others, "alone they would not"
    for index in (0, 1):
        panel = film.picture(index).panels[0]
        where = {box.title: panel.lanes[box.lane].heading for box in panel.boxes}
        assert where["ram-below-4g → pc.ram"] == "depth 1\nprio 0"


@pytest.mark.parametrize("order", [(False, True), (True, False)])
def test_what_is_shown_apart_in_one_frame_has_its_room_in_all(order):
    film = Film("a film")
    for number, apart in enumerate(order):
        film.add(Frame(number, "", _split(apart=apart)))
    panels = [film.picture(index).panels[0] for index in (0, 1)]
    assert lane_extents(panels[0].lanes) == lane_extents(panels[1].lanes)
    together, apart = (panels[order.index(each)] for each in (False, True))
    empty = {n for n, lane in enumerate(together.lanes) if not lane.heading}
    assert empty
    assert not empty & {box.lane for box in together.boxes}
    assert all(lane.heading for lane in apart.lanes)


def test_frames_come_later_too():
    film = _film(False)
    film.picture(0)
    film.add(Frame(0.5, "PAM", pc()))
    assert len(film) == 2
    assert film[1].cause == "PAM"
    assert _marked(film, 1)


def test_panels_keep_their_order():
    film = _film(False, True)
    for index in (0, 1):
        titles = [panel.title for panel in film.picture(index).panels]
        assert titles == ["memory, cpu-memory-0", "I/O"]


def test_a_film_has_an_end():
    film = Film("long")
    frame = Frame(0, "", pc())
    for _ in range(MOST_FRAMES + 2):
        film.add(frame)
    assert len(film) == MOST_FRAMES
    assert film.dropped == 2


def test_lines_that_are_too_many_are_counted():
    film = Film("talkative")
    for number in range(MOST_NOTES + 3):
        film.note(number, "a line")
    assert (len(film.notes), film.unlisted) == (MOST_NOTES, 3)


def test_there_is_no_picture_without_a_frame():
    with pytest.raises(IndexError):
        Film("empty").picture(0)


def test_any_moment_has_the_frame_that_was_so_then():
    film = _film(False, True, False)  # at 0, 100 and 200 ms
    film.mark("SETUP", 0.15)
    film.mark("setup", 0.9)  # after a reset: the first one counts
    at = {text: film.index_at(text) for text in ("0ms", "99.9ms", "100ms", "setup", " Setup ")}
    assert at == {"0ms": 0, "99.9ms": 0, "100ms": 1, "setup": 1, " Setup ": 1}
    assert film.index_at("boot") is None
    assert film.index_at("250ms") is None, "more may come before that"
    film.ended = "the machine is paused"
    assert film.index_at("250ms") == film.index_at("3600s") == 2
    with pytest.raises(ConfigError, match="write 61ms"):
        film.index_at("1 fortnight 2")
    assert Film("empty").index_at("0ms") is None


def test_a_page_says_of_a_frame_without_a_map_that_there_is_none():
    empty, film = Builder().snapshot(), Film("a film")
    for number, each in enumerate((empty, pc(shadowed=False), empty)):
        film.add(Frame(number / 10, f"cause {number}", each))
    document = Document()
    FilmPage(film).fill(document)
    (slider,) = document.select({"type": Slider})
    seen = []
    for index in (0, 1, 2, 0):
        slider.value = index
        said = [each for each in document.select({"type": Div}) if "nothing to draw" in each.text]
        drawn = [each for each in document.select({"type": figure}) if each.toolbar_location]
        seen.append((len(said), bool(drawn)))
    assert seen == [(1, False), (0, True), (1, False), (1, False)]
