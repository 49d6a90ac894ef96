"""Of a map with too many boxes, neighbours are joined: nothing moves, and what is large stays."""

from __future__ import annotations

from itertools import pairwise

from guestmap.view.detail import thinned
from guestmap.view.sections import Section, find_sections
from tests.view.maps import many, pc


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
