"""What it costs to read a large map: counted, not timed."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from guestmap.inspect.text.pasted import read_pasted

if TYPE_CHECKING:
    from collections.abc import Callable


def calls_of(action: Callable[[], object]) -> int:
    """Count the calls of Python functions, and what generators yield."""
    count = 0

    def see(_frame: object, event: str, _value: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    sys.setprofile(see)
    try:
        action()
    finally:
        sys.setprofile(None)
    return count


def devices(number: int, width: int) -> str:
    """Return a tree of devices whose names are of one width, or as wide as it comes."""
    lines = [
        "address-space: memory",
        "  0000000000000000-ffffffffffffffff (prio 0, i/o): system",
        *(f"    {at << 12:016x}-{(at << 12) + 0xFFF:016x} (prio 0, i/o): device{at:0{width}}"
          for at in range(number)),
    ]  # fmt: skip
    return "\n".join([*lines, ""])


@pytest.mark.parametrize("width", [0, 6])
def test_a_line_costs_the_same_in_a_large_map(width: int) -> None:
    small, large = (
        calls_of(lambda number=number: read_pasted(devices(number, width)))
        for number in (200, 2000)
    )
    assert large < 11 * small
