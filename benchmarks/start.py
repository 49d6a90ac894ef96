"""What starting the program costs, beside starting Python itself: processor time, not wall time."""

from __future__ import annotations

import resource
import subprocess
import sys
from pathlib import Path

from benchmarks.table import Row

RUNS = 15


def rows() -> list[Row]:
    """Return the least processor time of 15 starts of each, in turns."""
    program = Path(sys.executable).with_name("guestmap")
    version, nothing = [program, "--version"], [sys.executable, "-c", "pass"]
    overview = [program, "--help"]
    pairs = [(_cpu(version), _cpu(overview), _cpu(nothing)) for _ in range(RUNS)]
    peer = min(pair[2] for pair in pairs)
    return [
        Row("guestmap --version", min(pair[0] for pair in pairs), peer),
        Row("guestmap --help", min(pair[1] for pair in pairs), peer),
    ]


def _cpu(command: list[str | Path] | list[str]) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
