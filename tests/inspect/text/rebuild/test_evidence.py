"""Which region a range of a view names, which siblings overlap, how conclusions differ."""

from __future__ import annotations

import msgspec
import pytest

from guestmap.inspect import RangeInfo, RegionInfo, Snapshot
from guestmap.inspect.map.ways import Way
from guestmap.inspect.text.rebuild import differing_facts
from guestmap.inspect.text.rebuild.draft import Draft
from guestmap.inspect.text.rebuild.evidence import is_meant
from guestmap.inspect.text.rebuild.order import overlaps
from tests.inspect.snapshots import Builder

REGION = RegionInfo(
    id=0, name="bar", addr=0x1000, size=0x1000, priority=3, type="ram", owner="owner:{dev id=a}"
)
SAID = RangeInfo(
    start=0x1800, size=0x800, priority=3, type="ram", name="bar", offset_in_region=0x800,
    owner="owner:{dev id=a}",
)  # fmt: skip


@pytest.mark.parametrize(
    ("facts", "meant"),
    [
        ({}, True),
        ({"type": "rom"}, True),
        ({"owner": None}, True),
        ({"name": "other"}, False),
        ({"priority": 4}, False),
        ({"offset_in_region": 0x400}, False),
        ({"start": 0x1900}, False),
        ({"type": "i/o"}, False),
        ({"owner": "owner:{dev id=b}"}, False),
    ],
)
def test_each_fact_that_text_tells_counts(facts, meant):
    assert is_meant(Way(REGION, 0x1000, None), msgspec.structs.replace(SAID, **facts)) is meant


OTHER = RegionInfo(id=1, name="other", addr=0, size=0x2000, alias=0)


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        ({}, []),
        ({"terminates": False}, ["'other' does not answer"]),
        ({"terminates": True}, ["'other' answers"]),
        ({"readonly": True}, ["'other' is read-only"]),
        ({"readonly": False}, ["'other' is writable"]),
        ({"size": 0x3000}, ["'other' is 12 KiB long"]),
        ({"alias": 2}, ["which 'bank' 'other' shows"]),
        ({"children": (2,)}, ["the order of what overlaps in 'other'"]),
        ({"size": 0, "alias": 2}, ["'other' is 0 B long", "which 'bank' 'other' shows"]),
    ],
)
def test_each_fact_that_was_concluded_otherwise_is_told(facts, said):
    def of(region):
        return Snapshot((REGION, region, RegionInfo(id=2, name="bank", addr=0, size=0x1000)))

    before = {n: not facts[n] for n in ("terminates", "readonly") if n in facts}
    one, two = (of(msgspec.structs.replace(OTHER, **each)) for each in (before, facts))
    assert differing_facts(one, two) == said


@pytest.mark.parametrize(
    ("addr", "facts", "is_one"),
    [
        (0x18FF, {}, True),
        (0x1900, {}, False),  # neighbours
        (0x1000, {}, False),  # one address: text has them in list order
        (0x18FF, {"priority": 1}, False),
        (0x18FF, {"enabled": False}, False),
    ],
)
def test_siblings_whose_order_counts_overlap_at_different_addresses(addr, facts, is_one):
    tree = Builder()
    root = tree.container("root", 0, 0x10000)
    low = tree.region("low", 0x1000, 0x900, into=root)
    high = tree.region("high", addr, 0x100, into=root, **facts)
    draft = Draft(tree.snapshot())
    found = [(one.id, other.id) for one, other in overlaps(draft, draft.regions[root])]
    assert found == ([(low, high)] if is_one else [])
