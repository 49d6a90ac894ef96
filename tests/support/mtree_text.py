"""``info mtree`` texts to compare: block order is QEMU's hash order and means nothing."""

from __future__ import annotations

import re
from collections import Counter


def blocks(text: str) -> Counter[str]:
    """Return a text's blocks without their order and without the views' numbers."""
    plain = re.sub(r"^FlatView #\d+$", "FlatView", text.replace("\r\n", "\n"), flags=re.MULTILINE)
    return Counter(block.strip("\n") for block in plain.split("\n\n") if block.strip())


def blocks_any_space_order(text: str) -> Counter[str]:
    """Like :func:`blocks`, for views whose address spaces stand in any order."""
    ordered: Counter[str] = Counter()
    for block, count in blocks(text).items():
        lines = block.split("\n")
        spaces = sorted(line for line in lines if line.startswith(" AS "))
        rest = [line for line in lines if not line.startswith(" AS ")]
        ordered["\n".join(spaces + rest)] += count
    return ordered
