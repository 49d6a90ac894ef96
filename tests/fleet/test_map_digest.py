"""One map has one name, in whatever order it was told."""

from __future__ import annotations

import random
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from guestmap.fleet.map_digest import digest_of
from guestmap.inspect import Snapshot
from guestmap.inspect.map.snapshot import AddressSpaceInfo, RegionInfo, SlotInfo, ViewInfo, ViewUser
from guestmap.inspect.sources.open import load_snapshot
from tests.support.fleet_hosts import Machines, until
from tests.view.maps import pc


def shuffled(snapshot: Snapshot, seed: int) -> Snapshot:
    """Return the same map, told in another order."""
    rng = random.Random(seed)
    new = list(range(len(snapshot.regions)))
    rng.shuffle(new)
    regions = sorted(
        (
            msgspec.structs.replace(
                each,
                id=new[each.id],
                children=tuple(new[child] for child in each.children),
                alias=None if each.alias is None else new[each.alias],
            )
            for each in snapshot.regions
        ),
        key=lambda each: each.id,
    )
    spaces = [replace(each, root=new[each.root]) for each in snapshot.address_spaces]
    views = [_view(each, new, rng) for each in snapshot.views]
    rng.shuffle(spaces)
    rng.shuffle(views)
    return replace(
        snapshot, regions=tuple(regions), address_spaces=tuple(spaces), views=tuple(views)
    )


def _view(view: ViewInfo, new: list[int], rng: random.Random) -> ViewInfo:
    users = rng.sample(view.users, len(view.users))
    ranges = tuple(
        each if each.region is None else msgspec.structs.replace(each, region=new[each.region])
        for each in view.ranges
    )
    root = None if view.root_region is None else new[view.root_region]
    return replace(view, users=tuple(users), ranges=ranges, root_region=root)


@pytest.mark.parametrize("seed", range(5))
def test_the_order_in_which_it_is_told_counts_nothing(seed):
    told = pc()
    assert digest_of(shuffled(told, seed)) == digest_of(told)


def test_where_it_is_from_counts_nothing():
    slot = SlotInfo(0, 0, 0x1000, 0x7F0000000000, dirty=3)
    one = replace(pc(), slots=(slot,))
    other = replace(one, source="elsewhere", slots=(replace(slot, host=0x1000, dirty=None),))
    assert digest_of(one) == digest_of(other)


@pytest.mark.parametrize("change", ["addr", "priority", "name", "size"])
def test_a_region_that_is_another_makes_another_map(change):
    told = pc()
    last = told.regions[-1]
    value = "other" if change == "name" else getattr(last, change) + 1
    regions = (*told.regions[:-1], msgspec.structs.replace(last, **{change: value}))
    assert digest_of(replace(told, regions=regions)) != digest_of(told)


def test_which_of_two_a_region_hangs_in_makes_another_map():
    """Their names alone are the same."""
    regions = (
        RegionInfo(0, "a", 0, 16, children=(2,)), RegionInfo(1, "b", 0, 16),
        RegionInfo(2, "c", 0, 8),
    )  # fmt: skip
    spaces = AddressSpaceInfo("a", 0), AddressSpaceInfo("b", 1)
    told = Snapshot(regions, spaces, (ViewInfo((ViewUser("a", "a"),), "a", ()),))
    moved = replace(
        told,
        regions=(
            msgspec.structs.replace(regions[0], children=()),
            msgspec.structs.replace(regions[1], children=(2,)),
            regions[2],
        ),
    )
    assert digest_of(moved) != digest_of(told)


@pytest.mark.qemu
def test_qemus_of_one_command_line_have_one_map(tmp_path: Path):
    """Each prints its trees in the order of its own pointers."""
    with closing(Machines(tmp_path)) as machines:
        names = [f"vm{n}" for n in range(4)]
        for name in names:
            machines.start(name, f"unix:{tmp_path}/{name}")
        until(lambda: all((tmp_path / name).exists() for name in names), "QEMUs listen")
        found = {digest_of(load_snapshot(f"unix:{tmp_path}/{name}")) for name in names}
    assert len(found) == 1
