"""What is told of an address that nobody answers."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from guestmap.base import ADDRESS_SPACE_SIZE
from guestmap.inspect import RangeInfo, Snapshot, ViewInfo, ViewUser
from guestmap.inspect.ask.explain import explain
from guestmap.inspect.ask.sentences import explain_sentences
from tests.inspect.naive import Naive
from tests.inspect.snapshots import Builder, pc, trees


def test_a_hole_has_neighbours_and_containers_and_says_what_becomes_of_an_access() -> None:
    told = explain(pc().snapshot(), 0x1000_0000)
    assert told.winner is None
    assert told.hole is not None
    assert (told.hole.start, told.hole.end) == (0x800_0000, ADDRESS_SPACE_SIZE)
    assert told.hole.below is not None
    assert (told.hole.below.name, told.hole.below.end) == ("pc.ram", 0x800_0000)
    assert told.hole.above is None
    assert [each.name for each in told.hole.around] == ["system", "pci"]
    text = "\n".join(explain_sentences(told))
    for words in ("below pc.ram (", "above nobody", "system (0-ffffffffffffffff) > pci (",
                  "a read gets zeros, a write goes nowhere"):  # fmt: skip
        assert words in text


def test_one_container_has_nothing_and_two_have_nothing() -> None:
    tree = Builder()
    root = tree.container("system", 0, 0x10000)
    tree.container("bridge", 0x1000, 0x1000, into=root)
    tree.space("memory", root)
    snapshot = tree.snapshot()
    one, two = (explain_sentences(explain(snapshot, address)) for address in (0x10, 0x1010))
    assert "  inside of system (0-ffff), which has nothing here" in one
    assert "  inside of system (0-ffff) > bridge (1000-1fff), which have nothing here" in two


def test_a_space_that_shows_nobody_names_no_neighbours() -> None:
    view = ViewInfo((ViewUser("memory", "system"),), "system", ())
    lines = explain_sentences(explain(Snapshot(views=(view,)), 0x10))
    assert "  nobody in 0-ffffffffffffffff: nobody answers anywhere here" in lines


def test_between_two_devices_in_a_container_that_is_cut() -> None:
    tree = Builder()
    root = tree.container("system", 0, 0x10000)
    bridge = tree.container("bridge", 0x1000, 0x1000, into=root)
    tree.region("uart", 0, 0x10, into=bridge)
    tree.region("timer", 0x100, 0x10, into=bridge)
    tree.space("memory", root)
    hole = explain(tree.snapshot(), 0x1050).hole
    assert hole is not None
    assert (hole.start, hole.end) == (0x1010, 0x1100)
    assert hole.below is not None
    assert hole.above is not None
    assert (hole.below.name, hole.above.name) == ("uart", "timer")
    assert [(each.name, each.base, each.size) for each in hole.around] == [
        ("system", 0, 0x10000), ("bridge", 0x1000, 0x1000),
    ]  # fmt: skip


def test_who_answers_is_no_hole() -> None:
    assert explain(pc().snapshot(), 0x1000).hole is None


def test_flat_views_alone_tell_the_neighbours() -> None:
    ram = RangeInfo(0, 0x1000, 0, "ram", "ram")
    view = ViewInfo((ViewUser("memory", "system"),), "system", (ram,))
    told = explain(Snapshot(views=(view,)), 0x1800)
    assert told.hole is not None
    assert told.hole.below is not None
    assert (told.hole.below.name, told.hole.above, told.hole.around) == ("ram", None, ())


@settings(max_examples=60)
@given(trees(), st.integers(0, 110))
def test_a_hole_is_as_large_as_it_is(snapshot: Snapshot, address: int) -> None:
    for space in snapshot.address_spaces[:1]:
        hole = explain(snapshot, address, space.name).hole
        if hole is None:
            return
        naive = Naive(snapshot, space.root)
        for inside in (hole.start, address, min(hole.end, 1 << 20) - 1):
            assert naive.at(inside).winner is None
        for outside in {hole.start - 1, hole.end} - {-1, ADDRESS_SPACE_SIZE}:
            assert naive.at(outside).winner is not None
