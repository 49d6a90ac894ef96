"""Three releases of QEMU, one after the other, for the findings; nothing has to be installed."""

from __future__ import annotations

import re
import subprocess
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PINNED = {"bookworm": "7.2", "trixie": "10.0", "forky": "11.1"}
"""The versions, by the names of the folders that ``tools/three_qemus.sh`` makes."""


def each(folder: Path) -> Iterator[tuple[str, Path]]:
    """Give the program of each release with the folder that it is in, and print its version."""
    for suite, pinned in PINNED.items():
        program = str(folder / suite / "starters" / "qemu-system-x86_64")
        done = subprocess.run([program, "--version"], capture_output=True, text=True, check=True)
        said = re.search(r"version (\d+\.\d+)", done.stdout)
        assert said is not None, f"{program} tells no version: {done.stdout}"
        assert said[1] == pinned, f"{program} is {said[1]}, not {pinned}: look again"
        print("QEMU", pinned)
        yield program, folder / suite
