from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from guestmap.base import PeerError
from guestmap.inspect import ViewInfo, ViewUser
from guestmap.inspect.map.views import flat
from guestmap.view import compose
from tests.inspect.naive import Naive, TooManyWaysError
from tests.inspect.snapshots import Builder, of_vector, recorded_views, trees, vectors
from tests.view.maps import KIB, MIB, many, pc

SEES = "what accesses reach in "

if TYPE_CHECKING:
    from guestmap.view import Box, Panel


def _in_lane(panel: Panel, heading: str) -> list[Box]:
    lanes = [lane.heading for lane in panel.lanes]
    number = lanes.index(heading)
    return sorted((b for b in panel.boxes if b.lane == number), key=lambda b: b.start)


def _facts(boxes: list[Box]) -> list[tuple[str, int, int, str]]:
    return [(box.title, box.start, box.end, box.state) for box in boxes]


def test_spaces_that_see_the_same_are_one_lane_and_ports_have_their_own_axis():
    picture = compose(pc())
    assert [panel.title for panel in picture.panels] == ["memory, cpu-memory-0", "I/O"]
    assert picture.panels[1].axis.edges[-1] == 64 * KIB
    assert any("nic" in note for note in picture.notes), "who sees nothing is said"
    assert picture.title == "Memory map of a small PC"
    assert "7.2.22" in picture.subtitle


def test_there_is_a_lane_for_the_view_and_one_for_each_depth_and_priority():
    panel = compose(pc()).panels[0]
    assert [lane.heading for lane in panel.lanes] == [
        "seen by\nmemory, cpu-memory-0", "depth 0\nprio 0", "depth 1\nprio 1", "depth 1\nprio 0",
        "depth 1\nprio -1", "depth 2\nprio 0",
    ]  # fmt: skip
    assert [lane.views for lane in panel.lanes] == [True, *[False] * 5]
    assert [lane.narrow for lane in panel.lanes] == [False, True, False, False, True, False]


def test_the_view_lane_shows_who_answers_and_where_nobody_does():
    panel = compose(pc()).panels[0]
    boxes = _in_lane(panel, "seen by\nmemory, cpu-memory-0")
    assert _facts(boxes) == [
        ("pc.ram", 0, 64 * MIB, "seen"),  # through two aliases, yet one range: QEMU's rule
        ("nobody answers", 64 * MIB, 0xFED00000, "background"),
        ("hpet", 0xFED00000, 0xFED00400, "seen"),
        ("nobody answers", 0xFED00400, 1 << 64, "background"),
    ]
    assert boxes[0].why.startswith("behind it: "), "what is hidden is said"
    assert "pc.rom" in boxes[0].why


def test_what_is_hidden_is_shown_in_its_own_lane_with_who_hides_it():
    panel = compose(pc()).panels[0]
    rom = _in_lane(panel, "depth 2\nprio 0")
    assert _facts(rom)[0] == ("pc.rom", 0xC0000, 0xC4000, "hidden")
    assert rom[0].why == "hidden by pam-ram: priority 1 beats -1 of pci"
    assert rom[1].why == "hidden by ram-below-4g: priority 0 beats -1 of pci"
    assert rom[0].path == "system / pci / pc.rom"
    below = _in_lane(panel, "depth 1\nprio 0")
    assert [(box.title, box.start, box.state) for box in below] == [
        ("ram-below-4g → pc.ram", 0, "seen"),
        ("ram-below-4g → pc.ram", 0xC0000, "hidden"),
        ("ram-below-4g → pc.ram", 0xC4000, "seen"),
        ("hpet", 0xFED00000, "seen"),
    ]
    assert below[1].offset == 0xC0000


def test_disabled_regions_are_counted_or_drawn():
    without = compose(pc())
    assert "1 disabled region is not drawn." in without.notes
    shown = compose(pc(), show_disabled=True)
    boxes = [box for box in shown.panels[0].boxes if box.title.startswith("pam-pci")]
    assert {box.state for box in boxes} == {"disabled"}
    assert not [b for b in without.panels[0].boxes if b.title.startswith("pam-pci")]


def test_a_map_of_flat_views_only_is_drawn_and_says_what_is_missing():
    whole = pc()
    system = next(space.root for space in whole.address_spaces if space.name == "memory")
    view = ViewInfo((ViewUser("memory", "system"),), "system", flat(whole, system))
    picture = compose(replace(whole, regions=(), address_spaces=(), views=(view,)))
    assert [lane.views for lane in picture.panels[0].lanes] == [True]
    assert any("flat views only" in note for note in picture.notes)


