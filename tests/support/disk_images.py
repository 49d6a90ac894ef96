"""Disk images as QEMU makes them, with the ``qemu-img`` of Debian's qemu-utils."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

from tests.support.needs import skip_without

if TYPE_CHECKING:
    from pathlib import Path


def make_qcow2(path: Path, size: str, *words: str) -> Path:
    """Make a qcow2 image; skip the test where there is no ``qemu-img``.

    Args:
        path: where it is to stand.
        size: as ``qemu-img create`` takes it, such as ``3M``; empty: that of the image below.
        words: options before the path.

    ``GUESTMAP_REQUIRE=qemu`` turns the skip into a failure.
    """
    if shutil.which("qemu-img") is None:
        skip_without("qemu", "needs qemu-img: apt install qemu-utils")
    sized = [size] if size else []
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", *words, path, *sized], check=True)
    return path
