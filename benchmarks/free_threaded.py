"""Reading RAM on a CPython without its global lock (``tools/free_threaded.sh``), beside the usual.

The peer of a row is what the usual one needs, made longer by what a plain attribute loses between
the two; for two threads it is one thread alone.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from benchmarks.table import Row

ROOT = Path(__file__).parents[1]
BUILT = ROOT / ".oracle" / "free-threaded"


def rows() -> list[Row]:
    """Return what is measured where that CPython has been built (``make test-free-threaded``)."""
    program = BUILT / "bin" / "python3.13t"
    if not program.exists():
        return []
    usual = _measured([sys.executable])
    free = _measured([str(program), "-X", "gil=0"], BUILT / "packages")
    loses = free["attribute"][0] / usual["attribute"][0]
    made = []
    for name in ("load", "read"):
        one, each_of_two = free[name]
        note = f"an attribute loses {loses:.2f} times; aim: 1.3"
        made.append(Row(f"{name} without a lock", one, usual[name][0] * loses, note))
        made.append(Row(f"{name}, each of two threads", each_of_two, one, "aim: 1.11 (1.8 times)"))
    return made


def _measured(command: list[str], *packages: Path) -> dict[str, list[float]]:
    path = os.pathsep.join(map(str, (ROOT / "src", ROOT, *packages)))
    done = subprocess.run(
        [*command, "-m", "benchmarks.free_threaded_work"],
        env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    found: dict[str, list[float]] = json.loads(done.stdout)
    return found
