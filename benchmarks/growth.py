"""What each analysis costs as the map grows, beside an older commit: processor time.

The exponent is that of the best straight line through the logarithms of 1,000, 10,000 and 100,000
regions: 1.0 is ten times the work for ten times the map.
"""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from pathlib import Path
from statistics import linear_regression, median

from benchmarks import older
from benchmarks.table import Row
from benchmarks.text import SIZES, tree_text

_COMPARED = 10_000
"""The size at which the older commit is asked too: its lint would not end at ten times that."""

_TURNS = 15
"""Turns of both at that size; the median counts."""

_PROGRAM = """
import gc, json, sys, time
from guestmap.inspect import Snapshot
from guestmap.view import compose
from guestmap.view.page import html_page
try:
    from guestmap.inspect.ask.diff import diff
    from guestmap.inspect.ask.explain import explain
    from guestmap.inspect.ask.lint import lint
    from guestmap.inspect.map.views import flat
    from guestmap.inspect.text.mtree import assemble
    from guestmap.inspect.text.pasted import read_pasted
    from guestmap.inspect.text.rebuild import rebuild
    read_text = lambda text: assemble(read_pasted(text).text)
except ImportError:  # the older commit, which reads no text but QEMU's own
    from guestmap.inspect.diff import diff
    from guestmap.inspect.explain import explain
    from guestmap.inspect.lint import lint
    from guestmap.inspect.mtree import assemble, read_mtree
    from guestmap.inspect.rebuild import rebuild
    from guestmap.inspect.views import flat
    read_text = lambda text: assemble(read_mtree(text))
gc.disable()  # as the program has it while it reads
text, times = sys.stdin.read(), {}
regions = text.count("device")
def timed(name, action):
    runs = max(1, 10_000 // regions)
    for _ in range(runs):
        start = time.process_time()
        value = action()
        took = time.process_time() - start
        times[name] = min(took, times.get(name, took))
        gc.collect()
    return value
read = timed("read", lambda: read_text(text))
snapshot = timed("rebuild", lambda: rebuild(read))
other = rebuild(read_text(text.replace("device1\\n", "another\\n")))
timed("render", lambda: flat(snapshot, snapshot.address_spaces[0].root))
timed("explain", lambda: explain(snapshot, 0x1000 * (regions // 2)))
timed("lint", lambda: lint(snapshot))
timed("diff", lambda: diff(snapshot, other))
saved = timed("save as JSON", lambda: json.dumps(snapshot.to_json()))
timed("load from JSON", lambda: Snapshot.from_json(json.loads(saved)))
picture = timed("layout of draw", lambda: compose(snapshot))
timed("page of draw", lambda: html_page(picture))
print(json.dumps(times))
"""


def rows() -> list[Row]:
    """Return a row for each analysis: 10,000 regions, and how it goes on to 100,000."""
    ours = {size: _times(older.ROOT / "src", size) for size in SIZES}
    with older.sources() as then:
        trees = [older.ROOT / "src"] if then is None else [older.ROOT / "src", then]
        turns = [[_times(sources, _COMPARED) for sources in trees] for _ in range(_TURNS)]
    sides = [{step: median(each[step] for each in side) for step in side[0]}
             for side in zip(*turns, strict=True)]  # fmt: skip
    now, before = sides[0], sides[1] if len(sides) > 1 else {}
    return [
        Row(
            f"{step}, {_COMPARED:,} regions",
            now[step],
            before.get(step),
            f"exponent {_exponent({size: each[step] for size, each in ours.items()}):.2f} up to"
            f" {SIZES[-1]:,} ({ours[SIZES[-1]][step]:.2g} s); aim: 1.15",
        )
        for step in ours[_COMPARED]
    ]


def _times(sources: Path, regions: int) -> dict[str, float]:
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM],
        input=tree_text(regions),
        env=os.environ | {"PYTHONPATH": str(sources)},
        capture_output=True,
        text=True,
        check=True,
    )
    times: dict[str, float] = json.loads(done.stdout)
    return times


def _exponent(seconds: dict[int, float]) -> float:
    sizes, times = [math.log(size) for size in seconds], [math.log(s) for s in seconds.values()]
    return linear_regression(sizes, times).slope
