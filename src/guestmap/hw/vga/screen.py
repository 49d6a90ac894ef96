"""What a VGA shows: its registers and its memory as a picture.

The ways are QEMU's, dot for dot: 9 dots of a character where the clock says so, mode 13h with each
dot twice in both directions, all of a picture black while the palette is hidden. Nothing blinks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from guestmap.hw.vga import registers as reg
from guestmap.hw.vga.graphics import dots_of, draw_graphics
from guestmap.hw.vga.text import draw_text, text_size

if TYPE_CHECKING:
    from guestmap.hw.vga.state import VgaState


class ScreenPicture(NamedTuple):
    """A picture.

    Attributes:
        width: dots, across.
        height: dots, down.
        rgb: red, green and blue of each, 8 bits each, from the upper left corner.
    """

    width: int
    height: int
    rgb: bytes


def picture(state: VgaState, memory: memoryview, *, cursor: bool = True) -> ScreenPicture:
    """Return what the screen shows.

    Args:
        state: the registers.
        memory: all of the VGA's memory; what lies behind its end is black.
        cursor: show that of text.
    """
    is_text = not state.graphics[reg.GFX_MISC] & reg.MISC_GRAPHICS
    if is_text:
        columns, rows, across, down = text_size(state)
        width, height = columns * across, rows * down
    else:
        width, height = dots_of(state)
    if not state.attribute_index & reg.PALETTE_VISIBLE:
        return ScreenPicture(width, height, bytes(3 * width * height))
    if is_text:
        return ScreenPicture(width, height, draw_text(state, memory, cursor=cursor))
    return ScreenPicture(width, height, draw_graphics(state, memory))
