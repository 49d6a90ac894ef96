"""An older commit of guestmap, run beside this one: its sources in a git worktree of their own."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[1]
COMMIT = "64008e3"


@contextmanager
def sources(commit: str = COMMIT) -> Iterator[Path | None]:
    """Yield the folder of an older commit's sources; None where the history lacks it."""
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder) / "tree"
        made = _git("worktree", "add", "--detach", str(tree), commit)
        try:
            yield tree / "src" if made else None
        finally:
            if made:
                _git("worktree", "remove", "--force", str(tree))


def seconds(program: str, sources: Path, *args: str) -> float:
    """Return the seconds that a program prints, which it measured with those sources."""
    done = subprocess.run(
        [sys.executable, "-c", program, *args],
        env=os.environ | {"PYTHONPATH": str(sources)},
        capture_output=True,
        text=True,
        check=True,
    )
    return float(done.stdout)


def _git(*words: str) -> bool:
    command = ["git", "-C", str(ROOT), *words]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0
