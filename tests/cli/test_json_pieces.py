"""A snapshot written piece by piece is the JSON that it would be whole, in less memory."""

from __future__ import annotations

import json
import tracemalloc
from dataclasses import replace

import pytest
from hypothesis import given

from guestmap.cli.json_pieces import json_pieces
from guestmap.cli.output import json_text
from guestmap.inspect import AddressSpaceInfo, RangeInfo, RegionInfo, Snapshot, ViewInfo, ViewUser
from guestmap.inspect.map.snapshot import DispatchEntry, DispatchInfo, DispatchSection, RamBlockInfo
from guestmap.inspect.sources.content import snapshot_of_bytes
from tests.inspect.snapshots import trees

DISPATCH = DispatchInfo(
    (DispatchSection(0, 1 << 64, "unassigned", ("not dirty", "ROM")),),
    ((DispatchEntry(0, 511, 1, None),), (), (DispatchEntry(0, 0, 0, 1),)), 0, 6,
)  # fmt: skip
ODD = 'a "name"\n\x7f\u202e\U0001f600'


def large(count: int) -> Snapshot:
    """Return a map with so many regions, and a view of as many ranges."""
    numbers = range(1, count)
    return Snapshot(
        (
            RegionInfo(0, "system", 0, 1 << 64, children=tuple(numbers)),
            *(RegionInfo(n, f"device{n}", n * 4096, 4096, terminates=True) for n in numbers),
        ),
        (AddressSpaceInfo("memory", 0),),
        (
            ViewInfo(
                (ViewUser("memory", "system"),), "system",
                tuple(RangeInfo(n * 4096, 4096, 0, "i/o", f"device{n}") for n in numbers),
            ),
        ),
    )  # fmt: skip


def _whole(snapshot: Snapshot) -> str:
    return json_text(snapshot.to_json(), indent=1)


@given(trees())
def test_the_pieces_are_the_whole(snapshot: Snapshot) -> None:
    assert "".join(json_pieces(snapshot)) == _whole(snapshot)


@pytest.mark.parametrize("count", [1, 2, 249, 250, 251, 252, 501])
def test_so_they_are_at_each_edge_of_a_piece(count: int) -> None:
    snapshot = replace(large(count), ram_blocks=(RamBlockInfo(ODD, 0, 1, 1),), notes=(ODD,))
    assert "".join(json_pieces(snapshot)) == _whole(snapshot)


def test_so_they_are_with_dispatch_trees_and_views_that_are_empty() -> None:
    views = (ViewInfo((), None, ()), replace(large(3).views[0], dispatch=DISPATCH))
    snapshot = replace(large(3), views=views, source=ODD)
    assert "".join(json_pieces(snapshot)) == _whole(snapshot)
    assert "".join(json_pieces(Snapshot())) == _whole(Snapshot())


def test_what_is_written_and_read_takes_little_memory_besides_the_map() -> None:
    snapshot = large(20_000)
    text = _whole(snapshot)
    tracemalloc.start()
    try:
        longest = max(len(piece) for piece in json_pieces(snapshot))
        _, written = tracemalloc.get_traced_memory()
        tracemalloc.reset_peak()
        again = snapshot_of_bytes(text.encode(), source="text")
        _, read = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert again == snapshot
    assert longest < len(text) / 20, "but for what one region holds"
    assert written < len(text) / 4, "the whole, its form and its text took six times that"
    assert read < 3.5 * len(text), "the text in bytes, and in characters, and the map"


@given(trees())
def test_a_snapshot_that_is_plainly_one_is_read_as_any_json_is(snapshot: Snapshot) -> None:
    text = json.dumps(snapshot.to_json())
    assert Snapshot.from_text(text) == Snapshot.from_json(json.loads(text)) == snapshot


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"format": "guestmap.snapshot"', '"format": "another"'),
        (', "format_version": 1', ""),
        ('"format_version": 1', '"format_version": 2'),
        ('"size": 4096', '"size": 4096.0'),
        ('"name": "device1"', '"name": "\\ud800"'),
        ('"size": 4096', '"size": -'),
        ('"size": 4096', '"size": ' + 5_000 * "9"),
        ('"enabled": true', '"enabled": 1'),
        ('"children": [1]', '"children": ' + 100_000 * "["),
    ],
)
def test_anything_else_is_left_to_who_says_what_it_is(old: str, new: str) -> None:
    text = json.dumps(large(2).to_json())
    assert old in text
    assert Snapshot.from_text(text.replace(old, new, 1)) is None
