"""The cursor that a CL-GD5446 draws over its picture: 32 or 64 dots square, from its memory's end.

Two planes make four kinds of dots: nothing, what is below turned, and two colours of their own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from guestmap.hw.vga.cirrus import registers as reg
from guestmap.hw.vga.palette import six_bits
from guestmap.hw.vga.screen import ScreenPicture

if TYPE_CHECKING:
    from guestmap.hw.vga.cirrus.state import CirrusState

_PATTERNS_AT = reg.MEMORY_SIZE - (16 << 10)
_PATTERN_SIZE = 256
_TURNED, _FIRST, _SECOND = 1, 2, 3


def with_cursor(state: CirrusState, memory: memoryview, picture: ScreenPicture) -> ScreenPicture:
    """Return a picture of graphics with the cursor over it, where that is shown."""
    control, place = state.sequencer[reg.SEQ_CURSOR], state.sequencer[reg.SEQ_CURSOR_PLACE]
    if not control & reg.CURSOR_SHOWN or state.cursor_x >= picture.width:
        return picture
    is_large = bool(control & reg.CURSOR_LARGE)
    size = 64 if is_large else 32
    at = _PATTERNS_AT + (place & (0x3C if is_large else 0x3F)) * _PATTERN_SIZE
    step, other = (16, 8) if is_large else (4, 128)
    colours = {
        _FIRST: six_bits(state.cursor_palette[:3]), _SECOND: six_bits(state.cursor_palette[45:]),
    }  # fmt: skip
    rgb = bytearray(picture.rgb)
    width = min(size, picture.width - state.cursor_x)
    for row in range(min(size, picture.height - state.cursor_y)):
        planes = (_row(memory, at + row * step + plane, size) for plane in (0, other))
        for dot, (low, high) in enumerate(zip(*planes, strict=True)):
            kind = low | high << 1
            if dot < width and kind:
                first = 3 * ((state.cursor_y + row) * picture.width + state.cursor_x + dot)
                below = bytes(rgb[first : first + 3])
                turned = bytes(each ^ 0xFF for each in below)
                rgb[first : first + 3] = turned if kind == _TURNED else colours[kind]
    return ScreenPicture(picture.width, picture.height, bytes(rgb))


def _row(memory: memoryview, at: int, size: int) -> list[int]:
    return [memory[at + dot // 8] >> (7 - dot % 8) & 1 for dot in range(size)]
