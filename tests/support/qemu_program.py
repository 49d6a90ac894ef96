"""Which QEMU the tests and the benchmarks ask: the choice is made here and nowhere else.

``GUESTMAP_QEMU_ROOT=DIR`` names a root that ``tools/qemu_root.sh`` made: its programs, of whatever
version, are ``DIR/starters/qemu-system-ARCH``. Else it is ``GUESTMAP_QEMU``, or
``qemu-system-x86_64`` in PATH, or what ``tools/qemu72.sh`` unpacked, whichever is 7.2: that is what
our machine is held to.
"""

from __future__ import annotations

import functools
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import NamedTuple

MODELLED = (7, 2)
"""The version that our own machine is like."""


UNPACKED = Path(__file__).parents[2] / ".oracle" / "qemu-7.2" / "starters"


class Program(NamedTuple):
    """A QEMU: its path, and the major and minor number of its version."""

    path: str
    version: tuple[int, int]


def find_qemu(arch: str = "x86_64") -> Program | None:
    """Return the QEMU to ask, or None where there is none."""
    root = os.environ.get("GUESTMAP_QEMU_ROOT")
    if root:
        return _program(str(Path(root) / "starters" / f"qemu-system-{arch}"))
    named = os.environ.get("GUESTMAP_QEMU") if arch == "x86_64" else None
    program = f"qemu-system-{arch}"
    found = (_program(name) for name in (named or program, str(UNPACKED / program)))
    return next((each for each in found if each and each.version == MODELLED), None)


def is_unpacked() -> bool:
    """Tell whether the QEMU to ask is one that ``tools/qemu_root.sh`` unpacked."""
    found = find_qemu()
    return found is not None and Path(found.path).parent.name == UNPACKED.name


def missing_qemu() -> str:
    """Say why there is no QEMU to ask; "" where there is one."""
    if find_qemu() is not None:
        return ""
    root = os.environ.get("GUESTMAP_QEMU_ROOT")
    if root:
        return f"needs a QEMU in {root}/starters (tools/qemu_root.sh makes such a folder)"
    return "needs qemu-system-x86_64 7.2 (package qemu-system-x86)"


@functools.cache
def _program(name: str) -> Program | None:
    path = shutil.which(name)
    if path is None:
        return None
    banner = subprocess.run([path, "--version"], capture_output=True, text=True, check=False)
    version = re.search(r"version (\d+)\.(\d+)", banner.stdout)
    return None if version is None else Program(path, (int(version[1]), int(version[2])))
