"""A part that a text leaves out is one hole, which is told."""

from __future__ import annotations

import pytest

from guestmap.base import PeerError
from guestmap.inspect.ask.explain import explain
from guestmap.inspect.ask.ram_ranges import ram_ranges
from guestmap.inspect.ask.sentences import explain_sentences
from guestmap.inspect.map.views import flat
from guestmap.inspect.text.from_text import MonitorTexts, snapshot_of, snapshot_of_pasted

TREE = (
    "address-space: memory\n"
    "  0000000000000000-ffffffffffffffff (prio 0, i/o): system\n"
    "    0000000000000000-0000000007ffffff (prio 0, ram): alias below @pc.ram"
    " 0000000000000000-0000000007ffffff\n"
    "    0000000000000000-ffffffffffffffff (prio -1, i/o): pci\n"
    "      0000000000001000-0000000000001fff (prio 1, i/o): hidden-behind\n"
    "    00000000000c0000-00000000000c3fff (prio 1, rom): alias rom @pc.rom"
    " 0000000000000000-0000000000003fff\n"
    "    00000000fec00000-00000000fec00fff (prio 0, i/o): ioapic\n\n"
    "memory-region: pc.rom\n"
    "  0000000000000000-000000000001ffff (prio 0, rom): pc.rom\n\n"
)
VIEW = (
    'FlatView #0\n AS "memory", root: system\n Root memory region: system\n'
    "  0000000000000000-00000000000bffff (prio 0, ram): pc.ram\n"
    "  00000000000c0000-00000000000c3fff (prio 0, rom): pc.rom\n"
    "  00000000000c4000-0000000007ffffff (prio 0, ram): pc.ram @00000000000c4000\n"
    "  00000000fec00000-00000000fec00fff (prio 0, i/o): ioapic\n\n"
)


def test_all_but_the_hole_is_known():
    snapshot = snapshot_of_pasted(TREE, source="cut.txt")
    assert snapshot.notes == (
        "the text does not show what these aliases are of: pc.ram; who answers there is not known",
    )
    root = snapshot.address_spaces[0].root
    assert [(each.name, each.start) for each in flat(snapshot, root)] == [
        ("pc.rom", 0xC0000), ("ioapic", 0xFEC00000),
    ]  # fmt: skip
    assert explain(snapshot, 0xC0000).winner.name == "pc.rom"
    assert [each.region for each in ram_ranges(snapshot).ranges] == ["pc.rom"]


def test_in_the_hole_nobody_is_named_in_silence():
    told = explain(snapshot_of_pasted(TREE, source="cut.txt"), 0x1000)
    assert told.winner is None
    assert told.unknown == "alias below of pc.ram, which the text does not show"
    assert explain_sentences(told)[0] == (
        "0x1000 in memory: unknown: alias below of pc.ram, which the text does not show"
    )
    assert "hidden-behind" in {loser.name for loser in told.losers}


def test_the_texts_own_view_knows():
    told = explain(snapshot_of_pasted(TREE + VIEW, source="both.txt"), 0x1000)
    assert (told.winner.name, told.unknown) == ("pc.ram", "")


def test_what_a_machine_answers_is_never_a_part():
    with pytest.raises(PeerError, match=r"alias 'below' shows 'pc.ram', but no section"):
        snapshot_of(MonitorTexts(trees=TREE), source="unix:vm.sock")


def test_a_snapshot_keeps_the_hole():
    snapshot = snapshot_of_pasted(TREE, source="cut.txt")
    again = type(snapshot).from_json(snapshot.to_json())
    assert again.notes == snapshot.notes
    assert explain(again, 0x1000).unknown == explain(snapshot, 0x1000).unknown


SPACES = (
    "address-space: nic\n"
    "  0000000000000000-ffffffffffffffff (prio 0, i/o): bus master container\n"
    "    0000000000000000-ffffffffffffffff (prio 0, i/o): alias bus master @board"
    " 0000000000000000-ffffffffffffffff\n\n"
    "address-space: memory\n"
    "  0000000000000000-ffffffffffffffff (prio 0, i/o): board\n"
    "    0000000000000000-0000000000ffffff (prio 0, ram): board.ram\n"
    "    0000000020000000-00000000200fffff (prio 0, ram): alias mirror @board.ram"
    " 0000000000100000-00000000001fffff\n"
)


def test_without_sections_an_alias_is_of_the_only_region_that_has_the_name():
    snapshot = snapshot_of_pasted(SPACES, source="spaces.txt")
    assert snapshot.notes == ()
    assert explain(snapshot, 0x1000, "nic").winner.name == "board.ram"
    mirrored = explain(snapshot, 0x2000_0010, "nic").winner
    assert (mirrored.name, mirrored.offset) == ("board.ram", 0x10_0010)
    assert [region.name for region in snapshot.regions].count("board") == 1


_TWICE = "10000000-00000000100fffff (prio 0, ram): board.ram\n    00000000"
BEYOND_ITS_END = SPACES.replace(
    "0000000000100000-00000000001fffff", "0000000001000000-00000000010fffff"
)
OF_WHAT_HOLDS_IT = SPACES.replace("@board.ram", "@board")
TWO_OF_THE_NAME = SPACES.replace("00000000200", f"00000000{_TWICE}200", 1)


@pytest.mark.parametrize("text", [BEYOND_ITS_END, OF_WHAT_HOLDS_IT, TWO_OF_THE_NAME])
def test_an_alias_that_can_be_of_no_such_region_is_a_hole(text):
    assert text != SPACES
    assert explain(snapshot_of_pasted(text, source="spaces.txt"), 0x2000_0010).unknown
