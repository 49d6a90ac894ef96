"""Random trees: whatever is written is read, and is the same text when written again."""

from __future__ import annotations

from hypothesis import assume, event, given, settings
from hypothesis import strategies as st

from guestmap.base import PeerError
from guestmap.inspect import AddressSpaceInfo, RegionInfo, Snapshot
from guestmap.inspect.map.circles import find_circle
from guestmap.inspect.text.mtree import assemble, dialect_called, read_mtree, write_mtree
from tests.support.mtree_text import blocks

NAMES = st.sampled_from(["ram", "pc.ram", "bus master", "virtio-pci", "alias", "a [b]", "x: y", ""])
ADDRESSES = st.sampled_from([0, 1, 0x1000, 0xFFFF_FFFF, 1 << 63, (1 << 64) - 0x1000])
SIZES = st.sampled_from([1, 0x1000, 1 << 32, 1 << 63, 1 << 64])
TYPES = st.sampled_from(["i/o", "ram", "rom", "romd", "ramd"])


VERSIONS = st.sampled_from(["2.4", "2.9", "4.2", "5.1", "7.2", "10.0", "11.1"])


SMALL = st.sampled_from([0, 1, 0x1000, 0x1800, 0xFFFF_FFFF])
"""Offsets and sizes that do not wrap: where a hidden region does, only a prefix is left of it."""


@st.composite
def snapshots(
    draw: st.DrawFn, *, addresses: st.SearchStrategy[int], sizes: st.SearchStrategy[int]
) -> Snapshot:
    count = draw(st.integers(1, 12))
    parents = [draw(st.integers(-1, i - 1)) if i else -1 for i in range(count)]
    priorities = [draw(st.integers(-1, 1)) for _ in range(count)]
    regions = []
    for i in range(count):
        children = sorted(
            (j for j in range(count) if parents[j] == i), key=lambda j: -priorities[j]
        )
        alias = draw(st.integers(0, i - 1)) if i and not children and draw(st.booleans()) else None
        regions.append(
            RegionInfo(
                id=i,
                name=draw(NAMES),
                addr=draw(addresses),
                size=draw(sizes),
                priority=priorities[i],
                type=draw(TYPES) if alias is None else regions[alias].type,
                enabled=draw(st.integers(0, 3)) > 0,
                children=tuple(children),
                alias=alias,
                alias_offset=draw(addresses) if alias is not None else 0,
                nonvolatile=draw(st.booleans()),
                owner=draw(st.sampled_from(["orphan", "owner:{dev id=nic}", None])),
            )
        )
    roots = [i for i in range(count) if parents[i] < 0]
    spaces = [AddressSpaceInfo(f"as{draw(st.integers(0, 3))}", root) for root in roots]
    return Snapshot(tuple(regions), tuple(spaces))


@settings(max_examples=300)
@given(snapshots(addresses=ADDRESSES, sizes=SIZES), st.booleans(), VERSIONS)
def test_with_disabled_regions_shown(snapshot: Snapshot, owner: bool, version: str) -> None:
    assume(not find_circle(snapshot.regions))
    snapshot.check()
    form = dialect_called(version)
    text = write_mtree(snapshot, owner=owner, disabled=True, dialect=form)
    again = assemble(read_mtree(text), complete=True)
    again.check()
    assert again.dialect in ("", form.name)
    assert blocks(write_mtree(again, owner=owner, disabled=True, dialect=form)) == blocks(text)


@settings(max_examples=300)
@given(snapshots(addresses=SMALL, sizes=SMALL.filter(bool)))
def test_with_disabled_regions_left_out(snapshot: Snapshot) -> None:
    assume(not find_circle(snapshot.regions))
    text = write_mtree(snapshot)
    try:
        again = assemble(read_mtree(text), complete=False)
    except PeerError:
        event("refused: ask for -D")
        return
    again.check()
    assert blocks(write_mtree(again)) == blocks(text)


def test_an_alias_is_never_of_itself() -> None:
    """With what is disabled left out, the only sections of a name can be aliases of that name."""
    print_of_it = "alias ram @ram 0000000000000000-0000000000000000"
    text = (
        f"address-space: as0\n      {1:016x}-{1:016x} (prio 0, i/o): {print_of_it}\n\n"
        f"memory-region: ram\n      {1:016x}-{1:016x} (prio 0, i/o): {print_of_it}\n\n"
        f"memory-region: ram\n  {1:016x}-{1:016x} (prio 0, i/o): {print_of_it}\n\n"
    )
    again = assemble(read_mtree(text), complete=False)
    again.check()
    assert all(each.alias != each.id for each in again.regions)
    assert blocks(write_mtree(again)) == blocks(text)
