"""Sizes as QEMU shows them to people."""

from __future__ import annotations

import math

_UNITS = ("", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei")


def size_text(size: int) -> str:
    """Return a size in bytes with three digits and a binary unit: ``4 KiB``, ``0.977 KiB``."""
    power = (math.frexp(size / (1000 / 1024))[1] - 1) // 10 if size else 0
    return f"{size / (1 << power * 10):.3g} {_UNITS[power]}B"
