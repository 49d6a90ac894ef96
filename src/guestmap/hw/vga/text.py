"""Text on a VGA's screen: characters, their two fonts in plane 2, and the cursor."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from guestmap.hw.vga import registers as reg
from guestmap.hw.vga.palette import sixteen

if TYPE_CHECKING:
    from collections.abc import Sequence

    from guestmap.hw.vga.state import VgaState

_LINE_DRAWING = range(0xB0, 0xE0)
_FONT_SIZE, _GLYPH_SIZE, _CELL = 8192 * 4, 32 * 4, 4


class ScreenText(NamedTuple):
    """What a text screen shows.

    Attributes:
        columns, rows: characters across and down.
        cells: code and attribute of each, from the upper left corner.
        colours: sixteen, three bytes each; the low half of an attribute is ink, the high paper.
        cursor: the cell in which the cursor is; -1 for none.
    """

    columns: int
    rows: int
    cells: bytes
    colours: tuple[bytes, ...]
    cursor: int


def read_text(state: VgaState, memory: memoryview) -> ScreenText | None:
    """Return what a text screen shows; None for a screen with a picture, or a hidden palette."""
    is_text = not state.graphics[reg.GFX_MISC] & reg.MISC_GRAPHICS
    if not is_text or not state.attribute_index & reg.PALETTE_VISIBLE:
        return None
    columns, rows, _, _ = text_size(state)
    cells = bytearray()
    for row in range(rows):
        at = state.first_cell * _CELL + row * state.pitch
        line = bytes(memory[at : at + columns * _CELL]).ljust(columns * _CELL, b"\0")
        pairs = bytearray(2 * columns)
        pairs[::2], pairs[1::2] = line[::_CELL], line[1::_CELL]
        cells += pairs
    crtc = state.crtc
    place = (crtc[0x0E] << 8 | crtc[0x0F]) - state.first_cell
    is_shown = not crtc[0x0A] & 0x20 and 0 <= place < columns * rows
    return ScreenText(columns, rows, bytes(cells), tuple(sixteen(state)), place if is_shown else -1)


def text_size(state: VgaState) -> tuple[int, int, int, int]:
    """Return columns, rows, and the dots of a character in both directions."""
    clocking = state.in_force[reg.SEQ_CLOCKING]
    across = 16 if clocking & reg.CLOCKING_HALF else 8 if clocking & 1 else 9
    down = (state.crtc[reg.CRTC_MAX_SCAN] & 0x1F) + 1
    return state.crtc[reg.CRTC_LINE_DISPLAYED] + 1, state.lines // down, across, down


def draw_text(state: VgaState, memory: memoryview, *, cursor: bool) -> bytes:
    """Return the dots, three bytes each."""
    columns, rows, across, down = text_size(state)
    colours = sixteen(state)
    fonts = _fonts(state)
    nines = bool(state.attribute[0x10] & 0x04)
    start = state.first_cell * _CELL
    step = state.pitch
    known: dict[tuple[int, int], list[bytes]] = {}

    def glyph(code: int, attribute: int) -> list[bytes]:
        font = fonts[attribute >> 3 & 1] + code * _GLYPH_SIZE
        ink, paper = colours[attribute & 0x0F], colours[attribute >> 4]
        bits = bytes(memory[font : font + _CELL * down : _CELL]).ljust(down, b"\0")
        joins = nines and code in _LINE_DRAWING
        return [_row(each, across, ink, paper, joins=joins) for each in bits]

    lines: list[bytes] = []
    for row in range(rows):
        at = start + row * step
        cells = bytes(memory[at : at + columns * _CELL]).ljust(columns * _CELL, b"\0")
        pairs = list(zip(cells[::_CELL], cells[1::_CELL], strict=True))
        for pair in set(pairs) - known.keys():
            known[pair] = glyph(*pair)
        lines += (b"".join(known[pair][line] for pair in pairs) for line in range(down))
    if cursor:
        _draw_cursor(state, lines, colours, memory)
    return b"".join(lines)


def _row(bits: int, across: int, ink: bytes, paper: bytes, *, joins: bool) -> bytes:
    dots = [ink if bits >> (7 - dot) & 1 else paper for dot in range(8)]
    if across == 9:
        dots.append(dots[-1] if joins else paper)
    return b"".join(dots) if across < 16 else b"".join(dot * 2 for dot in dots)


def _fonts(state: VgaState) -> tuple[int, int]:
    """Return where the glyphs begin, in plane 2: of dark characters, and of bright ones."""
    select = state.in_force[3]
    dark, bright = select >> 4 & 1 | select << 1 & 6, select >> 5 & 1 | select >> 1 & 6
    return dark * _FONT_SIZE + 2, bright * _FONT_SIZE + 2


def _draw_cursor(
    state: VgaState, lines: list[bytes], colours: Sequence[bytes], memory: memoryview
) -> None:
    """Draw the cursor over the rows of dots."""
    crtc = state.crtc
    if crtc[0x0A] & 0x20:
        return
    columns, rows, across, down = text_size(state)
    place = (crtc[0x0E] << 8 | crtc[0x0F]) - state.first_cell
    row, column = divmod(place, columns)
    if not 0 <= row < rows:
        return
    at = (state.first_cell + place) * _CELL + 1
    ink = colours[memory[at] & 0x0F] if at < len(memory) else bytes(3)
    last = min(crtc[0x0B] & 0x1F, down - 1)
    for line in range(crtc[0x0A] & 0x1F, last + 1):
        dots = lines[row * down + line]
        first, width = 3 * column * across, 3 * across
        lines[row * down + line] = dots[:first] + ink * across + dots[first + width :]