def test_regions_that_overlap_over_and_over_share_the_last_lane():
    tree = Builder()
    root = tree.container("root", 0, 4096)
    for number in range(9):
        tree.region(f"same{number}", 0, 4096, into=root)
    tree.space("memory", root)
    panel = compose(tree.snapshot()).panels[0]
    assert len([lane for lane in panel.lanes if "depth 1" in lane.heading]) == 3
    assert len({b.title for b in panel.boxes if b.title.startswith("same")}) == 9
    assert panel.lanes[2].heading == "depth 1\nprio 0"
    assert [b.title for b in panel.boxes if b.lane == 2] == ["same8"], "the newest is in front"


def test_labels_speak_for_runs_and_lie_in_their_lanes():
    panel = compose(many()).panels[0]
    for label in panel.labels:
        assert any(b.lane == label.lane and b.start == label.start for b in panel.boxes)
        assert label.start < label.end


@given(trees(), st.integers(0, 64))
def test_the_view_lane_says_of_each_address_what_a_naive_resolver_says(snapshot, address):
    root = snapshot.address_spaces[0].root
    try:
        picture = compose(snapshot)
        winner = Naive(snapshot, root).at(address).winner
    except (PeerError, TooManyWaysError):
        return  # aliases without end: nothing to draw
    here = [box for box in _drawn_at(picture.panels, "memory", address) if box.kind != "nobody"]
    if winner is None:
        assert not here
        return
    assert len(here) == 1
    region = snapshot.regions[winner.path[-1]]
    readonly = any(snapshot.regions[id_].readonly for id_ in winner.path)
    assert (here[0].title, here[0].kind) == (region.name, "rom" if readonly else region.type)
    assert here[0].offset + address - here[0].start == address - winner.bases[-1]


def _drawn_at(panels: tuple[Panel, ...], space: str, address: int) -> list[Box]:
    return [box for box in _lane_of(panels, space) if box.start <= address < box.end]


def _lane_of(panels: tuple[Panel, ...], space: str) -> list[Box]:
    lanes = {
        (p, n) for p, panel in enumerate(panels) for n, lane in enumerate(panel.lanes)
        if lane.views and space in lane.about.removeprefix(SEES).split(", ")
    }  # fmt: skip
    return [
        box for p, panel in enumerate(panels) for box in panel.boxes
        if (p, box.lane) in lanes
    ]  # fmt: skip


@given(trees())
def test_in_trees_each_seen_place_is_seen_once_and_hidden_ones_name_somebody(snapshot):
    try:
        picture = compose(snapshot)
    except PeerError:
        return
    for panel in picture.panels:
        for box in panel.boxes:
            assert 0 <= box.start < box.end
            assert (box.state == "hidden") == box.why.startswith("hidden by")
        for section in {lane.section for lane in panel.lanes}:
            trees_only = [
                box for box in panel.boxes
                if panel.lanes[box.lane].section == section and not panel.lanes[box.lane].views
                and box.state == "seen"
            ]  # fmt: skip
            for address in range(64):
                there = [b for b in trees_only if b.start <= address < b.end]
                assert len(there) <= 1


def test_recorded_machines_are_drawn_as_qemu_showed_them(golden):
    count = 0
    for name, case in vectors(golden):
        snapshot = of_vector(case)
        picture = compose(snapshot)
        for root, ranges in recorded_views(case):
            if not ranges:
                continue
            space = next(each.name for each in snapshot.address_spaces if each.root == root)
            shown = {(b.title, b.start, b.end, b.kind, b.offset)
                     for b in _lane_of(picture.panels, space) if b.kind != "nobody"}  # fmt: skip
            told = {(r.name, r.start, r.start + r.size, r.type, r.offset_in_region)
                    for r in ranges}  # fmt: skip
            assert told <= shown, (name, space)
            count += 1
    assert count


def test_what_very_many_hide_is_told_together():
    tree = Builder()
    system = tree.container("system", 0, 1 << 64)
    tree.region("wide", 0x1000, 0x101000, into=system)
    for number in range(0x100):
        if number != 0x80:
            tree.region(f"unknown{number:x}", 0x1000 * (number + 1), 0x1000, into=system,
                        priority=1)  # fmt: skip
    tree.space("memory", system)
    panel = compose(tree.snapshot()).panels[0]
    wide = [box for box in panel.boxes if box.title == "wide" and box.lane]
    below, seen, above, rest = sorted(wide, key=lambda box: box.start)
    assert (below.start, below.end, below.state) == (0x1000, 0x81000, "hidden")
    assert below.why == "hidden in 128 pieces, by unknown0 first and by unknown7f last"
    assert (seen.start, seen.end, seen.state) == (0x81000, 0x82000, "seen")
    assert (above.start, above.end, above.offset) == (0x82000, 0x101000, 0x81000)
    assert (rest.start, rest.end, rest.state) == (0x101000, 0x102000, "seen")
    behind = [box.why for box in _in_lane(panel, "seen by\nmemory") if box.title == "unknownff"]
    assert behind == ["behind it: wide"]
