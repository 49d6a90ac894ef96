"""What lint and the drawing do grows as the map does: counted in calls, not in seconds."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from guestmap.inspect import Snapshot
from guestmap.inspect.ask.lint import lint
from guestmap.inspect.ask.trees import tree_blocks
from guestmap.inspect.text.from_text import snapshot_of_pasted
from guestmap.view.sections import find_sections
from tests.inspect.snapshots import Builder

if TYPE_CHECKING:
    from collections.abc import Callable


def devices(count: int) -> Snapshot:
    """Return a map of so many devices in holes of one RAM."""
    build = Builder()
    system = build.container("system", 0, 1 << 64)
    build.region("pc.ram", 0, 2 * count * 4096, into=system, type="ram", priority=-1)
    for n in range(count):
        build.region(f"dev{n}", (2 * n + 1) * 4096, 4096, into=system, priority=n % 3)
    build.space("memory", system)
    return build.snapshot()


def spaces(count: int) -> Snapshot:
    """Return a map of so many address spaces of their own."""
    build = Builder()
    for n in range(count):
        root = build.container(f"root{n}", 0, 1 << 64)
        for m in range(6):
            kind = "ram" if m % 2 else "i/o"
            build.region(f"r{n}.{m}", m * 8192, 4096, into=root, type=kind)
        build.space(f"s{n}", root)
    return build.snapshot()


def overlapping(count: int) -> str:
    """Return trees and views of regions that overlap their neighbours, the higher one newer.

    By text alone the lower one would be taken for the newer, so each pair is put right.
    """
    page = 4096
    at = [n * page for n in range(count)]
    tree = [f"    {a:016x}-{a + 2 * page - 1:016x} (prio 0, i/o): dev{a:x}" for a in at]
    view = [f"  {a:016x}-{a + page - 1:016x} (prio 0, i/o): dev{a:x}" for a in at[:-1]]
    view.append(f"  {at[-1]:016x}-{at[-1] + 2 * page - 1:016x} (prio 0, i/o): dev{at[-1]:x}")
    return "\n".join([
        "address-space: memory", f"  {0:016x}-{(1 << 64) - 1:016x} (prio 0, i/o): system", *tree,
        "", "FlatView #0", ' AS "memory", root: system', " Root memory region: system", *view, "",
    ])  # fmt: skip


def piled(count: int) -> Snapshot:
    """Return a map of so many devices that all lie over each other."""
    build = Builder()
    system = build.container("system", 0, 1 << 64)
    for n in range(count):
        build.region(f"dev{n}", n, 2 * count, into=system)
    build.space("memory", system)
    return build.snapshot()


def behind(names: tuple[str, str], count: int) -> Snapshot:
    """Return a map of so many registers that each lie behind as many pieces of memory."""
    build = Builder()
    system = build.container("system", 0, 1 << 64)
    for n in range(count):
        build.region(names[0], 0, count * 4096, into=system, priority=-1)
        build.region(names[1], n * 4096, 4096, into=system, type="ram")
    build.space("memory", system)
    return build.snapshot()


def behind_ram(count: int) -> Snapshot:
    """Return devices behind memory."""
    return behind(("device", "ram"), count)


def behind_vram(count: int) -> Snapshot:
    """Return display windows behind a display's memory."""
    return behind(("vga-lowmem", "vga.vram"), count)


def behind_shadow(count: int) -> Snapshot:
    """Return ROMs behind shadow RAM."""
    build = Builder()
    system = build.container("system", 0, 1 << 64)
    for n in range(count):
        build.region("rom", 0, count * 4096, into=system, type="rom", priority=-1)
        build.region("pam-ram", n * 4096, 4096, into=system, type="ram")
    build.space("memory", system)
    return build.snapshot()


def shown_twice(count: int) -> Snapshot:
    """Return a map of so many aliases that all show the same."""
    build = Builder()
    system = build.container("system", 0, 1 << 64)
    ram = build.region("ram", 0, 1 << 40, type="ram")
    for n in range(count):
        build.alias(f"a{n}", n * 4096, count * 4096, ram, n * 4096, into=system)
    build.space("memory", system)
    return build.snapshot()


class CountedNumber(int):
    """A number whose comparisons are calls."""

    def __eq__(self, other: object) -> bool:
        return int(self) == other

    __hash__ = int.__hash__


