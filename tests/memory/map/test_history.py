"""Commits by address: whose answers changed hands."""

from __future__ import annotations

import pytest

from guestmap.memory import MemoryRegion, MemoryRegionOps, MemorySystem

OPS = MemoryRegionOps()
Run = tuple[int, int, str | None, str | None]


class Map:
    """RAM at 0 to 10000h, and a device that is far away."""

    def __init__(self) -> None:
        self.memory = MemorySystem()
        self.root = self.memory.container("root", 1 << 64)
        self.ram = self.memory.ram("ram", 0x10000, backed=False)
        self.root.add_subregion(0, self.ram)
        self.root.add_subregion(1 << 40, self.memory.io("far", 1, OPS))
        self.memory.address_space("space", self.root)

    def last(self) -> list[Run]:
        (change,) = self.memory.history[-1].changes
        return [
            (c.start, c.end, c.old and c.old.region.name, c.new and c.new.region.name)
            for c in change.by_address()
        ]

    def cover(self, at: int, size: int, name: str = "dev") -> MemoryRegion:
        region = self.memory.io(name, size, OPS)
        self.root.add_subregion(at, region, 1)
        return region


@pytest.fixture
def map_() -> Map:
    return Map()


def test_a_range_that_is_covered_in_part_changes_hands_there_only(map_: Map) -> None:
    device = map_.cover(0x4000, 0x1000)
    assert map_.last() == [(0x4000, 0x5000, "ram", "dev")]
    device.set_address(0x4800)
    assert map_.last() == [(0x4000, 0x4800, "dev", "ram"), (0x4800, 0x5000, "dev", "dev"),
                           (0x5000, 0x5800, "ram", "dev")]  # fmt: skip
    map_.root.del_subregion(device)
    assert map_.last() == [(0x4800, 0x5800, "dev", "ram")]


def test_what_appears_and_goes_has_nobody_on_the_other_side(map_: Map) -> None:
    device = map_.cover(0x20000, 0x1000)
    assert map_.last() == [(0x20000, 0x21000, None, "dev")]
    map_.cover(0x20800, 0x10, "other")
    assert map_.last() == [(0x20800, 0x20810, "dev", "other")]
    device.set_enabled(False)
    assert map_.last() == [(0x20000, 0x20800, "dev", None), (0x20810, 0x21000, "dev", None)]


def test_other_rules_count_as_a_change(map_: Map) -> None:
    map_.ram.set_readonly(True)
    assert map_.last() == [(0, 0x10000, "ram", "ram")]
    map_.ram.set_size(0x8000)
    assert map_.last() == [(0x8000, 0x10000, "ram", None)]


def test_two_far_changes_of_one_commit(map_: Map) -> None:
    with map_.memory.transaction():
        map_.cover(0x1000, 0x1000, "a")
        map_.cover(0x3000, 0x1000, "b")
    assert map_.last() == [(0x1000, 0x2000, "ram", "a"), (0x3000, 0x4000, "ram", "b")]


def test_neighbours_that_stay_are_no_part_of_a_change(map_: Map) -> None:
    regions = [map_.cover(0x20000 + 0x1000 * n, 0x1000, f"dev {n}") for n in range(3)]
    regions[1].set_readonly(True)
    (change,) = map_.memory.history[-1].changes
    assert [r.region.name for r in change.removed] == ["dev 1"]
    assert [r.region.name for r in change.added] == ["dev 1"]
    assert map_.last() == [(0x21000, 0x22000, "dev 1", "dev 1")]
