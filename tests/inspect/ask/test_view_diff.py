"""Two flat views side by side: each change as long as the same two regions go on, and no longer."""

from __future__ import annotations

import pytest

from guestmap.inspect import RangeInfo
from guestmap.inspect.ask.view_diff import Shows, range_changes

WHOLE = (0, 0x30)
Part = tuple[int, int, str, int]


def view(*parts: Part, type: str = "ram", nonvolatile: bool = False) -> list[RangeInfo]:  # noqa: A002
    """Return ranges from (start, end, name, offset in the region)."""
    return [
        RangeInfo(start, end - start, 0, type, name, offset, nonvolatile=nonvolatile)
        for start, end, name, offset in parts
    ]


@pytest.mark.parametrize(
    ("before", "after", "changes"),
    [
        pytest.param([(*WHOLE, "a", 0)], [(*WHOLE, "a", 0)], [], id="nothing"),
        pytest.param([], [(8, 24, "a", 0)], [(8, 24, None, ("a", 0))], id="came"),
        pytest.param([(8, 24, "a", 4)], [], [(8, 24, ("a", 4), None)], id="went"),
        pytest.param([(*WHOLE, "a", 0)], [(*WHOLE, "a", 8)],
                     [(0, 0x30, ("a", 0), ("a", 8))], id="another part"),
        pytest.param([(0, 8, "a", 0), (8, 0x30, "a", 8)], [(*WHOLE, "b", 0)],
                     [(0, 0x30, ("a", 0), ("b", 0))], id="two ranges of one region"),
        pytest.param([(8, 16, "a", 0), (16, 24, "a", 8)], [(8, 24, "b", 0)],
                     [(8, 24, ("a", 0), ("b", 0))], id="the same, not from 0 on"),
        pytest.param([(0, 8, "a", 0), (8, 0x30, "a", 16)], [(*WHOLE, "b", 0)],
                     [(0, 8, ("a", 0), ("b", 0)), (8, 0x30, ("a", 16), ("b", 8))],
                     id="bytes of it are left out"),
        pytest.param([(*WHOLE, "a", 0)], [(0, 8, "b", 0), (8, 0x30, "b", 0)],
                     [(0, 8, ("a", 0), ("b", 0)), (8, 0x30, ("a", 8), ("b", 0))],
                     id="it begins again"),
        pytest.param([(*WHOLE, "a", 0)], [(0, 8, "b", 0), (8, 16, "a", 8), (16, 0x30, "b", 16)],
                     [(0, 8, ("a", 0), ("b", 0)), (16, 0x30, ("a", 16), ("b", 16))],
                     id="it goes on behind what is as it was"),
        pytest.param([(0, 8, "a", 0), (16, 24, "a", 16)], [],
                     [(0, 8, ("a", 0), None), (16, 24, ("a", 16), None)],
                     id="a gap between two that went"),
        pytest.param([(0, 16, "a", 0)], [(8, 24, "a", 8)],
                     [(0, 8, ("a", 0), None), (16, 24, None, ("a", 16))], id="a window that moved"),
    ],
)  # fmt: skip
def test_each_change_is_told_once_and_ends_where_it_ends(before, after, changes):
    told = [
        (each.start, each.end, *(s and (s.name, s.offset) for s in (each.before, each.after)))
        for each in range_changes(view(*before), view(*after))
    ]
    assert told == changes


@pytest.mark.parametrize("facts", [{"type": "rom"}, {"nonvolatile": True}])
def test_another_kind_of_the_same_bytes_is_a_change(facts):
    (change,) = range_changes(view((8, 24, "a", 4)), view((8, 24, "a", 4), **facts))
    assert change.before == Shows("a", "ram", 4)
    assert change.after == Shows("a", facts.get("type", "ram"), 4, "nonvolatile" in facts)
