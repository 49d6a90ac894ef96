"""Where a region is visible and why it is not, held to the naive resolver at every address."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import assume, given, settings

from guestmap.base import ConfigError, PeerError
from guestmap.inspect import Snapshot
from guestmap.inspect.why_not import why_not
from tests.inspect.naive import Lost, Naive, TooManyWaysError
from tests.inspect.snapshots import Builder, of_vector, trees, vectors

if TYPE_CHECKING:
    from guestmap.inspect.why_not import RegionSight
    from tests.support.corpus import Corpus


@settings(max_examples=150, deadline=None)
@given(trees())
def test_each_region_is_seen_and_hidden_where_the_naive_resolver_says(snapshot: Snapshot) -> None:
    naive = Naive(snapshot, 0)
    try:
        truths = [naive.at(address) for address in range(80)]
        sights = [why_not(snapshot, region.id).regions[0] for region in snapshot.regions]
    except (TooManyWaysError, PeerError):
        assume(False)
    for region, sight in zip(snapshot.regions, sights, strict=True):
        for address, truth in enumerate(truths):
            on_the_way = truth.winner.path if truth.winner else ()
            there = on_the_way[-1:] if region.terminates else on_the_way
            seen = [v for s in sight.sights for v in s.visible if v.start <= address < v.end]
            if "memory" not in sight.blind:
                assert bool(seen) == (region.id in there), (region.name, address)
            if region.terminates and truth.winner is not None and "memory" not in sight.blind:
                lost = {each for each in truth.losers if each.path[-1] == region.id}
                if not seen:
                    assert _hidden(sight, address) == lost, (region.name, address)


def _hidden(sight: RegionSight, address: int) -> set[Lost]:
    return {
        Lost(tuple(p.id for p in h.path), h.reason, h.by.id, h.against.id)
        for s in sight.sights
        for h in s.hidden
        if h.start <= address < h.end and h.by is not None
    }
