"""Explanations: held to the naive resolver at every address, and to what people look for."""

from __future__ import annotations

import json
import random
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from guestmap.base import ConfigError, PeerError
from guestmap.inspect import RamBlockInfo, RangeInfo, Snapshot, ViewInfo, ViewUser
from guestmap.inspect.ask.explain import explain
from guestmap.inspect.ask.sentences import explain_sentences
from guestmap.inspect.map.ways import walk
from tests.inspect.naive import Lost, Naive, TooManyWaysError
from tests.inspect.snapshots import Builder, of_vector, pc, trees, vectors
from tests.support.corpus import SHARES, least

if TYPE_CHECKING:
    from guestmap.inspect.ask.explanation import Explanation, Loser
    from tests.support.corpus import Corpus

TOP = 1 << 64


def _lost(loser: Loser) -> Lost:
    path = tuple(step.id for step in loser.path)
    return Lost(path, loser.reason, loser.by.id, loser.against.id)


def _hold(snapshot: Snapshot, naive: Naive, space: str, address: int) -> Explanation:
    """Hold an explanation, and the ranges it claims, to the naive resolver."""
    truth = naive.at(address)
    told = explain(snapshot, address, space)
    if truth.winner is None:
        assert told.winner is None
    else:
        assert told.winner is not None
        assert tuple(step.id for step in told.winner.path) == truth.winner.path
        assert told.winner.offset == address - truth.winner.bases[-1]
    assert len(told.losers) == len(truth.losers)
    assert {_lost(loser) for loser in told.losers} == truth.losers
    for loser in told.losers:
        assert loser.start <= address < loser.end
        for inside in {loser.start, (loser.start + loser.end) // 2, loser.end - 1}:
            assert _lost(loser) in naive.at(inside).losers, (loser, inside)
        for outside in {loser.start - 1, loser.end} - {-1, TOP}:
            assert _lost(loser) not in naive.at(outside).losers, (loser, outside)
    return told


@settings(max_examples=500)
@given(trees(), st.integers(0, 110))
def test_winner_losers_and_their_ranges_are_the_naive_resolvers(
    snapshot: Snapshot, address: int
) -> None:
    try:
        _hold(snapshot, Naive(snapshot, 0), "memory", address)
    except (TooManyWaysError, PeerError):
        assume(False)


def _hold_vectors(corpus: Corpus, every: int, addresses: int) -> int:
    dice = random.Random(4)
    held = 0
    for _, case in vectors(corpus, every):
        snapshot = of_vector(case)
        names = [space.name for space in case.address_spaces]
        for space in case.address_spaces:
            if names.count(space.name) > 1 or space.name.startswith("cpu-memory"):
                continue
            edges = {way.lo for way in walk(snapshot, space.root)}
            edges |= {way.hi for way in walk(snapshot, space.root)} - {TOP}
            naive = Naive(snapshot, space.root)
            for address in dice.sample(sorted(edges), min(addresses, len(edges))):
                _hold(snapshot, naive, space.name, max(0, address - dice.randint(0, 1)))
                held += 1
    return held


def test_recorded_trees_are_explained_like_the_naive_resolver(golden: Corpus) -> None:
    assert _hold_vectors(golden, every=1, addresses=5) > 100


@pytest.mark.corpus
@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("every", SHARES)
def test_all_recorded_trees_are_explained_like_the_naive_resolver(
    corpus: Corpus, every: int
) -> None:
    assert _hold_vectors(corpus, every=25 * every, addresses=4) > least(500, every)


def test_a_write_to_an_option_rom_address_goes_nowhere() -> None:
    told = explain(pc("rom").snapshot(), 0xC9000)
    assert told.winner is not None
    assert (told.winner.name, told.winner.type, told.winner.offset) == ("pc.ram", "rom", 0xC9000)
    assert (told.winner.start, told.winner.end) == (0xC8000, 0xCC000)
    why = {(loser.name, loser.reason, loser.by.name) for loser in told.losers}
    assert why == {
        ("pc.ram", "disabled", "pam-ram"),
        ("pc.rom", "disabled", "pam-pci"),
        ("pc.ram", "priority", "pam-rom"),
        ("pc.rom", "priority", "pam-rom"),
    }
    lines = explain_sentences(told)
    assert lines[0] == "0xc9000 in memory: pc.ram answers, memory that the guest cannot write"
    assert "  writes are refused by pam-rom" in lines
    assert "  pc.ram, byte 0xc9000: pam-ram, on the way to it, is disabled" in lines


@pytest.mark.parametrize(
    ("owner", "told"),
    [("owner:{obj path=/machine/a}", "  belongs to object /machine/a"),
     ("parent:{obj path=/machine}", None), ("orphan", None), (None, None)],
)  # fmt: skip
def test_whose_it_is_is_told_where_it_is_somebodys(owner: str | None, told: str | None) -> None:
    tree = Builder()
    system = tree.container("system", 0, TOP)
    tree.region("bar", 0x1000, 0x1000, into=system, owner=owner)
    tree.space("memory", system)
    lines = explain_sentences(explain(tree.snapshot(), 0x1800))
    assert [line for line in lines if "belongs" in line] == ([] if told is None else [told])


def test_a_bar_outside_its_bridges_window_is_a_loser() -> None:
    tree = Builder()
    system = tree.container("system", 0, TOP)
    behind = tree.container("pci_bridge_pci", 0, TOP)
    tree.alias("window", 0xE000_0000, 0x10_0000, behind, 0xE000_0000, into=system)
    tree.region("bar", 0xF000_0000, 0x1000, into=behind)
    tree.space("memory", system)
    told = explain(tree.snapshot(), 0xF000_0800)
    assert told.winner is None
    (loser,) = told.losers
    assert (loser.name, loser.reason, loser.by.name) == ("bar", "clipped", "window")
    assert (loser.start, loser.end) == (0xF000_0000, 0xF000_1000)


def test_what_an_alias_leaves_out_is_not_claimed() -> None:
    tree = Builder()
    system = tree.container("system", 0, TOP)
    ram = tree.region("pc.ram", 0, 0x1000_0000, type="ram")
    tree.alias("ram-below-4g", 0, 0x800_0000, ram, into=system)
    tree.space("memory", system)
    told = explain(tree.snapshot(), 0x800_0000)
    assert told.winner is None
    assert told.losers == ()


def test_ram_is_found_in_its_block() -> None:
    tree = Builder()
    system = tree.container("system", 0, TOP)
    tree.region("vga.vram", 0xFD00_0000, 0x100_0000, into=system, type="ram")
    tree.space("memory", system)
    block = RamBlockInfo("0000:00:02.0/vga.vram", 0x808_0000, 0x100_0000, 0x100_0000)
    told = explain(tree.snapshot(ram_blocks=(block,)), 0xFD00_1234)
    assert told.winner is not None
    assert told.winner.ram is not None
    assert (told.winner.ram.block, told.winner.ram.offset) == (block.name, 0x1234)
    assert told.winner.ram.ram_addr == 0x808_1234
    twin = replace(block, name="0000:00:03.0/vga.vram")
    told = explain(tree.snapshot(ram_blocks=(block, twin)), 0xFD00_1234)
    assert told.winner is not None
    assert told.winner.ram is not None
    assert (told.winner.ram.block, told.winner.ram.ram_addr) == ("vga.vram", None)


def _only_views(*ranges: RangeInfo) -> Snapshot:
    return Snapshot(views=(ViewInfo((ViewUser("memory", "system"),), "system", ranges),))


def test_a_flat_view_alone_tells_who_answers_but_not_what_is_hidden() -> None:
    snapshot = _only_views(RangeInfo(0x1000, 0x1000, 0, "ram", "pc.ram", 0x5000))
    told = explain(snapshot, 0x1800)
    assert told.winner is not None
    assert (told.winner.name, told.winner.offset, told.winner.path) == ("pc.ram", 0x5800, ())
    assert "views only" in told.notes[0]
    assert explain(snapshot, 0x2000).winner is None


def test_a_tree_that_contradicts_the_sources_view_is_noted() -> None:
    tree = Builder()
    system = tree.container("system", 0, 0x1000)
    tree.region("one", 0, 0x1000, into=system)
    tree.space("memory", system)
    view = _only_views(RangeInfo(0, 0x1000, 0, "i/o", "two")).views
    assert "two answers, its tree that one does" in explain(tree.snapshot(views=view), 0).notes[0]
    same = _only_views(RangeInfo(0, 0x1000, 0, "i/o", "one")).views
    assert explain(tree.snapshot(views=same), 0).notes == ()


def test_an_order_that_the_source_did_not_state_is_noted() -> None:
    tree = Builder()
    system = tree.container("system", 0, 0x1000, inferred=("children",))
    tree.region("old", 0, 0x1000, into=system)
    tree.region("new", 0x800, 0x1000, into=system)
    tree.space("memory", system)
    told = explain(tree.snapshot(), 0x900)
    assert told.losers[0].reason == "order"
    assert "which of new and old was added to system later" in told.notes[0]


def test_questions_without_an_answer() -> None:
    snapshot = pc("rom").snapshot()
    with pytest.raises(ConfigError, match="no address space 'memroy'; did you mean 'memory'"):
        explain(snapshot, 0, "memroy")
    for address in (-1, TOP):
        with pytest.raises(ConfigError, match="is not an address"):
            explain(snapshot, address)


def test_an_explanation_is_json() -> None:
    form = json.loads(json.dumps(explain(pc("rom").snapshot(), 0xC9000).to_json()))
    assert form["winner"]["path"][1]["alias_of"]["name"] == "pc.ram"
    assert {loser["reason"] for loser in form["losers"]} == {"disabled", "priority"}


def test_the_work_for_five_hundred_regions_is_some_calls_for_each() -> None:
    tree = pc("rom")
    pci = next(r.id for r in tree.regions if r.name == "pci")
    for number in range(500 - len(tree.regions)):
        tree.region(f"bar{number}", 0xE000_0000 + number * 0x2000, 0x3000, into=pci, priority=1)
    snapshot = tree.snapshot()
    assert len(snapshot.regions) == 500

    calls = 0

    def count_call(*_: object) -> None:
        nonlocal calls
        calls += 1

    sys.setprofile(count_call)
    try:
        explain(snapshot, 0xE010_0000)
    finally:
        sys.setprofile(None)
    assert calls < 160 * len(snapshot.regions)


def _two_nodes() -> Snapshot:
    """Return RAM of two nodes in one container, which two windows show on both sides of a hole."""
    build = Builder()
    system = build.container("system", 0, 1 << 64)
    ram = build.region("board.ram", 0, 0x1_0000_0000, type="ram")
    build.region("mem0", 0, 0x8000_0000, into=ram, type="ram")
    build.region("mem1", 0x8000_0000, 0x8000_0000, into=ram, type="ram")
    build.alias("below", 0, 0xC000_0000, ram, into=system)
    build.alias("above", 0x1_0000_0000, 0x4000_0000, ram, 0xC000_0000, into=system)
    build.space("memory", system)
    return build.snapshot()


@pytest.mark.parametrize(
    ("address", "winner", "losers"),
    [
        (0xD000_0000, None, []),
        (0x8000_0000, "mem1", ["board.ram"]),
        (0x1_0000_0000, "mem1", ["board.ram"]),
        (0x1_4000_0000, None, []),
    ],
)
def test_behind_an_alias_claims_end_with_its_window(
    address: int, winner: str | None, losers: list[str]
) -> None:
    told = explain(_two_nodes(), address)
    assert (told.winner.name if told.winner else None) == winner
    assert [loser.name for loser in told.losers] == losers


def test_registers_that_no_window_shows_are_missed_where_they_are() -> None:
    build = Builder()
    system = build.container("system", 0, 1 << 64)
    bus = build.container("pci_bridge_pci", 0, 1 << 64)
    build.region("bar", 0x9000_0000, 0x1000, into=bus)
    build.alias("pci_bridge_mem", 0x8000_0000, 0x100_0000, bus, 0x8000_0000, into=system)
    build.space("memory", system)
    told = explain(build.snapshot(), 0x9000_0800)
    assert told.winner is None
    assert [(each.name, each.reason, each.by.name) for each in told.losers] == [
        ("bar", "clipped", "pci_bridge_mem")
    ]


def test_a_path_has_the_place_of_the_address_in_each_region() -> None:
    told = explain(pc("rom").snapshot(), 0xC9000)
    assert told.winner is not None
    assert [(step.name, step.base, step.offset) for step in told.winner.path] == [
        ("system", 0, 0xC9000), ("pam-rom", 0xC8000, 0x1000), ("pc.ram", 0, 0xC9000),
    ]  # fmt: skip
    assert [(step.readonly, step.alias_of and step.alias_of.name) for step in told.winner.path] == [
        (False, None), (True, "pc.ram"), (False, None),
    ]  # fmt: skip
