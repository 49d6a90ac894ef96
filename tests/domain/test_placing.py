"""First fit and gaps, held to counting page by page."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guestmap.base import GIB, MIB, AddrRange
from guestmap.domain.placing import first_fit, gaps, largest_fit, overlapping
from tests.domain.machines import BASE, ROOM, WINDOW, dimm, holding

UNIT = 2 * MIB
PAGES = 64
SMALL = AddrRange(BASE, PAGES * UNIT)


@st.composite
def layouts(draw):
    """Draw devices that do not overlap, in no order."""
    cuts = sorted(draw(st.lists(st.integers(0, PAGES), max_size=12, unique=True)))
    pairs = list(zip(cuts[::2], cuts[1::2], strict=False))
    made = [dimm(n, BASE + a * UNIT, (b - a) * UNIT) for n, (a, b) in enumerate(pairs)]
    return draw(st.permutations(made))


def free_pages(devices):
    taken = {p for d in devices for p in range((d.addr - BASE) // UNIT, (d.end - BASE) // UNIT)}
    return [page not in taken for page in range(PAGES)]


@given(layouts(), st.integers(1, PAGES), st.sampled_from([1, 2, 4]))
def test_first_fit_is_the_lowest_aligned_run_of_free_pages(devices, pages, step):
    free = free_pages(devices)
    starts = [s for s in range(0, PAGES, step) if all(free[s : s + pages]) and s + pages <= PAGES]
    expected = BASE + starts[0] * UNIT if starts else None
    assert first_fit(SMALL, devices, pages * UNIT, step * UNIT) == expected


@given(layouts())
def test_gaps_are_the_runs_of_free_pages(devices):
    free = free_pages(devices)
    covered = [False] * PAGES
    told = gaps(SMALL, devices)
    for gap in told:
        assert gap.size
        for page in range((gap.start - BASE) // UNIT, (gap.end - BASE) // UNIT):
            covered[page] = True
    assert covered == free
    assert all(a.end < b.start for a, b in pairwise(told))


@pytest.mark.parametrize(
    ("taken", "pages", "place"),
    [
        ([], PAGES, 0),  # all of it
        ([(2, 4)], 2, 0),  # up to the next device
        ([(2, 4)], 3, 4),
        ([(0, PAGES - 2)], 2, PAGES - 2),  # up to the end
        ([(0, PAGES - 2)], 3, None),
        ([(0, 2), (4, 6), (9, PAGES)], 2, 2),
        ([(0, 2), (4, 6), (9, PAGES)], 3, 6),
        ([(0, 2), (4, 6), (9, PAGES)], 4, None),
    ],
)
def test_a_gap_that_fits_exactly(taken, pages, place):
    devices = [dimm(n, BASE + a * UNIT, (b - a) * UNIT) for n, (a, b) in enumerate(taken)]
    expected = None if place is None else BASE + place * UNIT
    assert first_fit(SMALL, devices, pages * UNIT, UNIT) == expected


@pytest.mark.parametrize(
    ("taken", "free"),
    [
        ([(0, PAGES)], []),
        ([(0, PAGES - 1)], [(PAGES - 1, PAGES)]),
        ([(1, PAGES)], [(0, 1)]),
        ([(1, 2), (2, 3)], [(0, 1), (3, PAGES)]),
    ],
)
def test_gaps_at_the_ends_and_none_where_devices_touch(taken, free):
    devices = [dimm(n, BASE + a * UNIT, (b - a) * UNIT) for n, (a, b) in enumerate(taken)]
    assert gaps(SMALL, devices) == tuple(
        AddrRange(BASE + a * UNIT, (b - a) * UNIT) for a, b in free
    )


def test_a_misaligned_window_is_aligned_first():
    assert first_fit(AddrRange(BASE + MIB, 8 * MIB), [], 2 * MIB, UNIT) == BASE + UNIT
    assert first_fit(AddrRange(BASE + MIB, 2 * MIB), [], 2 * MIB, UNIT) is None


def test_overlaps_are_all_told_by_address():
    one, two, three = (dimm(n, BASE + n * GIB, GIB) for n in range(3))
    assert overlapping([three, two, one], BASE + GIB // 2, GIB) == (one, two)
    assert overlapping([one], BASE + GIB, GIB) == ()


def test_the_largest_dimm_is_bounded_by_maxmem_the_gap_and_the_slots():
    assert largest_fit(ROOM) == ROOM.capacity
    held = holding(dimm(0, BASE, 2 * GIB))
    assert largest_fit(held) == held.bytes_left
    split = holding(dimm(0, WINDOW.start + 3 * GIB, GIB))
    assert largest_fit(split) == split.bytes_left < 3 * GIB
    four = holding(*(dimm(n, BASE + n * GIB, UNIT) for n in range(4)))
    assert largest_fit(four) == 0
