"""A range explained: its answers are those of its addresses, asked one by one."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from guestmap.base import ConfigError, PeerError
from guestmap.inspect import RangeInfo, Snapshot, ViewInfo, ViewUser
from guestmap.inspect.ask.explain import explain
from guestmap.inspect.ask.explain_range import MOST, explain_range
from guestmap.inspect.ask.sentences import explain_range_sentences
from guestmap.inspect.text.from_text import snapshot_of_pasted
from tests.inspect.naive import Naive, TooManyWaysError
from tests.inspect.snapshots import Builder, pc, trees


def _who(snapshot: Snapshot, address: int) -> object:
    """Return who answers at one address: the region, its place, and whether it may be written."""
    winner = Naive(snapshot, 0).at(address).winner
    if winner is None:
        return None
    told = explain(snapshot, address).winner
    assert told is not None
    return winner.path[-1], winner.bases[-1], told.type, told.nonvolatile


@settings(max_examples=200)
@given(trees(), st.integers(0, 70), st.integers(1, 50))
def test_parts_change_where_the_answer_of_an_address_changes(
    snapshot: Snapshot, start: int, size: int
) -> None:
    try:
        told = explain_range(snapshot, start, start + size)
        who = [_who(snapshot, address) for address in range(start, start + size)]
    except (TooManyWaysError, PeerError):
        assume(False)
        return
    firsts = [i for i in range(size) if not i or who[i] != who[i - 1]]
    assert [each.start - start for each in told.answers] == firsts[:MOST]
    assert told.more == max(len(firsts) - MOST, 0)
    lasts = [*firsts[1:], size]
    assert [each.end - start for each in told.answers] == lasts[:MOST]
    assert all(each.explanation == explain(snapshot, each.start) for each in told.answers)


def test_the_first_sixteen_are_told_and_the_rest_is_counted() -> None:
    tree = Builder()
    root = tree.container("system", 0, 1 << 64)
    for number in range(20):
        tree.region(f"r{number}", 0x10 * number, 8, into=root)
    tree.space("memory", root)
    told = explain_range(tree.snapshot(), 0, 0x10 * 20)
    assert (len(told.answers), told.more) == (16, 24)
    lines = explain_range_sentences(told)
    assert lines[0] == "0-7 in memory: r0 answers, a device"
    assert "8-f in memory: nobody answers" in lines
    assert lines[-1] == "and 24 more"
    few = explain_range_sentences(explain_range(tree.snapshot(), 0, 0x10))
    assert "8-f in memory: nobody answers" in few
    assert not few[-1].startswith("and ")


def test_what_may_be_written_is_another_answer_than_what_may_not() -> None:
    told = explain_range(pc("rom").snapshot(), 0xC7000, 0xCD000)
    found = [(each.start, each.end, each.explanation.winner) for each in told.answers]
    assert [(start, end, who and (who.name, who.type)) for start, end, who in found] == [
        (0xC7000, 0xC8000, ("pc.ram", "ram")),
        (0xC8000, 0xCC000, ("pc.ram", "rom")),
        (0xCC000, 0xCD000, ("pc.ram", "ram")),
    ]


def test_an_end_of_the_space_is_a_range_too() -> None:
    top = 1 << 64
    told = explain_range(pc().snapshot(), top - 0x10, top)
    assert [(each.start, each.end) for each in told.answers] == [(top - 0x10, top)]
    for start, end in ((0, 0), (2, 1), (-1, 1), (0, top + 1)):
        with pytest.raises(ConfigError, match="no range of 64-bit addresses"):
            explain_range(pc().snapshot(), start, end)


def test_flat_views_alone_answer_range_by_range() -> None:
    ranges = (
        RangeInfo(0, 0x1000, 0, "ram", "ram"),
        RangeInfo(0x1000, 0x1000, 0, "ram", "other"),
        RangeInfo(0x3000, 0x1000, 0, "rom", "flash"),
    )
    view = ViewInfo((ViewUser("memory", "system"),), "system", ranges)
    told = explain_range(Snapshot((), (), views=(view,)), 0x800, 0x3800)
    names = [each.explanation.winner and each.explanation.winner.name for each in told.answers]
    assert names == ["ram", "other", None, "flash"]
    assert [each.start for each in told.answers] == [0x800, 0x1000, 0x2000, 0x3000]


def test_a_view_that_contradicts_the_tree_within_a_range_is_noted_there() -> None:
    snapshot = pc().snapshot()
    ram = RangeInfo(0x1000, 0x1000, 0, "ram", "pc.ram", 0x1000)
    view = ViewInfo(
        (ViewUser("memory", "system"),), "system", (ram, RangeInfo(0x2000, 16, 0, "i/o", "uart"))
    )
    told = explain_range(replace(snapshot, views=(view,)), 0x1800, 0x2010)
    assert [(each.start, len(each.explanation.notes)) for each in told.answers] == [
        (0x1800, 0),
        (0x2000, 1),
    ]


def test_what_a_text_does_not_show_is_a_part_of_its_own() -> None:
    text = (
        "address-space: memory\n"
        "  0000000000000000-ffffffffffffffff (prio 0, i/o): system\n"
        "    0000000000001000-0000000000001fff (prio 0, i/o): alias far @secret"
        " 0000000000000000-0000000000000fff\n\n"
    )
    told = explain_range(snapshot_of_pasted(text, source="text"), 0, 0x3000)
    unknown = [bool(each.explanation.unknown) for each in told.answers]
    assert unknown == [False, True, False]
