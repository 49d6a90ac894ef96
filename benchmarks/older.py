"""An older commit of guestmap, run beside this one: its sources in a folder of their own."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[1]
COMMIT = "64008e3"
UNPACKED = ROOT / ".older"
"""Where its tree is by itself, in a guest that has no history."""


@contextmanager
def tree(*paths: str, commit: str = COMMIT) -> Iterator[Path | None]:
    """Yield a folder with parts of an older commit's tree; None where the history lacks it."""
    if UNPACKED.exists():
        yield UNPACKED
        return
    command = ["git", "-C", str(ROOT), "archive", commit, *paths]
    done = subprocess.run(command, capture_output=True, check=False)
    if done.returncode:
        yield None
        return
    with tempfile.TemporaryDirectory() as folder:
        with tarfile.open(fileobj=io.BytesIO(done.stdout)) as archive:
            archive.extractall(folder, filter="data")
        yield Path(folder)


@contextmanager
def sources(commit: str = COMMIT) -> Iterator[Path | None]:
    """Yield the folder of an older commit's sources; None where the history lacks it."""
    with tree("src", commit=commit) as found:
        yield None if found is None else found / "src"


def seconds(program: str, sources: Path, *args: str) -> float:
    """Return the seconds that a program prints, which it measured with those sources."""
    paths = str(sources), os.environ.get("PYTHONPATH")
    done = subprocess.run(
        [sys.executable, "-c", program, *args],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, paths))},
        capture_output=True,
        text=True,
        check=True,
    )
    return float(done.stdout)
