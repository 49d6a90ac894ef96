from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from guestmap.view.axis import FOLDED, FoldedAxis

ADDRESSES = st.one_of(
    st.integers(0, 1 << 64), st.integers(0, 300), st.sampled_from([1 << 32, (1 << 64) - 1])
)


@st.composite
def axes(draw: st.DrawFn) -> FoldedAxis:
    edges = sorted(draw(st.sets(ADDRESSES, min_size=2, max_size=12)))
    spans = [span for span in pairwise(edges) if draw(st.booleans())]
    return FoldedAxis(edges, spans)


@given(axes(), st.lists(ADDRESSES, min_size=2))
def test_a_higher_address_is_never_further_up(axis, addresses):
    positions = [axis.position(address) for address in sorted(addresses)]
    assert positions == sorted(positions)


@given(axes())
def test_edges_keep_apart_and_are_exact_both_ways(axis):
    positions = [axis.position(edge) for edge in axis.edges]
    assert all(one < other for one, other in pairwise(positions))
    assert [axis.address(position) for position in positions] == list(axis.edges)


@given(axes(), ADDRESSES)
def test_a_position_leads_back_to_its_address_as_exactly_as_floats_can(axis, address):
    first, last = axis.edges[0], axis.edges[-1]
    back = axis.address(axis.position(address))
    if first <= address <= last:
        size = max(p.end - p.start for p in axis.pieces if p.start <= address <= p.end)
        assert abs(back - address) <= size >> 40
    else:
        assert back == (first if address < first else last)


def test_what_is_empty_is_folded_and_what_is_not_grows_with_its_size():
    axis = FoldedAxis([0, 0x1000, 0x2000, 1 << 40, 1 << 64], [(0, 0x1000), (0x2000, 1 << 40)])
    assert [piece.folded for piece in axis.pieces] == [False, True, False, True]
    small, hole, big, rest = (piece.bottom - piece.top for piece in axis.pieces)
    assert hole == rest == FOLDED
    assert FOLDED < small < big < 4 * small


def test_a_span_that_begins_inside_a_piece_fills_it():
    axis = FoldedAxis([0, 100, 200], [(150, 160)])
    assert [piece.folded for piece in axis.pieces] == [True, False]
