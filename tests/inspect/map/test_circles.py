"""Aliases that show themselves without end are refused; those that move with each round are not."""

from __future__ import annotations

import msgspec
import pytest

from guestmap.base import PeerError
from guestmap.inspect import Snapshot
from guestmap.inspect.map.circles import find_circle
from guestmap.inspect.map.shown import shown
from guestmap.inspect.map.snapshot import AddressSpaceInfo, RegionInfo
from guestmap.inspect.text.from_text import snapshot_of_pasted

PAGE = 0x1000


def alias(number: int, target: int, addr: int = 0, offset: int = 0, **facts: bool) -> RegionInfo:
    return RegionInfo(number, f"a{number}", addr, PAGE, alias=target, alias_offset=offset, **facts)


def holder(number: int, *children: int, addr: int = 0) -> RegionInfo:
    return RegionInfo(number, f"c{number}", addr, PAGE, children=children)


ENDLESS = {
    "an alias of itself": ([alias(0, 0)], "a0 a0"),
    "a disabled one": ([alias(0, 0, enabled=False)], "a0 a0"),
    "two of each other": ([alias(0, 1, offset=5), alias(1, 0)], "a0 a1 a0"),
    "of what holds it": ([holder(0, 1), alias(1, 0)], "c0 a1 c0"),
    "moved there and back": ([holder(0, 1), alias(1, 0, 0x800, 0x800)], "c0 a1 c0"),
    "deeper": (
        [holder(0, 1), holder(1, 2, addr=0x100), alias(2, 0, 0x200, 0x300)], "c0 c1 a2 c0"
    ),
    "through another tree": (
        [holder(0, 1), alias(1, 2), holder(2, 3), alias(3, 0)], "c0 a1 c2 a3 c0"
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", ENDLESS)
def test_what_shows_itself_at_its_own_place_is_refused(kind: str) -> None:
    regions, names = ENDLESS[kind]
    snapshot = Snapshot(tuple(regions), (AddressSpaceInfo("memory", 0),))
    said = " > ".join(map(repr, names.split()))
    with pytest.raises(PeerError, match=rf"regions\[0\] shows itself without end, .*: {said}$"):
        Snapshot.from_json(snapshot.to_json())


ENDING = {
    "moved": [holder(0, 1), alias(1, 0, 0x800)],
    "moved down": [holder(0, 1), alias(1, 0, 0, 0x800)],
    "disabled": [holder(0, 1), alias(1, 0, enabled=False)],
    "concluded": [holder(0, 1), msgspec.structs.replace(alias(1, 0), inferred=("alias",))],
    "twice the same": [holder(0, 1, 2), alias(1, 3), alias(2, 3, 0x800), holder(3)],
    "a chain": [alias(0, 1), alias(1, 2), holder(2)],
}


@pytest.mark.parametrize("kind", ENDING)
def test_what_ends_is_taken(kind: str) -> None:
    snapshot = Snapshot(tuple(ENDING[kind]), (AddressSpaceInfo("memory", 0),))
    snapshot.check()
    shown(snapshot, 0)


def test_a_long_circle_is_told_by_its_first_names() -> None:
    regions = [*(holder(i, i + 1) for i in range(9)), alias(9, 0)]
    with pytest.raises(PeerError, match=r"'c4' > 'c5' > 'c0' \(10 regions\)$"):
        Snapshot(tuple(regions)).check()


def test_each_reference_is_looked_at_once() -> None:
    """Each of many holders shows the outermost one elsewhere: no walk along the way from each."""
    depth = 50_000
    holders = [holder(i, i + 1, depth + i) if i < depth - 1 else holder(i) for i in range(depth)]
    aliases = [alias(depth + i, 0, 0x800) for i in range(depth - 1)]
    assert find_circle(holders + aliases) == []


def test_text_of_such_a_tree_is_refused_too() -> None:
    tree = (
        "  0000000000000000-0000000000000fff (prio 0, i/o): bus\n"
        "    0000000000000000-0000000000000fff (prio 0, i/o): alias again @bus"
        " 0000000000000000-0000000000000fff\n\n"
    )
    text = f"address-space: memory\n{tree}memory-region: bus\n{tree}"
    with pytest.raises(
        PeerError, match=r"'bus' shows itself without end, .*'bus' > 'again' > 'bus'"
    ):
        snapshot_of_pasted(text, source="mail")
    moved = text.replace(
        "    0000000000000000-0000000000000fff", "    0000000000000800-00000000000017ff"
    )
    assert len(snapshot_of_pasted(moved, source="mail").regions) == 2
