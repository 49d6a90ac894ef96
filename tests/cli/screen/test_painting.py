"""What is painted, read back as a terminal would."""

from __future__ import annotations

import base64
import io
import re

import pytest

from guestmap.cli.screen.painting import CHARACTERS, block_lines, kitty, sixel, text_lines
from guestmap.hw.vga.screen import ScreenPicture
from guestmap.hw.vga.text import ScreenText

Image = pytest.importorskip("PIL.Image")

_COLOURS = tuple(bytes((each, 0, 255 - each)) for each in range(16))
_SGR = re.compile(r"\x1b\[38;2;(\d+);(\d+);(\d+);48;2;(\d+);(\d+);(\d+)m([^\x1b]*)")


def _picture(width: int, height: int) -> ScreenPicture:
    """Return stripes of four colours, each two dots wide, with a red lowest line."""
    stripes = [b"\0\0\0", b"\xff\xff\xff", b"\0\xff\0", b"\0\0\xff"]
    line = b"".join(stripes[x // 2 % 4] for x in range(width))
    return ScreenPicture(width, height, line * (height - 1) + b"\xff\0\0" * width)


def test_characters_are_those_of_code_page_437():
    assert len(CHARACTERS) == 256
    assert CHARACTERS[0x41] == "A"
    assert CHARACTERS[0xC9] + CHARACTERS[0xCD] + CHARACTERS[0xDB] + CHARACTERS[0x01] == "╔═█☺"
    assert len(set(CHARACTERS) - {" "}) == 254  # codes 0 and 20h look alike


def test_text_has_its_colours_and_the_cursor_is_the_other_way_round():
    cells = b"A\x07B\x07C\x1e" + b" \x07" * 3
    lines = text_lines(ScreenText(3, 2, cells, _COLOURS, cursor=1))
    found = [(each[:6], each[6]) for each in _SGR.findall(lines[0])]
    grey, black = ("7", "0", "248"), ("0", "0", "255")
    yellow, blue = ("14", "0", "241"), ("1", "0", "254")
    assert found == [((*grey, *black), "A"), ((*black, *grey), "B"), ((*yellow, *blue), "C")]
    assert [each[6] for each in _SGR.findall(lines[1])] == ["   "]


def test_half_blocks_are_two_dots_each():
    lines = block_lines(_picture(8, 4), columns=8, rows=2)
    assert len(lines) == 2
    cells = [(tuple(map(int, each[:6])), each[6]) for each in _SGR.findall(lines[1])]
    assert cells[0] == ((0, 0, 0, 255, 0, 0), "▀▀")  # black above red
    assert cells[1] == ((255, 255, 255, 255, 0, 0), "▀▀")
    assert len(cells) == 4


@pytest.mark.parametrize(("width", "height"), [(720, 400), (640, 480), (320, 200), (9, 400)])
def test_half_blocks_fit(width, height):
    lines = block_lines(_picture(width, height), columns=80, rows=24)
    across = {line.count("▀") for line in lines}
    assert len(lines) <= 24
    assert len(across) == 1
    assert across.pop() <= 80


def test_kitty_gets_a_png_in_pieces():
    picture = ScreenPicture(64, 64, bytes(hash((n, 1)) & 0xFF for n in range(3 * 64 * 64)))
    sent = kitty(picture, rows=23)
    pieces = re.findall(r"\x1b_G([^;]*);([^\x1b]*)\x1b\\", sent)
    assert "".join(f"\x1b_G{keys};{data}\x1b\\" for keys, data in pieces) == sent
    assert pieces[0][0].startswith("a=T,f=100,")
    assert [keys[-3:] for keys, _ in pieces] == ["m=1"] * (len(pieces) - 1) + ["m=0"]
    assert all(len(data) <= 4096 for _, data in pieces)
    image = Image.open(io.BytesIO(base64.b64decode("".join(data for _, data in pieces))))
    assert (image.size, image.convert("RGB").tobytes()) == ((64, 64), picture.rgb)


def _read_sixels(text: str) -> tuple[int, int, dict[tuple[int, int], tuple[int, ...]]]:
    """Return width, height and dots, as DEC's manual of the VT340 tells (chapter 14)."""
    inner = re.fullmatch(r"\x1bPq(.*)\x1b\\", text, re.DOTALL)
    assert inner is not None
    width = height = x = top = 0
    colours: dict[int, tuple[int, ...]] = {}
    dots: dict[tuple[int, int], tuple[int, ...]] = {}
    ink: tuple[int, ...] = ()
    for token in re.findall(r'"[\d;]+|#\d+;2;[\d;]+|#\d+|!\d+.|[$\-]|[?-~]', inner[1]):
        numbers = [int(each) for each in re.findall(r"\d+", token)]
        if token[0] == '"':
            width, height = numbers[2:4]
        elif token[0] == "#" and len(numbers) > 1:
            colours[numbers[0]] = tuple(numbers[2:])
        elif token[0] == "#":
            ink = colours[numbers[0]]
        elif token == "$":
            x = 0
        elif token == "-":
            x, top = 0, top + 6
        else:
            count = numbers[0] if token[0] == "!" else 1
            rows = [top + bit for bit in range(6) if ord(token[-1]) - 0x3F >> bit & 1]
            dots |= {(column, row): ink for column in range(x, x + count) for row in rows}
            x += count
    return width, height, dots


def test_sixels_are_the_picture():
    picture = _picture(16, 13)
    width, height, dots = _read_sixels(sixel(picture))
    assert (width, height, len(dots)) == (16, 13, 16 * 13)
    for (x, y), ink in dots.items():
        at = 3 * (16 * y + x)
        assert ink == tuple(round(each * 100 / 255) for each in picture.rgb[at : at + 3])