def each_shown(count: int) -> Snapshot:
    """Return a map of so many aliases of as many regions."""
    build = Builder()
    system = build.container("system", 0, 1 << 64)
    for n in range(count):
        build.alias(f"a{n}", n * 4096, 4096, build.region(f"r{n}", 0, 4096), into=system)
    build.space("memory", system)
    found = build.snapshot()
    counted = (msgspec.structs.replace(each, id=CountedNumber(each.id)) for each in found.regions)
    return replace(found, regions=tuple(counted))


def calls(run: Callable[[Any], object], about: object) -> int:
    """Return how many functions are called."""
    count = 0

    def count_call(*_: object) -> None:
        nonlocal count
        count += 1

    sys.setprofile(count_call)
    try:
        run(about)
    finally:
        sys.setprofile(None)
    return count


@pytest.mark.parametrize("run", [lint, find_sections])
@pytest.mark.parametrize(
    "make",
    [devices, spaces, piled, behind_ram, behind_vram, behind_shadow],
)
def test_ten_times_the_map_is_some_ten_times_the_work(run, make):
    assert calls(run, make(300)) < 16 * calls(run, make(30))


def test_so_it_is_where_the_views_tell_which_of_many_overlapping_regions_is_the_newer():
    def read(text: str) -> Snapshot:
        return snapshot_of_pasted(text, source="text")

    assert calls(read, overlapping(400)) < 16 * calls(read, overlapping(40))
    found = lint(read(overlapping(40)))
    assert "dev1000 and dev0 overlap" in found[0].message, "and it is told rightly"


@pytest.mark.parametrize("run", [lint, find_sections, tree_blocks])
def test_so_it_is_where_all_aliases_show_the_same(run):
    assert calls(run, shown_twice(1000)) < 16 * calls(run, shown_twice(100))


def test_so_it_is_for_the_trees_where_each_alias_shows_another():
    assert calls(tree_blocks, each_shown(1000)) < 16 * calls(tree_blocks, each_shown(100))


def test_so_it_is_to_read_more_that_lie_over_each_other_than_are_compared():
    def text(count: int) -> str:
        rows = [f"    {n:016x}-{n + 9999:016x} (prio 0, i/o): dev{n}" for n in range(count)]
        whole = f"  {0:016x}-{(1 << 64) - 1:016x} (prio 0, i/o): system"
        return "\n".join(["address-space: memory", whole, *rows, ""])

    def read(text: str) -> Snapshot:
        return snapshot_of_pasted(text, source="text")

    assert calls(read, text(1600)) < 3 * calls(read, text(800)), "each with each were four times"
    assert read(text(700)).regions[0].children == tuple(range(1, 701)), "as they are printed"


def test_many_that_lie_over_each_other_are_one_finding() -> None:
    (found,) = lint(piled(100))
    assert found.message == (
        "dev1 and dev0 overlap in system with priority 0 each: dev1 answers because it was added"
        " later; so it is with 4949 more pairs of the 100 regions here, such as dev2 and dev0, dev2"
        " and dev1"
    )
    assert (found.start, found.end) == (1, 298), "the last address is dev99's alone"
    assert [each.name for each in found.regions] == ["dev0", "dev1", "system"]
    assert len(lint(piled(6))) == 15, "a few are told one by one"
    assert lint(shown_twice(50)) == ()


def test_many_ranges_of_memory_before_a_device_are_one_finding() -> None:
    found = [each for each in lint(behind_ram(20)) if each.code == "ram-over-device"]
    assert len(found) == 20, "one for each device"
    assert found[0].message == "20 ranges of memory hide device, such as ram (ram)"
    assert (found[0].start, found[0].end) == (0, 20 * 4096)
    assert len([each for each in lint(behind_ram(16)) if each.code == "ram-over-device"]) == 256
    (hidden, *_) = [each for each in lint(behind_ram(20)) if each.code == "hidden-region"]
    assert hidden.message.endswith("here it is behind ram and those of 4 ranges more")
    assert {each.code for each in lint(behind_vram(20))} == {"display-linear", "equal-priority"}
    assert {each.code for each in lint(behind_shadow(20))} == {"pam-shadowed", "equal-priority"}
