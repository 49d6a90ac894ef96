"""What lint and the drawing do grows as the map does: counted in calls, not in seconds."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from guestmap.inspect import Snapshot
from guestmap.inspect.ask.lint import lint
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


def calls(run: Callable[[Snapshot], object], snapshot: Snapshot) -> int:
    """Return how many functions are called."""
    count = 0

    def count_call(*_: object) -> None:
        nonlocal count
        count += 1

    sys.setprofile(count_call)
    try:
        run(snapshot)
    finally:
        sys.setprofile(None)
    return count


@pytest.mark.parametrize("run", [lint, find_sections])
@pytest.mark.parametrize("make", [devices, spaces])
def test_ten_times_the_map_is_some_ten_times_the_work(run, make):
    assert calls(run, make(300)) < 16 * calls(run, make(30))
