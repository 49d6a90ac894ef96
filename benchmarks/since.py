"""Rows that an older commit's own benchmarks have too: both run theirs, in turns, in this run.

Each takes its own program, from its own tree, and the rows are matched by what they are called.
What is measured beside QEMU elsewhere is measured alone here.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

from benchmarks import older
from benchmarks.qemu import PROGRAM
from benchmarks.table import Row

_PROGRAM = """
import json, sys
import benchmarks.qemu
if sys.argv[3] == "alone":
    benchmarks.qemu.PROGRAM = None
module = __import__("benchmarks." + sys.argv[1], fromlist=["rows"])
rows = getattr(module, sys.argv[2])()
print(json.dumps({row[0]: row[1] for row in rows}))
"""


class _Group(NamedTuple):
    """Rows that one function returns.

    Attributes:
        module, function: where they are measured.
        turns: how often each commit measures them; the median counts.
        alone: whether QEMU is kept out of it.
    """

    module: str
    function: str = "rows"
    turns: int = 15
    alone: bool = True


GROUPS = (
    _Group("access"),
    _Group("access", "device_rows"),
    _Group("access", "bulk_rows", turns=5),
    _Group("rcu", turns=5),
    _Group("footprint", turns=1),
    _Group("model", "pam_rows"),
    _Group("bar_move", turns=3),
    _Group("build", turns=3),
    _Group("eyes", turns=5, alone=False),
    _Group("hotplug", turns=5),
    _Group("attach", turns=3, alone=False),
)
"""What both have. A whole boot, the paths of the memory model, rendering, a question about a map in
a file and a survey have the older commit beside them where they are measured; everything else was
not there yet."""


def rows(groups: tuple[_Group, ...] = GROUPS) -> list[Row]:
    """Return the rows that both have; seconds, but for bytes held."""
    with older.tree("src", "benchmarks", "tests/__init__.py", "tests/support") as then:
        return [] if then is None else [row for each in groups for row in _rows(each, then)]


def _rows(group: _Group, then: Path) -> list[Row]:
    if not group.alone and PROGRAM is None:
        return []
    turns = [(_measure(group, older.ROOT), _measure(group, then)) for _ in range(group.turns)]
    now, before = (
        {what: statistics.median(one[what] for one in side) for what in side[0]}
        for side in zip(*turns, strict=True)
    )
    note = f"median of {group.turns}; aim: 1.15"
    return [Row(what, now[what], before[what], note) for what in now if what in before]


def _measure(group: _Group, tree: Path) -> dict[str, float]:
    path = os.environ["PATH"]
    if PROGRAM is not None:  # the older commit looks for QEMU there alone
        path = f"{Path(PROGRAM).parent}:{path}"
    words = [group.module, group.function, "alone" if group.alone else "beside QEMU"]
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM, *words],
        cwd=tree,
        env=os.environ | {"PYTHONPATH": str(tree / "src"), "PATH": path},
        capture_output=True,
        text=True,
        check=True,
    )
    times: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return times
