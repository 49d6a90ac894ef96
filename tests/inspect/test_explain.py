"""Explanations: held to the naive resolver at every address, and to what people look for."""

from __future__ import annotations

import json
import random
from typing import TYPE_CHECKING

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from guestmap.base import ConfigError, PeerError
from guestmap.inspect import RamBlockInfo, RangeInfo, Snapshot, ViewInfo, ViewUser
from guestmap.inspect.explain import explain
from guestmap.inspect.paths import walk
from tests.inspect.naive import Lost, Naive, TooManyWaysError
from tests.inspect.snapshots import Builder, of_vector, trees, vectors

if TYPE_CHECKING:
    from guestmap.inspect.explanation import Explanation, Loser
    from tests.support.corpus import Corpus

TOP = 1 << 64


def _lost(loser: Loser) -> Lost:
    path = tuple(step.id for step in loser.path)
    return Lost(path, loser.reason, loser.by.id, loser.against.id)


def _hold(snapshot: Snapshot, root: int, space: str, address: int) -> Explanation:
    """Hold an explanation, and the ranges it claims, to the naive resolver."""
    naive = Naive(snapshot, root)
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


@settings(max_examples=500, deadline=None)
@given(trees(), st.integers(0, 110))
def test_winner_losers_and_their_ranges_are_the_naive_resolvers(
    snapshot: Snapshot, address: int
) -> None:
    try:
        _hold(snapshot, 0, "memory", address)
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
            for address in dice.sample(sorted(edges), min(addresses, len(edges))):
                _hold(snapshot, space.root, space.name, max(0, address - dice.randint(0, 1)))
                held += 1
    return held


def test_recorded_trees_are_explained_like_the_naive_resolver(golden: Corpus) -> None:
    assert _hold_vectors(golden, every=1, addresses=5) > 100


@pytest.mark.corpus
def test_all_recorded_trees_are_explained_like_the_naive_resolver(corpus: Corpus) -> None:
    assert _hold_vectors(corpus, every=15, addresses=4) > 500
