"""Several address spaces of one name, and trees and views that belong to none."""

from __future__ import annotations

import pytest

from guestmap.base import ConfigError
from guestmap.inspect.ask.diff import diff
from guestmap.inspect.ask.explain import explain
from guestmap.inspect.ask.flats import flat_blocks
from guestmap.inspect.ask.lint import lint
from guestmap.inspect.ask.ram_ranges import ram_ranges
from guestmap.inspect.ask.spaces import Spaces
from guestmap.inspect.ask.trees import tree_blocks
from guestmap.inspect.ask.why_not import why_not
from guestmap.inspect.map.snapshot import Snapshot
from guestmap.inspect.text.from_text import snapshot_of_pasted


def read(text: str) -> Snapshot:
    return snapshot_of_pasted(text, source="map.txt")


def flat(on: int, off: int, end: int = 0xFFFFFF) -> Snapshot:
    """Return a map of views only: so many cards that are bus masters, and that are not."""
    card = ' AS "nic", root: bus master container\n'
    text = "" if not off else f"FlatView #0\n{card * off} Root memory region: (none)\n"
    text += "  No rendered FlatView\n\n" * bool(off)
    return read(
        f'{text}FlatView #1\n AS "memory", root: system\n{card * on} Root memory region: system\n'
        f"  0000000000000000-{end:016x} (prio 0, ram): ram\n\n"
    )


def trees(*on: bool, end: int = 0xFFFFFF, owners: bool = False) -> Snapshot:
    """Return a map of trees: a card each, bus masters or not."""
    text = ""
    for number, is_on in enumerate(on):
        owner = f" owner:{{dev id=nic{number}}}" if owners else ""
        off = "" if is_on else " [disabled]"
        text += (
            "address-space: nic\n"
            f"  0000000000000000-ffffffffffffffff (prio 0, i/o): bus master container{owner}\n"
            "    0000000000000000-ffffffffffffffff (prio 0, i/o): alias bus master @system"
            f" 0000000000000000-ffffffffffffffff{off}{owner}\n\n"
        )
    return read(
        text + "address-space: memory\n"
        "  0000000000000000-ffffffffffffffff (prio 0, i/o): system\n"
        f"    0000000000000000-{end:016x} (prio 0, ram): ram\n"
        "    00000000f0000000-00000000f0000fff (prio 0, i/o): off [disabled]\n\n"
        "memory-region: system\n"
        "  0000000000000000-ffffffffffffffff (prio 0, i/o): system\n"
        f"    0000000000000000-{end:016x} (prio 0, ram): ram\n"
        "    00000000f0000000-00000000f0000fff (prio 0, i/o): off [disabled]\n\n"
    )


TWO = [flat(1, 1), trees(False, True)]


@pytest.mark.parametrize("snapshot", TWO)
def test_each_of_two_spaces_of_one_name_can_be_asked(snapshot):
    assert explain(snapshot, 0x1000, "nic#1").winner is None
    assert explain(snapshot, 0x1000, "nic#2").winner.name == "ram"
    assert explain(snapshot, 0x1000, "nic#2").space == "nic#2"
    assert [each.end for each in ram_ranges(snapshot, "nic#2").ranges] == [0x1000000]


@pytest.mark.parametrize("snapshot", TWO)
@pytest.mark.parametrize("ask", [lambda s: explain(s, 0, "nic"), lambda s: ram_ranges(s, "nic")])
def test_which_of_two_is_meant_is_asked_where_it_matters(snapshot, ask):
    with pytest.raises(ConfigError, match=r"2 address spaces 'nic'.*nic#1 \(.*nothing.*nic#2 \("):
        ask(snapshot)


def test_the_owner_tells_two_apart():
    with pytest.raises(ConfigError, match=r"1 \(nic0, shows nothing\), nic#2 \(nic1, 1 range\)"):
        explain(trees(False, True, owners=True), 0, "nic")


@pytest.mark.parametrize("snapshot", [flat(2, 0), trees(True, True)])
def test_where_both_show_the_same_it_does_not_matter(snapshot):
    assert explain(snapshot, 0x1000, "nic").winner.name == "ram"
    assert len(ram_ranges(snapshot, "nic").ranges) == 1


@pytest.mark.parametrize("asked", ["nic#3", "nic#0", "nics", "#1"])
def test_a_number_that_there_is_not(asked):
    with pytest.raises(ConfigError, match=f"no address space '{asked}'.*there are: .*nic#2"):
        explain(flat(1, 1), 0, asked)


@pytest.mark.parametrize(
    ("asked", "meant"), [("memroy", "memory"), ("io", "I/O"), ("i/o", "I/O"), ("MEMORY", "memory")]
)
def test_a_slip_of_the_finger_is_noticed(asked, meant):
    text = (
        "address-space: I/O\n  0000000000000000-000000000000ffff (prio 0, i/o): io\n\n"
        "address-space: memory\n  0000000000000000-ffffffffffffffff (prio 0, i/o): system\n\n"
    )
    with pytest.raises(ConfigError, match=f"did you mean '{meant}'"):
        explain(read(text), 0, asked)


