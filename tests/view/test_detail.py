"""Of a map with too many boxes, neighbours are joined: nothing moves, and what is large stays."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from guestmap.view import compare, compose
from guestmap.view.detail import MOST_PANELS, thinned
from guestmap.view.film import Film, Frame
from guestmap.view.sections import Section, find_sections
from tests.inspect.snapshots import Builder
from tests.view.maps import many, pc

if TYPE_CHECKING:
    from guestmap.inspect import Snapshot


def _sections(count: int) -> list[Section]:
    return [each for family in find_sections(many(count)).families for each in family.sections]


def _count(sections: list[Section]) -> int:
    return sum(len(layer.boxes) for each in sections
               for layer in (each.flat, *each.layers.values()))  # fmt: skip


def test_a_map_that_can_be_seen_is_left_as_it_is():
    sections = _sections(100)
    before = [list(each.flat.boxes) for each in sections]
    assert thinned(sections) == 0
    assert [each.flat.boxes for each in sections] == before


def test_what_is_too_much_is_joined_where_it_lies():
    sections = _sections(3000)
    (section,) = sections
    before, had = list(section.flat.boxes), _count(sections)
    joined = thinned(sections, most=1500)
    now = section.flat.boxes
    assert joined > 0
    assert _count(sections) < had
    starts = {box.start for box in before}
    ends = {box.end for box in before}
    assert all(box.start in starts and box.end in ends for box in now)
    assert all(one.end <= other.start for one, other in pairwise(now))
    for box in before:  # whatever was drawn is under one box, of the same kind
        (over,) = (each for each in now if each.start <= box.start and box.end <= each.end)
        assert (over.kind, over.state) == (box.kind, box.state)


def test_a_joined_box_says_how_many_it_is_and_every_box_has_its_words():
    (section,) = sections = _sections(3000)
    thinned(sections, most=1500)
    runs = [box for box in section.flat.boxes if "side by side" in box.why]
    assert runs
    assert all("…" in box.title for box in runs)
    places = {(label.start, label.end) for label in section.flat.labels}
    assert {(box.start, box.end) for box in section.flat.boxes} <= places


def test_the_largest_of_a_lane_stay_alone():
    sections = [each for family in find_sections(pc()).families for each in family.sections]
    titles = {box.title for each in sections for box in each.flat.boxes}
    thinned(sections, most=1)
    assert {box.title for each in sections for box in each.flat.boxes} == titles


def _mixed(count: int, *, size: int) -> Snapshot:
    """Return regions of all types in turn, one in each page."""
    tree = Builder()
    system = tree.container("system", 0, 1 << 64)
    for number in range(count):
        kind = ("ram", "rom", "i/o")[number % 3]
        tree.region(f"dev{number}", number * 0x1000, size, into=system, type=kind)
    tree.space("memory", system)
    return tree.snapshot()


def test_where_no_neighbours_are_alike_those_of_all_kinds_are_joined():
    sections = [f.sections[0] for f in find_sections(_mixed(3000, size=0x800)).families]
    thinned(sections, most=600)
    assert _count(sections) < 2 * 600 + 256
    (joined, *_) = (box for box in sections[0].flat.boxes if "…" in box.title)
    assert "of 3 kinds that lie side by side" in joined.why


def test_where_all_lie_over_each_other_those_are_joined():
    sections = [f.sections[0] for f in find_sections(_mixed(600, size=0x1000 * 600)).families]
    before = max(box.end for layer in sections[0].layers.values() for box in layer.boxes)
    had = _count(sections)
    assert thinned(sections, most=200) > 0
    assert _count(sections) < had / 2
    assert max(b.end for layer in sections[0].layers.values() for b in layer.boxes) == before


def _spaces(count: int, last: int = 4096) -> Snapshot:
    """Return address spaces that see nothing in common; the last one's region is ``last`` long."""
    tree = Builder()
    for number in range(count):
        root = tree.container(f"root{number}", 0, 1 << 64)
        size = last if number == count - 1 else 4096
        tree.region(f"dev{number}", 0x1000, size, into=root)
        tree.space(f"space{number}", root)
    return tree.snapshot()


def test_of_more_address_spaces_than_anybody_looks_through_the_first_are_drawn():
    picture = compose(_spaces(MOST_PANELS + 9))
    assert [panel.title for panel in picture.panels] == [f"space{n}" for n in range(MOST_PANELS)]
    (told,) = [note for note in picture.notes if "not drawn" in note]
    assert told.startswith("9 address spaces")
    assert "--as" in told
    assert not [note for note in compose(_spaces(MOST_PANELS)).notes if "not drawn" in note]


def test_of_more_changes_than_anybody_looks_through_those_are_drawn_that_are_some():
    before, after = _spaces(MOST_PANELS + 9), _spaces(MOST_PANELS + 9, last=8192)
    picture = compare(before, after)
    assert len(picture.panels) == MOST_PANELS
    assert picture.panels[0].title == f"space{MOST_PANELS + 8}: 1 changed"
    assert any("9 of 41 maps are not drawn" in note for note in picture.notes)


def test_the_pictures_of_a_film_have_no_more_than_a_drawing_of_the_map():
    large = _spaces(MOST_PANELS + 9)
    film = Film("a large machine")
    film.add(Frame(0.0, "start", large))
    picture = film.picture(0)
    assert len(picture.panels) == MOST_PANELS
    assert picture.notes == compose(large).notes
