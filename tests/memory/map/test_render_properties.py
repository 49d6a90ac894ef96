"""Random trees, rendered, against following each address through the tree."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guestmap.base import ConfigError
from guestmap.memory import FlatView
from guestmap.memory.map import render as render_tree
from guestmap.memory.map.flat_range import simplify
from guestmap.testing.strategies import RegionTree, region_trees
from tests.memory import naive
from tests.memory.invariants import check_lookup, check_shape
from tests.memory.profile import examples

pytestmark = pytest.mark.usefixtures("small_limits")


@given(region_trees(), st.data())
@examples(200)
def test_a_view_says_at_every_corner_who_answers(tree: RegionTree, data: st.DataObject) -> None:
    root = data.draw(st.sampled_from(tree.regions))
    try:
        ranges = simplify(render_tree(root))
    except ConfigError:
        return  # endless: see the next test
    check_shape(ranges)
    view = FlatView.of(root, ranges)
    check_lookup(view)
    edges = {a for r in ranges for a in (r.start - 1, r.start, r.end - 1, r.end)}
    for address in naive.corners(root) | {a for a in edges if 0 <= a < naive.TOP}:
        found = view.find(address)
        shown = found and naive.Answer(
            found.region,
            found.offset_in_region + address - found.start,
            found.readonly,
            found.nonvolatile,
            found.unmergeable,
        )
        assert shown == naive.who_answers(root, address), f"at {address:#x}"


@given(region_trees(), st.data())
@examples(200)
def test_a_view_is_refused_where_an_address_leads_round_for_ever(
    tree: RegionTree, data: st.DataObject
) -> None:
    root = data.draw(st.sampled_from(tree.regions))
    try:
        for address in naive.corners(root):
            naive.who_answers(root, address)
    except naive.EndlessError:
        with pytest.raises(ConfigError):
            render_tree(root)


@given(region_trees(), st.data())
@examples(200)
def test_a_window_rendered_alone_is_the_whole_cut_to_it(
    tree: RegionTree, data: st.DataObject
) -> None:
    root = data.draw(st.sampled_from(tree.regions))
    corners = sorted(naive.corners(root) | {naive.TOP})
    first = data.draw(st.integers(0, len(corners) - 2))
    start, end = corners[first], corners[data.draw(st.integers(first + 1, len(corners) - 1))]
    try:
        whole = render_tree(root)
    except ConfigError:
        return
    cut = [
        r.cut(max(r.start, start), min(r.end, end)) for r in whole if r.start < end > start < r.end
    ]
    assert simplify(render_tree(root, start, end)) == simplify(cut)
