"""What lint and the drawing do grows as the map does: counted in calls, not in seconds."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import pytest

from guestmap.inspect import Snapshot
from guestmap.inspect.ask.lint import lint
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
@pytest.mark.parametrize("make", [devices, spaces])
def test_ten_times_the_map_is_some_ten_times_the_work(run, make):
    assert calls(run, make(300)) < 16 * calls(run, make(30))


def test_so_it_is_where_the_views_tell_which_of_many_overlapping_regions_is_the_newer():
    def read(text: str) -> Snapshot:
        return snapshot_of_pasted(text, source="text")

    assert calls(read, overlapping(400)) < 16 * calls(read, overlapping(40))
    found = lint(read(overlapping(40)))
    assert "dev1000 and dev0 overlap" in found[0].message, "and it is told rightly"
