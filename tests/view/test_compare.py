from __future__ import annotations

from guestmap.view import compare
from tests.view.maps import MIB, pc


def test_two_equal_maps_have_nothing_marked():
    picture = compare(pc(), pc())
    assert [panel.title for panel in picture.panels] == [
        "memory, cpu-memory-0: not changed", "I/O: not changed",
    ]  # fmt: skip
    assert not [box for panel in picture.panels for box in panel.boxes if box.changed]


def test_what_changed_is_marked_on_both_sides_and_told_between_them():
    picture = compare(pc(shadowed=False, source="before"), pc(source="after"))
    assert "before" in picture.subtitle
    assert "after" in picture.subtitle
    panel = picture.panels[0]
    assert panel.title == "memory, cpu-memory-0: 1 changed"
    assert [lane.heading for lane in panel.lanes[:3]] == [
        "seen by\nA: memory and 1 more", "changed\nfrom A to B",
        "seen by\nB: memory and 1 more",
    ]  # fmt: skip
    changed = [(b.lane, b.title, b.start, b.end) for b in panel.boxes if b.changed and b.lane < 3]
    assert sorted(changed) == [
        (0, "pc.rom", 0xC0000, 0xC4000),
        (1, "rom pc.rom → ram pc.ram", 0xC0000, 0xC4000),
        (2, "pc.ram", 0xC0000, 0xC4000),
    ]
    assert any("PAM" in cause for cause in picture.causes), "and what probably did it"


def test_both_maps_lie_beside_one_axis():
    panel = compare(pc(shadowed=False), pc()).panels[0]
    ends = {box.end for box in panel.boxes if box.title == "pc.ram"}
    assert 64 * MIB in ends
    assert {edge for b in panel.boxes for edge in (b.start, b.end)} <= set(panel.axis.edges)


def test_regions_of_the_tree_that_only_one_map_has_are_marked():
    panel = compare(pc(shadowed=False), pc()).panels[0]
    marked = {box.title for box in panel.boxes if box.changed and box.lane >= 3}
    assert "pam-ram → pc.ram" in marked
    assert "hpet" not in marked


def test_layers_of_trees_in_which_nothing_changed_are_not_drawn():
    picture = compare(pc(shadowed=False), pc())
    for panel in picture.panels:
        changed = {box.lane for box in panel.boxes if box.changed}
        assert {n for n, lane in enumerate(panel.lanes) if not lane.wide} <= changed
    assert any("layers" in note for note in picture.notes)
    assert not [
        lane for panel in compare(pc(), pc()).panels for lane in panel.lanes if not lane.wide
    ]
