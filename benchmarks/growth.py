"""What each analysis costs as the map grows, beside an older commit: processor time.

It grows by regions, by address spaces, and by regions in one another. The exponent is that of the
best straight line through the logarithms of the three largest sizes, each ten times the one before:
1.0 is ten times the work for ten times the map.
"""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from statistics import linear_regression, median
from typing import NamedTuple

from benchmarks import older
from benchmarks.shapes import deep_json, spaces_text
from benchmarks.table import Row
from benchmarks.text import SIZES, tree_text

_TURNS = 15
"""Turns of both at one size; the median counts."""


class _Way(NamedTuple):
    """A way to grow.

    Attributes:
        what: there is more of.
        made: the map of a size.
        sizes: in order.
        compared: the size at which the older commit is asked too.
    """

    what: str
    made: Callable[[int], str]
    sizes: tuple[int, ...]
    compared: int


WAYS = (
    _Way("regions", tree_text, SIZES, 10_000),  # ten times that, and its lint would not end
    _Way("address spaces", spaces_text, (10, 100, 1_000), 100),
    _Way("levels", deep_json, (10, 100, 1_000, 10_000, 100_000), 1_000),  # it gives up at 10,000
)

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
    from guestmap.cli.json_pieces import json_pieces
    read_text = lambda text: assemble(read_pasted(text).text)
    load = Snapshot.from_text
    saved_text = lambda snapshot: "".join(json_pieces(snapshot))
except ImportError:  # the older commit, which reads no text but QEMU's own
    from guestmap.inspect.diff import diff
    from guestmap.inspect.explain import explain
    from guestmap.inspect.lint import lint
    from guestmap.inspect.mtree import assemble, read_mtree
    from guestmap.inspect.rebuild import rebuild
    from guestmap.inspect.views import flat
    read_text = lambda text: assemble(read_mtree(text))
    load = lambda text: Snapshot.from_json(json.loads(text))
    saved_text = lambda snapshot: json.dumps(snapshot.to_json())
gc.disable()  # as the program has it while it reads
text, times = sys.stdin.read(), {}
regions = text.count("device")
def timed(name, action):
    runs = min(10, max(3, 10_000 // regions))  # the first has the memory to fetch, too
    for _ in range(runs):
        start = time.process_time()
        value = action()
        took = time.process_time() - start
        times[name] = min(took, times.get(name, took))
        gc.collect()
    return value
if text.startswith("{"):
    snapshot, other = load(text), load(text.replace('"device1"', '"another"'))
else:
    read = timed("read", lambda: read_text(text))
    snapshot = timed("rebuild", lambda: rebuild(read))
    other = rebuild(read_text(text.replace("device1\\n", "another\\n")))
timed("render", lambda: flat(snapshot, snapshot.address_spaces[0].root))
timed("explain", lambda: explain(snapshot, 0x1000 * (regions // 2)))
timed("lint", lambda: lint(snapshot))
timed("diff", lambda: diff(snapshot, other))
saved = timed("save as JSON", lambda: saved_text(snapshot))
timed("load from JSON", lambda: load(saved))
picture = timed("layout of draw", lambda: compose(snapshot))
timed("page of draw", lambda: html_page(picture))
print(json.dumps(times))
"""


def rows(ways: tuple[_Way, ...] = WAYS, turns: int = _TURNS) -> list[Row]:
    """Return a row for each analysis and way to grow: at one size, and how it goes on."""
    with older.sources() as then:
        trees = [older.ROOT / "src"] if then is None else [older.ROOT / "src", then]
        return [row for way in ways for row in _rows(way, trees, turns)]


def _rows(way: _Way, trees: list[Path], turns: int) -> list[Row]:
    ours = {size: _times(trees[0], way.made(size)) for size in way.sizes}
    text = way.made(way.compared)
    each_turn = [[_times(sources, text) for sources in trees] for _ in range(turns)]
    sides = [{step: median(each[step] for each in side) for step in side[0]}
             for side in zip(*each_turn, strict=True)]  # fmt: skip
    now, before = sides[0], sides[1] if len(sides) > 1 else {}
    last = way.sizes[-1]
    return [
        Row(
            f"{step}, {way.compared:,} {way.what}",
            now[step],
            before.get(step),
            f"exponent {_exponent({size: ours[size][step] for size in way.sizes[-3:]}):.2f} up to"
            f" {last:,} ({ours[last][step]:.2g} s); aim: 1.15",
        )
        for step in ours[last]
    ]


def _times(sources: Path, text: str) -> dict[str, float]:
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM],
        input=text,
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
