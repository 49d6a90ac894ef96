import pytest

from guestmap.base import ADDRESS_SPACE_SIZE, AddrRange
from guestmap.base.addrrange import merged


def test_a_range_may_end_where_addresses_end() -> None:
    whole = AddrRange(0, ADDRESS_SPACE_SIZE)
    assert (whole.end, whole.last) == (1 << 64, (1 << 64) - 1)
    assert whole.covers(0)
    assert whole.covers((1 << 64) - 1)
    assert not whole.covers(1 << 64)
    assert str(AddrRange(0x1000, 0x10)) == "[0x1000, 0x1010)"


def test_ranges_that_only_touch_share_nothing() -> None:
    low, high = AddrRange(0, 0x10), AddrRange(0x10, 0x10)
    assert not low.intersects(high)
    assert not high.intersects(low)
    assert low.intersection(high) == AddrRange(0x10, 0)
    assert low.intersects(AddrRange(0xF, 1))


def test_the_shared_part() -> None:
    assert AddrRange(0, 0x20).intersection(AddrRange(0x10, 0x20)) == AddrRange(0x10, 0x10)
    assert AddrRange(0x10, 0x4).intersection(AddrRange(0, 0x20)) == AddrRange(0x10, 0x4)
    assert AddrRange(0, 1).intersection(AddrRange(5, 1)).size == 0


@pytest.mark.parametrize(
    ("ranges", "result"),
    [
        ([], []), ([(5, 6), (1, 2)], [(1, 2), (5, 6)]), ([(1, 3), (3, 5)], [(1, 5)]),
        ([(1, 3), (4, 5)], [(1, 3), (4, 5)]), ([(1, 9), (2, 3)], [(1, 9)]),
        ([(2, 3), (1, 9), (8, 12)], [(1, 12)]),
    ],
)  # fmt: skip
def test_ranges_are_merged(ranges: list[tuple[int, int]], result: list[tuple[int, int]]) -> None:
    assert merged(ranges) == result
