"""What a plan says of the map, where views are all that is known of it."""

from __future__ import annotations

from guestmap.domain.predict import without_dimm
from guestmap.inspect import RangeInfo, Snapshot, ViewInfo, ViewUser
from tests.domain.machines import dimm

START, SIZE = 0x1_0000_0000, 0x2000


def test_a_dimm_that_goes_takes_its_own_ranges_along_and_no_neighbours() -> None:
    places = {
        START - 1: "before", START: "first", START + SIZE - 1: "last", START + SIZE: "after"
    }  # fmt: skip
    ranges = tuple(RangeInfo(at, 1, 0, "ram", name) for at, name in places.items())
    view = ViewInfo((ViewUser("memory", "system"),), "system", ranges)
    after = without_dimm(Snapshot(views=(view,)), dimm(0, START, SIZE))
    assert [each.name for each in after.views[0].ranges] == ["before", "after"]
