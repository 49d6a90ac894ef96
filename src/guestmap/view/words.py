"""Addresses, sizes and spaces in the words that the pictures use."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from guestmap.base import ADDRESS_SPACE_SIZE, format_size
from guestmap.inspect.ask.words import owner_words

if TYPE_CHECKING:
    from collections.abc import Sequence


def hex_address(address: int) -> str:
    """Return an address with its digits in groups of four: ``0xfec0_0000``."""
    if address == ADDRESS_SPACE_SIZE:
        return "2⁶⁴"
    return f"{address:#_x}"


def range_words(start: int, end: int) -> str:
    """Return the first and last address of ``start <= a < end``, and how many bytes that is."""
    if end - start == 1:
        return f"{hex_address(start)} (1 byte)"
    return f"{hex_address(start)} – {hex_address(end - 1)} ({format_size(end - start)})"


def spaces_words(names: Sequence[str]) -> str:
    """Return some names of address spaces, shortened where there are many.

    ``cpu-memory-0``, ``cpu-memory-1`` and so on are counted.
    """
    counted: dict[str, int] = {}
    for name in names:
        stem = re.sub(r"-\d+$", "-*", name)
        counted[stem] = counted.get(stem, 0) + 1
    firsts = {re.sub(r"-\d+$", "-*", name): name for name in reversed(names)}
    words = [firsts[s] if n == 1 else f"{s} ({n}×)" for s, n in counted.items()]
    if len(words) > 3:
        words = [*words[:2], f"{len(words) - 2} more"]
    return ", ".join(words)


def whose(owner: str | None) -> str:
    """Say whose a region is; "" where it is nobody's (QEMU says ``orphan``) or not known."""
    if owner is None or not owner.startswith("owner:"):
        return ""
    return f"belongs to {owner_words(owner)}"
