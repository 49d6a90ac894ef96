"""Graphics on a VGA's screen: planes, bytes and words that become dots, line by line."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING

from guestmap.hw.vga import registers as reg
from guestmap.hw.vga.around import around
from guestmap.hw.vga.palette import colour, sixteen

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from guestmap.hw.vga.state import VgaState


def dots_of(state: VgaState) -> tuple[int, int]:
    """Return how many dots a picture has across, and down."""
    if state.size is not None:
        return state.size
    halved = _kind(state) < 2 and state.in_force[reg.SEQ_CLOCKING] & reg.CLOCKING_HALF
    return (state.crtc[reg.CRTC_LINE_DISPLAYED] + 1) * (16 if halved else 8), state.graphics_lines


def _kind(state: VgaState) -> int:
    """Return how bytes become dots: 0 by planes, 1 by pairs of planes, 2 and 3 by themselves."""
    return state.graphics[reg.GFX_MODE] >> 5 & 3


def draw_graphics(state: VgaState, memory: memoryview) -> bytes:
    """Return the dots, three bytes each."""
    width, height = dots_of(state)
    is_linear = state.is_linear(len(memory), width, height)
    line = _line_maker(state, memory, width, is_linear=is_linear)
    rows: list[bytes] = []
    shown: dict[int, bytes] = {}
    for place in line_places(state, height, is_linear=is_linear):
        if place not in shown:
            shown[place] = line(place)
        rows.append(shown[place])
    return b"".join(rows)


def line_places(state: VgaState, height: int, *, is_linear: bool) -> Iterator[int]:
    """Yield where in the memory each line of dots begins, in bytes."""
    step, first = state.pitch, 4 * state.first_cell
    if is_linear:
        yield from (first + y * step for y in range(height))
        return
    again = _repeats(state)
    compare = _line_compare(state)
    mode = state.crtc[reg.CRTC_MODE]
    at, counted, left = first, 0, again
    for y in range(height):
        yield _interleaved(at, counted, mode)
        if left:
            left -= 1
        else:
            skipped = mode & 3 ^ 3
            if counted & skipped == skipped:
                at += step
            counted, left = counted + 1, again
        if y == compare:
            at = 0


def dot_bytes(state: VgaState, x: int) -> tuple[int, int]:
    """Return where from its line's begin the bytes of a dot are, and how many they are.

    Where planes are used these are the four of a cell, which has eight dots, or eight dots twice.
    """
    halved = bool(state.in_force[reg.SEQ_CLOCKING] & reg.CLOCKING_HALF)
    if _kind(state) < 2:
        return (x >> 3 + halved) * 4, 4
    depth = state.depth
    if depth in (0, 8):
        return x >> (depth == 0), 1
    size = (depth + 7) // 8
    return x * size, size


def are_bytes(state: VgaState) -> bool:
    """Tell whether a dot is bytes of its own, which a CPU may store straight."""
    return _kind(state) >= 2


def _repeats(state: VgaState) -> int:
    """Return how often each line of dots is shown again."""
    scan = state.crtc[reg.CRTC_MAX_SCAN]
    if not state.crtc[reg.CRTC_MODE] & 1:
        return scan >> 7
    return ((scan & 0x1F) + 1 << (scan >> 7)) - 1


def _line_compare(state: VgaState) -> int:
    crtc = state.crtc
    high = (crtc[reg.CRTC_OVERFLOW] & 0x10) << 4 | (crtc[reg.CRTC_MAX_SCAN] & 0x40) << 3
    return crtc[reg.CRTC_LINE_COMPARE] | high


def _interleaved(at: int, row: int, mode: int) -> int:
    """Return where a line begins that takes bits of its address from the row's number (CGA)."""
    if not mode & 1:
        shift = 14 + (mode >> 6 & 1)
        at = at & ~(1 << shift) | (row & 1) << shift
    if not mode & 2:
        at = at & ~0x8000 | (row & 2) << 14
    return at


