"""A survey of a running QEMU before memory is plugged into it, beside that of an older commit."""

from __future__ import annotations

import tempfile
from pathlib import Path

from benchmarks import older
from benchmarks.hotplug import machine, theirs
from benchmarks.qemu import PROGRAM
from benchmarks.table import Row

_ROUNDS = 6
_PROGRAM = """
import sys, time
from guestmap.domain import open_peer, survey
times = []
with open_peer(sys.argv[1]) as peer:
    for _ in range(32):
        start = time.perf_counter()
        survey(peer)
        times.append(time.perf_counter() - start)
print(min(times[2:]))
"""


def rows() -> list[Row]:
    """Return the row: both take turns on one QEMU, so that a busy host is busy for both."""
    if PROGRAM is None:
        return []
    with tempfile.TemporaryDirectory() as folder, older.sources() as before:
        path = f"{folder}/qmp"
        with machine(theirs(path), path) as client:
            client.close()
            turns = [(_seconds(older.ROOT / "src", path), _seconds(before, path))
                     for _ in range(_ROUNDS)]  # fmt: skip
    ours = min(now for now, _ in turns)
    old = [then for _, then in turns if then is not None]
    return [Row(f"plug survey, against commit {older.COMMIT}", ours, min(old, default=None))]


def _seconds(sources: Path | None, path: str) -> float | None:
    return None if sources is None else older.seconds(_PROGRAM, sources, f"unix:{path}")
