"""Which bytes of a VGA's memory a dot of the screen comes from, and which of them are on it."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from guestmap.hw.vga import registers as reg
from guestmap.hw.vga.graphics import are_bytes, dot_bytes, dots_of, line_places
from guestmap.hw.vga.text import text_size

if TYPE_CHECKING:
    from guestmap.hw.vga.state import VgaState

_OF_A_VGA = 256 << 10
"""Bytes that there are for modes that are not a frame buffer."""
_CELL, _CHARACTER = 4, 2


class DotBytes(NamedTuple):
    """Where a dot comes from.

    Attributes:
        offset: in the adapter's memory, bytes.
        size: bytes: of the dot, of a cell of planes with seven dots beside it, or of a character
            and its attribute.
        is_text: it is the latter.
    """

    offset: int
    size: int
    is_text: bool


def dot_at(state: VgaState, memory_size: int, x: int, y: int) -> DotBytes | None:
    """Return where a dot comes from; None where there is no such dot.

    Args:
        state: the registers.
        memory_size: bytes of the VGA's memory.
        x: dots from the left edge.
        y: dots from the upper edge.
    """
    if not state.graphics[reg.GFX_MISC] & reg.MISC_GRAPHICS:
        columns, rows, across, down = text_size(state)
        (row, column), is_there = (y // down, x // across), x >= 0 and y >= 0
        if not is_there or row >= rows or column >= columns:
            return None
        at = _CELL * (state.first_cell + column) + row * state.pitch
        return DotBytes(at, _CHARACTER, True) if at + _CHARACTER <= memory_size else None
    width, height = dots_of(state)
    if not (0 <= x < width and 0 <= y < height):
        return None
    is_linear = state.is_linear(memory_size, width, height)
    line = next(islice(line_places(state, height, is_linear=is_linear), y, None))
    offset, size = dot_bytes(state, x)
    return DotBytes((line + offset) % memory_size, size, False)


def shown_bytes(state: VgaState, memory_size: int) -> tuple[int, int]:
    """Return a part of the memory in which all is that is on the screen: offset and bytes."""
    width, height = dots_of(state)
    if not state.is_linear(memory_size, width, height):
        return 0, memory_size if state.depth else min(_OF_A_VGA, memory_size)
    first, size = 4 * state.first_cell, state.pitch * height
    return (first, size) if first + size <= memory_size else (0, memory_size)


def is_stored_straight(state: VgaState) -> bool:
    """Tell whether dots are bytes that CPUs store without asking, as in a frame buffer."""
    return bool(state.graphics[reg.GFX_MISC] & reg.MISC_GRAPHICS) and are_bytes(state)
