"""How far a region and all below it lay claim to addresses, whatever cuts them off."""

from __future__ import annotations

import pytest

from guestmap.inspect.map.reach import Reach
from tests.inspect.snapshots import Builder

BASE = 0x1_0000
SPANS = {
    "leaf": (0, 0x10),
    "box": (0, 0x28),
    "empty": (0, 0x40),
    "of leaf": (0, 8),
    "of box": (-4, 0x24),
    "long": (-4, 0x80),
    "of alias": (-6, 0x22),
    "around": (-2, 0x326),
    "deeper": (0, 0x336),
}


def built() -> tuple[Builder, dict[str, int]]:
    tree = Builder()
    leaf = tree.region("leaf", 0, 0x10)
    box = tree.container("box", 0, 0x10)
    tree.region("high", 8, 0x20, into=box)
    tree.container("empty", 0, 0x40)
    tree.alias("of leaf", 0, 8, leaf, 4)  # it asks for no more than its own length
    window = tree.alias("of box", 0, 8, box, 4)
    tree.alias("long", 0, 0x80, box, 4)
    tree.alias("of alias", 0, 4, window, 2)
    around = tree.container("around", 0, 0x10)
    tree.alias("near", 2, 8, box, 4, into=around)
    tree.alias("beyond", 0x302, 8, box, 4, into=around)
    deeper = tree.container("deeper", 0, 0x20)
    tree.container("between", 0x10, 0x10, into=deeper)
    tree.alias("to around", 0x10, 0x10, around, into=deeper)
    circle = tree.container("circle", 0, 0x100)
    tree.alias("again", 0x80, 0x100, circle, into=circle)
    return tree, {each.name: each.id for each in tree.regions}


@pytest.mark.parametrize("name", SPANS)
def test_it_meets_what_lies_in_its_span_and_nothing_beside_it(name: str) -> None:
    tree, ids = built()
    reach = Reach(tree.snapshot())
    lo, hi = (BASE + edge for edge in SPANS[name])
    for start, end, meets in (
        (lo - 0x10, lo, False), (lo - 0x10, lo + 1, True),
        (hi - 1, hi + 0x10, True), (hi, hi + 0x10, False),
    ):  # fmt: skip
        assert reach.meets(ids[name], BASE, start, end) is meets


@pytest.mark.parametrize("name", ["circle", "again"])
def test_what_leads_back_to_itself_is_met_everywhere(name: str) -> None:
    tree, ids = built()
    reach = Reach(tree.snapshot())
    for base, start in ((0, (1 << 64) - 1), ((1 << 64) - 1, 0), (-(1 << 64), (1 << 64) - 1)):
        assert reach.meets(ids[name], base, start, start + 1)
