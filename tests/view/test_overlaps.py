"""What overlaps is what a look at everything finds, and it is found with few looks."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from guestmap.view.overlaps import OccupiedRuns, Overlaps
from guestmap.view.picture import Box

SPANS = st.lists(st.tuples(st.integers(0, 40), st.integers(0, 12)), max_size=30)


@given(SPANS, st.integers(0, 50), st.integers(0, 12))
def test_taken_addresses(spans, lo, size):
    taken = OccupiedRuns()
    for start, length in spans:
        taken.add(start, start + length)
    cells = {cell for start, length in spans for cell in range(start, start + length)}
    assert taken.meets(lo, lo + size) == bool(cells & set(range(lo, lo + size)))


@given(SPANS, st.integers(0, 50), st.integers(1, 12))
def test_boxes_in_a_range(spans, start, size):
    boxes = [Box(0, lo, lo + n, f"{lo}+{n}", "ram", "hidden") for lo, n in spans]
    wanted = [box for box in boxes if box.start < start + size and box.end > start]
    found = Overlaps(boxes).within(start, start + size)
    assert found == sorted(wanted, key=lambda box: box.start)