@pytest.mark.parametrize("snapshot", TWO)
def test_the_views_and_trees_name_each(snapshot):
    spaces = {name for block in flat_blocks(snapshot) for name in block.spaces}
    assert spaces == {"memory", "nic", "nic#2"}
    (block,) = flat_blocks(snapshot, space="nic#2")
    assert block.by_type == {"ram": 0x1000000}
    assert len(flat_blocks(snapshot, space="nic")) == 2


def test_trees_and_why_not_name_each():
    snapshot = trees(False, True)
    assert tree_blocks(snapshot, space="nic#2")[0].spaces == ("nic#2",)
    sight = why_not(snapshot, "ram").regions[0]
    assert sight.blind == ("nic",)
    assert {name for each in sight.sights for name in each.spaces} == {"nic#2", "memory"}


@pytest.mark.parametrize(
    ("before", "after", "spaces"),
    [
        (flat(1, 1), flat(1, 1, 0x1FFFFFF), {"memory", "nic#2"}),
        (flat(2, 0), flat(2, 0, 0x1FFFFFF), {"memory", "nic", "nic#2"}),
        (trees(False, True), trees(False, True, end=0x1FFFFFF), {"memory", "nic#2"}),
        (trees(True, False), trees(False, True, end=0x1FFFFFF), {"memory", "nic"}),
    ],
)
def test_what_changed_in_spaces_of_one_name_is_told(before, after, spaces):
    told = diff(before, after)
    assert (told.added, told.removed) == ((), ())
    (view,) = told.views
    assert set(view.spaces) == spaces
    assert [(each.start, each.end) for each in view.ranges] == [(0x1000000, 0x2000000)]


@pytest.mark.parametrize("count", [2, 8])
def test_a_view_that_splits_or_merges_removes_nobody(count):
    for before, after in ((flat(count, 0), flat(0, count)), (flat(0, count), flat(count, 0))):
        told = diff(before, after)
        assert (told.added, told.removed) == ((), ())
        (view,) = told.views
        assert len(view.spaces) == count
        assert "memory" not in view.spaces


def test_one_card_more_is_one_space_more():
    assert diff(flat(1, 1), flat(1, 2)).added == ("nic#2",)
    assert diff(flat(2, 1), flat(1, 1)).removed == ("nic#3",)


def test_spaces_of_one_device_are_the_same_whatever_their_order():
    before = trees(True, False, owners=True)
    after = trees(False, True, owners=True)
    changed = {name for view in diff(before, after).views for name in view.spaces}
    assert changed == {"nic", "nic#2"}


LONE = (
    "memory-region: board\n"
    "  0000000000000000-ffffffffffffffff (prio 0, i/o): board\n"
    "    0000000000000000-0000000001ffffff (prio 0, romd): flash-b\n"
    "    0000000000000000-0000000001ffffff (prio 0, rom): flash-a\n"
)


def test_a_region_alone_is_a_tree_and_a_view_of_its_own():
    snapshot = read(LONE)
    told = explain(snapshot, 0x10)
    assert told.winner.name == "flash-b"
    assert [(each.name, each.reason) for each in told.losers] == [("flash-a", "order")]
    (block,) = flat_blocks(snapshot)
    assert (block.root, block.by_type) == ("board", {"romd": 0x2000000})
    (tree,) = tree_blocks(snapshot)
    assert [node.name for node in tree.nodes] == ["board", "flash-b", "flash-a"]
    assert [each.code for each in lint(snapshot)] == ["hidden-region", "equal-priority"]
    assert why_not(snapshot, "flash-a").regions[0].sights[0].hidden


def test_of_two_regions_alone_one_must_be_named():
    snapshot = read(LONE + "\n" + LONE.replace("board", "other"))
    with pytest.raises(ConfigError, match="there are: board, other"):
        explain(snapshot, 0x10)
    assert explain(snapshot, 0x10, "other").winner.name == "flash-b"


RANGES = (
    "  0000000000000000-000000000007ffff (prio 0, ram): pc.ram\n"
    "  0000000080b90000-0000000080b9008f (prio 0, i/o): msix-table\n"
    "  0000000080b90090-0000000080ffffff (prio 0, ramd): BAR 0 @0000000000b90090\n"
)
HEADED = ' AS "memory", root: system\n Root memory region: system\n'


@pytest.mark.parametrize(
    "heading",
    ["", " Root memory region: system\n", HEADED, "FlatView #3\n Root memory region: system\n",
     HEADED.replace("memory\"", "cpu-memory-0\"")],
)  # fmt: skip
def test_a_view_without_heading_is_checked_as_any(heading):
    snapshot = read(heading + RANGES)
    (found,) = lint(snapshot)
    assert (found.code, found.start) == ("partial-page", 0x80B90090)


def test_space_names_are_unique():
    names = [space.name for space in Spaces(flat(3, 2)).all]
    assert len(set(names)) == len(names) == 6


def test_a_space_with_two_views_of_its_name_is_shown_by_its_own():
    text = (
        'FlatView #0\n AS "nic", root: bus master container\n Root memory region: system\n'
        "  0000000000000000-0000000000ffffff (prio 0, ram): ram\n\n"
        'FlatView #1\n AS "nic", root: bus master container\n Root memory region: other\n'
        "  0000000000000000-0000000000ffffff (prio 0, i/o): mirror\n\n"
    )
    snapshot = read(text)
    assert explain(snapshot, 0, "nic#1").winner.name == "ram"
    assert explain(snapshot, 0, "nic#2").winner.name == "mirror"
