"""A guest's screen as what a terminal is sent: text, half blocks, kitty's or DEC's graphics.

Text as text; a picture by what the terminal has: kitty's graphics protocol (a PNG), sixel (DEC
VT340), else two dots in each character. 24-bit colours (ISO 8613-6) in any case.
"""

from __future__ import annotations

import base64
from enum import Enum
from typing import TYPE_CHECKING

from guestmap.machine.picture import encoded, pillow

if TYPE_CHECKING:
    from guestmap.hw.vga.screen import ScreenPicture
    from guestmap.hw.vga.text import ScreenText

_LOW = " ☺☻♥♦♣♠•◘○◙♂♀♪♫☼►◄↕‼¶§▬↨↑↓→←∟↔▲▼"
CHARACTERS = (
    _LOW + bytes(range(0x20, 0x7F)).decode() + "⌂" + bytes(range(0x80, 0x100)).decode("cp437")
)
"""What a VGA's font shows for each code: code page 437."""
_CHUNK = 4096
_BAND = 6


class Graphics(Enum):
    """How a terminal shows a picture."""

    BLOCKS = "half blocks"
    KITTY = "kitty"
    SIXEL = "sixel"


def text_lines(text: ScreenText) -> list[str]:
    """Return each row of a text screen; its cursor is where its cell is the other way round."""
    lines = []
    for row in range(text.rows):
        parts: list[str] = []
        shown: tuple[bytes, bytes] | None = None
        for column in range(text.columns):
            at = row * text.columns + column
            code, attribute = text.cells[2 * at], text.cells[2 * at + 1]
            ink, paper = text.colours[attribute & 0x0F], text.colours[attribute >> 4]
            colours = (paper, ink) if at == text.cursor else (ink, paper)
            if colours != shown:
                parts.append(_colours(*colours))
                shown = colours
            parts.append(CHARACTERS[code])
        lines.append("".join(parts) + "\x1b[0m")
    return lines


def block_lines(picture: ScreenPicture, columns: int, rows: int) -> list[str]:
    """Return a picture in half blocks, as large as fits into columns and rows."""
    scale = min(columns / picture.width, 2 * rows / picture.height)
    width = max(1, int(picture.width * scale))
    height = max(2, int(picture.height * scale) & ~1)
    size = picture.width, picture.height
    image = pillow().frombytes("RGB", size, picture.rgb).resize((width, height), pillow().BOX)
    dots = image.tobytes()
    lines = []
    for row in range(0, height, 2):
        upper, lower = (dots[3 * width * y : 3 * width * (y + 1)] for y in (row, row + 1))
        parts: list[str] = []
        shown: tuple[bytes, bytes] | None = None
        for x in range(0, 3 * width, 3):
            colours = upper[x : x + 3], lower[x : x + 3]
            parts.append(_colours(*colours) * (colours != shown) + "▀")
            shown = colours
        lines.append("".join(parts) + "\x1b[0m")
    return lines


def _colours(ink: bytes, paper: bytes) -> str:
    return f"\x1b[38;2;{ink[0]};{ink[1]};{ink[2]};48;2;{paper[0]};{paper[1]};{paper[2]}m"


def kitty(picture: ScreenPicture, rows: int) -> str:
    """Return a picture as kitty's protocol has it, some rows high, in place of the last."""
    data = base64.standard_b64encode(encoded(picture, "png")).decode()
    pieces = [data[at : at + _CHUNK] for at in range(0, len(data), _CHUNK)]
    sent = []
    for number, piece in enumerate(pieces):
        first = f"a=T,f=100,i=1,p=1,q=2,C=1,r={rows}," if not number else ""
        sent.append(f"\x1b_G{first}m={int(number < len(pieces) - 1)};{piece}\x1b\\")
    return "".join(sent)


def sixel(picture: ScreenPicture) -> str:
    """Return a picture as sixels, in 256 colours: bands of six dots, one line for each colour."""
    size = picture.width, picture.height
    image = pillow().frombytes("RGB", size, picture.rgb).quantize(256)
    palette, dots = image.getpalette() or [], image.tobytes()
    sent = [f'\x1bPq"1;1;{picture.width};{picture.height}']
    for number in sorted(set(dots)):
        parts = (round(each * 100 / 255) for each in palette[3 * number : 3 * number + 3])
        sent.append(f"#{number};2;" + ";".join(map(str, parts)))
    for top in range(0, picture.height, _BAND):
        last = min(top + _BAND, picture.height)
        lines = [dots[y * picture.width : (y + 1) * picture.width] for y in range(top, last)]
        band = [f"#{number}{_sixels(lines, number)}" for number in sorted(set(b"".join(lines)))]
        sent.append("$".join(band) + "-")
    return "".join(sent) + "\x1b\\"


def _sixels(lines: list[bytes], number: int) -> str:
    """Return where a colour is in a band, runs of the same cut short."""
    masks = [
        sum((dot == number) << y for y, dot in enumerate(column))
        for column in zip(*lines, strict=True)
    ]
    sent, at = [], 0
    while at < len(masks):
        end = at
        while end < len(masks) and masks[end] == masks[at]:
            end += 1
        sign = chr(0x3F + masks[at])
        sent.append(f"!{end - at}{sign}" if end - at > 3 else sign * (end - at))
        at = end
    return "".join(sent)
