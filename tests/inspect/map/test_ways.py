"""Who answers where: against the naive resolver, and against QEMU's own views."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest
from hypothesis import assume, given, settings

from guestmap.base import PeerError
from guestmap.inspect.ask.explain import explain
from guestmap.inspect.map.reach import Reach
from guestmap.inspect.map.shown import shown
from guestmap.inspect.map.views import flat
from guestmap.inspect.map.ways import walk
from tests.inspect.naive import Naive, TooManyWaysError
from tests.inspect.snapshots import Builder, of_vector, recorded_views, trees, vectors
from tests.support.corpus import SHARES, least

if TYPE_CHECKING:
    from guestmap.inspect import Snapshot
    from tests.support.corpus import Corpus


@settings(max_examples=250)
@given(trees())
def test_each_address_is_shown_by_who_wins_there(snapshot: Snapshot) -> None:
    naive = Naive(snapshot, 0)
    ways = {}
    for start, end, way in shown(snapshot, 0):
        assert start < end
        for address in range(start, end):
            assert address not in ways
            ways[address] = tuple(step.region.id for step in way.steps())
    for address in range(110):
        try:
            winner = naive.at(address).winner
        except TooManyWaysError:
            assume(False)
        assert ways.get(address) == (winner.path if winner else None), address


def _hold_views(corpus: Corpus, every: int) -> int:
    held = 0
    for path, case in vectors(corpus, every):
        snapshot = of_vector(case)
        for root, ranges in recorded_views(case):
            assert [msgspec.structs.replace(r, region=None) for r in flat(snapshot, root)] == list(
                ranges
            ), path
            held += 1
    return held


def test_recorded_trees_show_what_qemu_shows(golden: Corpus) -> None:
    assert _hold_views(golden, every=1) > 20


@pytest.mark.corpus
@pytest.mark.timeout(600)
@pytest.mark.parametrize("every", SHARES)
def test_all_recorded_trees_show_what_qemu_shows(corpus: Corpus, every: int) -> None:
    assert _hold_views(corpus, every) > least(4000, every)


def test_an_alias_of_its_own_container_comes_to_an_end() -> None:
    tree = Builder()
    root = tree.container("root", 0, 0x100)
    tree.region("leaf", 0, 0x10, into=root)
    tree.alias("again", 0x10, 0xF0, root, into=root)
    tree.space("memory", root)
    assert [(r.start, r.size, r.offset_in_region) for r in flat(tree.snapshot(), root)] == [
        (at, 0x10, 0) for at in range(0, 0x100, 0x10)
    ]


def test_aliases_without_any_end_in_sight_are_refused() -> None:
    tree = Builder()
    root = tree.container("root", 0, 1 << 64)
    tree.alias("again", 1, (1 << 64) - 1, root, into=root)
    tree.space("memory", root)
    with pytest.raises(PeerError, match="given up"):
        list(walk(tree.snapshot(), root))


def test_a_map_with_too_many_regions_is_told_as_that(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("guestmap.inspect.map.ways.MAX_VISITS", 10)
    tree = Builder()
    root = tree.container("root", 0, 0x1000)
    for at in range(10):
        tree.region("leaf", at, 1, into=root)
    tree.space("memory", root)
    with pytest.raises(PeerError, match="given up after 11 steps: the map has 11 regions, more"):
        list(walk(tree.snapshot(), root))


def test_containers_in_containers_are_no_aliases_without_end() -> None:
    tree = Builder()
    holders = [tree.container("root", 0, 0x1000)]
    for _ in range(3000):
        holders.append(tree.container("holder", 0, 0x1000, into=holders[-1]))
    leaf = tree.region("leaf", 0x10, 0x10, into=holders[-1])
    tree.space("memory", holders[0])
    found = flat(tree.snapshot(), holders[0])
    assert [(r.start, r.size, r.region) for r in found] == [(0x10, 0x10, leaf)]


def test_a_long_chain_of_aliases_is_no_circle() -> None:
    tree = Builder()
    root = tree.container("root", 0, 0x1000)
    shows = tree.region("ram", 0, 0x1000, type="ram")
    for n in range(1500):
        shows = tree.alias(f"window{n}", 0, 0x1000, shows)
    tree.alias("first", 0, 0x1000, shows, into=root)
    tree.region("beside", 0x800, 0x800, into=root, priority=1)
    tree.space("memory", root)
    snapshot = tree.snapshot()
    assert [(r.start, r.size, r.name) for r in flat(snapshot, root)] == [
        (0, 0x800, "ram"), (0x800, 0x800, "beside"),
    ]  # fmt: skip
    assert explain(snapshot, 0x10).winner.name == "ram"


def test_a_circle_beside_a_long_chain_is_refused_all_the_same() -> None:
    tree = Builder()
    root = tree.container("root", 0, 1 << 64)
    shows = tree.region("ram", 0, 0x1000, type="ram")
    for n in range(1500):
        shows = tree.alias(f"window{n}", 0, 0x1000, shows)
    tree.alias("again", 1, (1 << 64) - 1, root, into=root)
    tree.space("memory", root)
    with pytest.raises(PeerError, match="aliases show each other too many times over"):
        list(walk(tree.snapshot(), root))


def test_a_circle_that_was_cut_off_comes_to_an_end() -> None:
    """An alias of what holds it moves further with each turn: where nothing is left it ends."""
    build = Builder()
    system = build.container("system", 0, 0x1000)
    build.region("ram", 0, 0x100, into=system, type="ram")
    build.alias("again", 0x800, 0x1000, system, into=system)
    build.space("memory", system)
    snapshot = build.snapshot()
    ways = list(walk(snapshot, system, beyond=Reach(snapshot)))
    assert {way.base for way in ways if way.region.name == "ram" and way.lo < way.hi} == {0, 0x800}
    assert len(ways) < 20
    steps = ["/".join(step.region.name for step in way.steps()) for way in ways]
    assert sorted(steps) == [
        "system", "system/again", "system/again/system", "system/again/system/again",
        "system/again/system/ram", "system/ram",
    ]  # fmt: skip


def test_a_way_shows_what_it_leaves_of_its_region_and_not_the_byte_behind() -> None:
    tree = Builder()
    root = tree.container("root", 0, 0x3000)
    window = tree.container("window", 0x1000, 0x800, into=root)
    tree.region("regs", 0x400, 0x1000, into=window)
    (way,) = (way for way in walk(tree.snapshot(), root) if way.region.name == "regs")
    shown_at = {0x13FF: False, 0x1400: True, 0x17FF: True, 0x1800: False}
    assert {address: way.shows(address) for address in shown_at} == shown_at
    assert way.extent == (0x1400, 0x2400)
    assert [step.region.name for step in way.steps()] == ["root", "window", "regs"]
    assert (way.depth, way.aliases) == (2, 0)
