"""How the blitter goes through the lines of a transfer.

QEMU goes byte by byte; here a line is done at once, or in pieces that read nothing they have
written.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from guestmap.hw.vga.around import around
from guestmap.hw.vga.cirrus import registers as reg
from guestmap.hw.vga.cirrus.raster import bits_of, combined, dots, dragged, operation, unlike

if TYPE_CHECKING:
    from collections.abc import Callable

    from guestmap.hw.vga.cirrus.raster import Operation
    from guestmap.hw.vga.cirrus.state import Blit, CirrusState

_PATTERN_PITCHES = (0, 8, 16, 32, 32)
"""Bytes of a line of a pattern, by bytes of a dot."""
_PATTERN_REACH = 128
"""Bytes: no more behind where a line of a pattern begins are read of it."""


class Lines:
    """The lines of a transfer.

    Args:
        state: returns the registers; the device's own.
        memory: the memory's bytes.
        written: told of each write: offset and bytes.
    """

    def __init__(
        self,
        state: Callable[[], CirrusState],
        memory: memoryview,
        written: Callable[[int, int], None],
    ) -> None:
        self._state = state
        self._memory = memory
        self._written = written

    def _put(self, at: int, line: bytes) -> None:
        size = len(self._memory)
        at %= size
        self._memory[at : at + len(line)] = line[: size - at]
        self._written(at, min(len(line), size - at))
        if at + len(line) > size:
            self._put(0, line[size - at :])

    def _combine(self, function: Operation, at: int, line: bytes, mask: bytes | None) -> None:
        old = around(self._memory, at, len(line))
        self._put(at, combined(function, old, line, mask))

    def _source(self, blit: Blit) -> memoryview | bytearray:
        """Return where lines come from: the CPU's bytes, or the memory."""
        return self._state().buffer if blit.awaited else self._memory

    # -- fills -------------------------------------------------------------------------------------

    def fill(self, blit: Blit) -> None:
        """Fill with one colour."""
        function = operation(blit.rop)
        if function is None:
            return
        line = blit.ink.to_bytes(blit.pixel, "little") * -(-blit.width // blit.pixel)
        for number in range(blit.height):
            at = blit.to + number * blit.to_pitch & ~_unaligned(blit)
            self._combine(function, at, line, None)

    def fill_with_pattern(self, blit: Blit, source: int) -> None:
        """Fill with a pattern of eight by eight dots, or bits, that is at an address."""
        function = operation(blit.rop)
        if function is None:
            return
        first = blit.source & 7
        for number in range(blit.height):
            row = first + number & 7
            to = blit.to + number * blit.to_pitch
            if blit.mode & reg.EXPAND:
                self._pattern_of_bits(blit, function, to, source + row)
            else:
                self._pattern_of_dots(blit, function, to, source, row)

    def _pattern_of_bits(self, blit: Blit, function: Operation, to: int, at: int) -> None:
        is_open = bool(blit.mode & reg.TRANSPARENT)
        turned = 0xFF if is_open and blit.extensions & reg.INVERTED else 0
        skip, begin = self._skipped(blit, is_open=is_open)
        count = _count(blit, begin)
        byte = around(self._source(blit), at, 1)[0] ^ turned
        bits = [byte >> (7 - skip - dot & 7) & 1 for dot in range(count)]
        if skip > 7 and bits:
            bits[0] = 0
        self._dots(blit, function, to + begin, bits, is_open=is_open)

    def _pattern_of_dots(
        self, blit: Blit, function: Operation, to: int, source: int, row: int
    ) -> None:
        size, pitch = blit.pixel, _PATTERN_PITCHES[blit.pixel]
        skip = self._state().graphics[reg.GFX_SKIP]
        begin = skip & 0x1F if size == 3 else (skip & 7) * size
        left = begin if size == 3 else skip & 7
        count, base = _count(blit, begin), source + row * pitch
        at = to + begin & ~_unaligned(blit)
        memory = self._source(blit)
        places = [base + (left + dot if not dot else left + dot & 7) * size for dot in range(count)]
        first, last = count, count
        if memory is self._memory:  # dots that are put into the pattern change those that follow
            first = min(max((base - at) // size, 0), count)
            last = min(max(-(-(base + _PATTERN_REACH - at) // size), first), count)
        alone = ((dot, dot + 1) for dot in range(first, last))
        for begin, end in ((0, first), *alone, (last, count)):
            known = {place: around(memory, place, size) for place in set(places[begin:end])}
            line = b"".join(known[place] for place in places[begin:end])
            self._combine(function, at + begin * size, line, None)

    # -- lines that come from somewhere -----------------------------------------------------------

    def move(self, blit: Blit, source: int, height: int, pitch: int) -> None:
        """Copy lines, or make dots of bits, from an address on.

        Args:
            blit: the transfer.
            source: where its first line is.
            height: how many lines.
            pitch: how far they are apart where they come from; bytes.
        """
        function = operation(blit.rop)
        if function is None:
            return
        if blit.mode & reg.EXPAND:
            self._expand(blit, function, source, height)
        else:
            self._copy(blit, function, source, height, pitch)

    def _expand(self, blit: Blit, function: Operation, source: int, height: int) -> None:
        is_open = bool(blit.mode & reg.TRANSPARENT)
        turned = 0xFF if is_open and blit.extensions & reg.INVERTED else 0
        skip, begin = self._skipped(blit, is_open=is_open)
        skip = min(skip, 8)
        count = _count(blit, begin)
        used = 1 + (skip + count - 1) // 8 if count else 1
        memory = self._source(blit)
        for number in range(height):
            to = blit.to + number * blit.to_pitch + begin
            overlaps = memory is self._memory and _meet(source, used, to, count * blit.pixel)
            at = 0
            while at < count:
                least = (8 - (skip + at) % 8) if overlaps else count
                piece = min(least, count - at)
                byte, bit = divmod(skip + at, 8)
                content = around(memory, source + byte, (bit + piece + 7) // 8)
                bits = [each ^ (turned & 1) for each in bits_of(content)[bit : bit + piece]]
                self._dots(blit, function, to + at * blit.pixel, bits, is_open=is_open)
                at += piece
            source += used

    def _dots(
        self, blit: Blit, function: Operation, at: int, bits: list[int], *, is_open: bool
    ) -> None:
        """Put dots that are ink and paper; or, where paper is left open, one colour."""
        size = blit.pixel
        at &= ~_unaligned(blit)
        ink, paper = (each.to_bytes(size, "little") for each in (blit.ink, blit.paper))
        if not is_open:
            self._combine(function, at, dots(bits, paper, ink), None)
            return
        colour = paper if blit.extensions & reg.INVERTED else ink
        mask = dots(bits, bytes(size), b"\xff" * size)
        self._combine(function, at, colour * len(bits), mask)

    def _skipped(self, blit: Blit, *, is_open: bool) -> tuple[int, int]:
        """Return how many bits, and bytes of a line, are left out at its beginning."""
        skip = self._state().graphics[reg.GFX_SKIP]
        if blit.pixel == 3 and is_open:
            return (skip & 0x1F) // 3, skip & 0x1F
        return skip & 7, (skip & 7) * blit.pixel

    def _copy(self, blit: Blit, function: Operation, source: int, height: int, pitch: int) -> None:
        is_back = bool(blit.mode & reg.BACKWARDS)
        least = min(blit.to_pitch, pitch)
        if not is_back and height > 1 and least < blit.width:
            return
        key = b""
        if blit.mode & reg.TRANSPARENT:
            graphics = self._state().graphics
            key = bytes(graphics[reg.GFX_TRANSPARENT : reg.GFX_TRANSPARENT + blit.pixel])
        unit = len(key) or 1
        size = -(-blit.width // unit) * unit
        drift = (size - blit.width) * (-1 if is_back else 1)
        memory, to = self._source(blit), blit.to
        for _ in range(height):
            self._copy_line(function, memory, (to, source), size, key, is_back=is_back)
            to += blit.to_pitch + drift
            source += pitch + drift

    def _copy_line(
        self,
        function: Operation,
        memory: memoryview | bytearray,
        places: tuple[int, int],
        size: int,
        key: bytes,
        *,
        is_back: bool,
    ) -> None:
        unit = len(key) or 1
        if is_back:
            to, source = ((place - (unit - 1) & ~(unit - 1)) - (size - unit) for place in places)
        else:
            to, source = (place & ~(unit - 1) for place in places)
        distance = source - to if is_back else to - source
        if memory is self._memory and 0 < distance < size:
            span = around(memory, min(source, to), size + distance)
            self._put(to, dragged(function, span, size, key, is_back=is_back))
            return
        line = around(memory, source, size)
        if not key:
            self._combine(function, to, line, None)
            return
        old = around(self._memory, to, size)
        new = combined(function, old, line)
        self._put(to, combined(lambda _, value: value, old, new, unlike(new, key)))


def _unaligned(blit: Blit) -> int:
    """Return the bits of an address that do not count: dots of two and four bytes are aligned."""
    return blit.pixel - 1 if blit.pixel != 3 else 0


def _count(blit: Blit, begin: int) -> int:
    """Return how many dots a line has from a byte of it on."""
    return max(-(-(blit.width - begin) // blit.pixel), 0)


def _meet(first: int, size: int, other: int, other_size: int) -> bool:
    return first < other + other_size and other < first + size
