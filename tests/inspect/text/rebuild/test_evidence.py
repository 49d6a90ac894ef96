"""Which region a range of a flat view names, so far as text tells regions apart."""

from __future__ import annotations

import msgspec
import pytest

from guestmap.inspect import RangeInfo, RegionInfo
from guestmap.inspect.map.ways import Way
from guestmap.inspect.text.rebuild.evidence import is_meant

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