def _line_maker(
    state: VgaState, memory: memoryview, width: int, *, is_linear: bool
) -> Callable[[int], bytes]:
    """Return what makes a line of dots of the bytes that begin somewhere."""
    if _kind(state) < 2:
        return _planar_lines(state, memory, width, pairs=_kind(state) == 1)
    depth = state.depth
    if depth in (0, 8):
        return _indexed_lines(state, memory, width, twice=depth == 0)
    return _direct_lines(memory, width, depth, fills=is_linear and depth == _FILLED)


def _planar_lines(
    state: VgaState, memory: memoryview, width: int, *, pairs: bool
) -> Callable[[int], bytes]:
    """Four planes of one bit; or two pairs of planes, whose bytes hold four dots of two bits."""
    colours = sixteen(state)
    enabled = state.attribute[0x12] & 0x0F
    twice = bool(state.in_force[reg.SEQ_CLOCKING] & reg.CLOCKING_HALF)
    if twice:
        width //= 2
    known: dict[bytes, bytes] = {}

    def eight(cell: bytes) -> bytes:
        planes = [byte if enabled >> plane & 1 else 0 for plane, byte in enumerate(cell)]
        numbers = _pairs(planes) if pairs else _singles(planes)
        return b"".join(colours[number] * (1 + twice) for number in numbers)

    def line(at: int) -> bytes:
        size = -(-width // 8) * 4
        cells = around(memory, at, size)
        made: list[bytes] = []
        for first in range(0, size, 4):
            cell = cells[first : first + 4]
            if cell not in known:
                known[cell] = eight(cell)
            made.append(known[cell])
        return b"".join(made)

    return line


def _singles(planes: Sequence[int]) -> list[int]:
    return [
        sum((byte >> (7 - dot) & 1) << plane for plane, byte in enumerate(planes))
        for dot in range(8)
    ]


def _pairs(planes: Sequence[int]) -> list[int]:
    """Return dots of which the first four are in planes 0 and 2, the others in 1 and 3."""
    return [
        planes[half] >> shift & 3 | (planes[half + 2] >> shift & 3) << 2
        for half, shift in product((0, 1), (6, 4, 2, 0))
    ]


def _indexed_lines(
    state: VgaState, memory: memoryview, width: int, *, twice: bool
) -> Callable[[int], bytes]:
    colours = [colour(state, index) * (1 + twice) for index in range(256)]
    size = width // (1 + twice)
    return lambda at: b"".join(colours[byte] for byte in around(memory, at, size))


_FIELDS = {15: (5, 5, 5), 16: (5, 6, 5)}
"""Bits of red, green and blue."""
_FILLED = 16
"""The depth of which a colour's lowest bits are its highest where the memory itself is shown."""


def _direct_lines(
    memory: memoryview, width: int, depth: int, *, fills: bool
) -> Callable[[int], bytes]:
    step = (depth + 7) // 8

    def line(at: int) -> bytes:
        dots = around(memory, at, width * step)
        made = bytearray(3 * width)
        if step > 2:
            made[0::3], made[1::3], made[2::3] = dots[2::step], dots[1::step], dots[0::step]
            return bytes(made)
        words = memoryview(dots).cast("H")
        red, green, blue = _FIELDS[depth]
        made[0::3] = bytes(_wide(word >> green + blue, red, fills=fills) for word in words)
        made[1::3] = bytes(_wide(word >> blue, green, fills=fills) for word in words)
        made[2::3] = bytes(_wide(word, blue, fills=fills) for word in words)
        return bytes(made)

    return line


def _wide(value: int, bits: int, *, fills: bool) -> int:
    """Return a colour of 5 or 6 bits with 8: the new ones are its highest, or 0."""
    value &= (1 << bits) - 1
    new = 8 - bits
    return value << new | (value >> bits - new if fills else 0)
