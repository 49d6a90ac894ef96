"""What overlaps is what a look at everything finds, and it is found with few looks."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from guestmap.inspect.map.occupied import OccupiedRuns
from guestmap.view.overlaps import Crowd
from guestmap.view.picture import Box

SPANS = st.lists(st.tuples(st.integers(0, 40), st.integers(0, 12)), max_size=30)


@given(SPANS, st.integers(0, 50), st.integers(0, 12))
def test_taken_addresses(spans, lo, size):
    taken = OccupiedRuns()
    for start, length in spans:
        taken.add(start, start + length)
    cells = {cell for start, length in spans for cell in range(start, start + length)}
    assert taken.meets(lo, lo + size) == bool(cells & set(range(lo, lo + size)))
    gaps = list(taken.gaps(lo, lo + size))
    assert [c for start, end in gaps for c in range(start, end)] == [
        cell for cell in range(lo, lo + size) if cell not in cells
    ]
    assert all(end < start for (_, end), (start, _) in pairwise(gaps))  # each as long as it goes


@given(SPANS)
def test_what_is_taken_is_what_was_free(spans):
    taken, one_by_one = OccupiedRuns(), OccupiedRuns()
    cells: set[int] = set()
    for start, length in spans:
        free = list(one_by_one.gaps(start, start + length))
        one_by_one.add(start, start + length)
        assert list(taken.take(start, start + length)) == free
        assert [c for lo, hi in free for c in range(lo, hi)] == [
            cell for cell in range(start, start + length) if cell not in cells
        ]
        cells |= set(range(start, start + length))
        assert list(taken.gaps(0, 60)) == list(one_by_one.gaps(0, 60))


@given(SPANS, SPANS)
def test_boxes_in_ranges(spans, ranges):
    boxes = [Box(0, lo, lo + n, f"{lo}+{n}", "ram", "hidden") for lo, n in spans if n]
    crowd, reached = Crowd(boxes), 0
    for gap, size in ranges:
        start, end = reached + gap // 8, reached + gap // 8 + max(size, 1)
        wanted = [box for box in boxes if box.start < end and box.end > start]
        first = [box.title for box in sorted(wanted, key=lambda box: box.start)]
        assert list(crowd.within(start, end)) == list(dict.fromkeys(first))
        reached = end
