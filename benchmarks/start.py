"""What starting the program costs, beside starting Python itself: processor time, not wall time."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks import older, spent
from benchmarks.table import Row
from guestmap.inspect import Snapshot
from guestmap.inspect.text.mtree import write_mtree
from guestmap.machine import MachineConfig, make_board

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


def older_rows() -> list[Row]:
    """Return a question about a map in a file, beside an older commit's answer to it."""
    with older.sources() as sources, tempfile.TemporaryDirectory() as folder:
        if sources is None:
            return []
        board = make_board(MachineConfig())
        file = Path(folder) / "map.txt"
        file.write_text(write_mtree(Snapshot.of(board.system, source="reset")))
        board.close()
        both = older.ROOT / "src", sources
        words: list[str | Path] = [sys.executable, "-m", "guestmap", "explain", file, "0xc9000"]
        times = [
            [_cpu(words, env=_environment(each, folder)) for each in both] for _ in range(RUNS + 1)
        ][1:]  # the first one writes byte code
    own, peer = (min(each) for each in zip(*times, strict=True))
    return [Row("guestmap explain FILE", own, peer)]


def _environment(sources: Path, folder: str) -> dict[str, str]:
    """Return an environment in which these sources run, compiled once, as installed ones are."""
    kept = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    return kept | {"PYTHONPATH": str(sources), "PYTHONPYCACHEPREFIX": folder}


def _cpu(command: list[str | Path] | list[str], **options: Any) -> float:
    return spent.of_children(
        lambda: subprocess.run(command, stdout=subprocess.DEVNULL, check=True, **options)
    )
