"""The blitter: it copies, fills, and makes dots of bits, line by line, with a raster operation.

A transfer within the memory is done when it is started. One from the CPU takes its bytes through
any window, and is done when the last has come. What does not fit the memory is not begun.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from guestmap.hw.vga.cirrus import registers as reg
from guestmap.hw.vga.cirrus.lines import Lines
from guestmap.hw.vga.cirrus.raster import COPY
from guestmap.hw.vga.cirrus.state import Blit

if TYPE_CHECKING:
    from collections.abc import Callable

    from guestmap.hw.vga.cirrus.state import CirrusState

_MASK = reg.MEMORY_SIZE - 1
_DOT_BITS = 0x30
_PATTERN_SIZES = {8: 64, 15: 128, 16: 128}


class Blitter:
    """The blitter.

    Args:
        state: returns the registers; the device's own.
        memory: the memory's bytes.
        written: told of each write: offset and bytes.
        changed: called where the map may be another now.
    """

    def __init__(
        self,
        state: Callable[[], CirrusState],
        memory: memoryview,
        written: Callable[[int, int], None],
        changed: Callable[[], None],
    ) -> None:
        self._state = state
        self._lines = Lines(state, memory, written)
        self._changed = changed

    def control(self, value: int) -> None:
        """Write the register that starts and resets it."""
        graphics = self._state().graphics
        before, graphics[reg.GFX_BLIT] = graphics[reg.GFX_BLIT], value
        if before & ~value & reg.BLIT_RESET:
            self._end()
        elif value & ~before & reg.BLIT_START:
            self.start()

    def start(self) -> None:
        """Begin what the registers describe; what is within the memory is done then."""
        state = self._state()
        state.graphics[reg.GFX_BLIT] |= reg.BLIT_BUSY
        state.blit = blit = _described(state)
        both = reg.FROM_CPU | reg.TO_CPU
        if blit.mode & both == both:
            self._end()
        elif _is_solid(blit):
            if _fits(blit.to, blit.to_pitch, blit):
                self._lines.fill(blit)
                self._end()
        else:
            self._begin(state, blit)

    def _begin(self, state: CirrusState, blit: Blit) -> None:
        is_copy = not blit.mode & (reg.EXPAND | reg.PATTERN)
        if is_copy:
            if blit.mode & reg.TRANSPARENT and blit.pixel > 2:
                self._end()
                return
            if blit.mode & reg.BACKWARDS:
                blit.to_pitch, blit.source_pitch = -blit.to_pitch, -blit.source_pitch
        if blit.mode & reg.FROM_CPU and _fits(blit.to, blit.to_pitch, blit):
            self._await(blit)
            return
        if not blit.mode & (reg.FROM_CPU | reg.TO_CPU):
            self._move(state, blit, is_copy=is_copy)
        self._end()

    def _move(self, state: CirrusState, blit: Blit, *, is_copy: bool) -> None:
        """Do what is within the memory."""
        if blit.mode & reg.PATTERN:
            self._fill_with_pattern(state, blit)
            return
        if not _fits(blit.to, blit.to_pitch, blit):
            return
        if not _fits(blit.source, blit.source_pitch, blit):
            return
        is_plain = is_copy and blit.rop == COPY and not blit.mode & reg.TRANSPARENT
        if is_plain and not state.depth:
            return
        self._lines.move(blit, blit.source, blit.height, blit.source_pitch)

    def _fill_with_pattern(self, state: CirrusState, blit: Blit) -> None:
        source = 0
        if not blit.awaited:
            size = _PATTERN_SIZES.get(state.depth, 256)
            blit.source &= ~(size - 1)
            source = blit.source
        if _fits(blit.to, blit.to_pitch, blit):
            self._lines.fill_with_pattern(blit, source)

    # -- what the CPU gives ------------------------------------------------------------------------

    def _await(self, blit: Blit) -> None:
        blit.mode &= ~reg.FROM_CPU
        if blit.mode & reg.PATTERN:
            blit.wanted = 8 if blit.mode & reg.EXPAND else 64 * blit.pixel
            blit.awaited = blit.wanted
        else:
            if blit.mode & reg.EXPAND:
                bits = 5 if blit.extensions & reg.DWORDS else 3
                blit.wanted = blit.width // blit.pixel + (1 << bits) - 1 >> bits
            else:
                blit.wanted = blit.width + 3 & ~3
            blit.awaited = blit.wanted * blit.height
        blit.filled = 0
        self._changed()

    def feed(self, value: int) -> None:
        """Take a byte that a transfer waits for."""
        state = self._state()
        blit = state.blit
        state.buffer[blit.filled] = value
        blit.filled += 1
        if blit.is_fed or blit.awaited <= 0:
            return
        if blit.mode & reg.PATTERN:
            self._fill_with_pattern(state, blit)
            self._end()
            return
        self._lines.move(blit, 0, 1, 0)
        blit.to += blit.to_pitch
        blit.awaited -= blit.wanted
        if blit.awaited <= 0:
            self._end()
        else:
            blit.filled = 0

    def _end(self) -> None:
        state = self._state()
        blit = state.blit
        is_news = blit.is_first or blit.filled or blit.wanted
        state.graphics[reg.GFX_BLIT] &= ~(reg.BLIT_START | reg.BLIT_BUSY | reg.BLIT_FIFO)
        blit.filled = blit.wanted = blit.awaited = 0
        blit.is_first = False
        if is_news:
            self._changed()


def _described(state: CirrusState) -> Blit:
    """Return the transfer that the registers describe; one that waits keeps what has come."""
    graphics, before = state.graphics, state.blit

    def number(index: int, size: int = 2) -> int:
        return int.from_bytes(bytes(graphics[index : index + size]), "little")

    pixel = (graphics[reg.GFX_BLIT_MODE] & _DOT_BITS) // 0x10 + 1

    def colour(first: int, others: tuple[int, ...]) -> int:
        content = bytes((first, *(graphics[index] for index in others)))
        return int.from_bytes(content[:pixel], "little")

    return Blit(
        width=number(reg.GFX_WIDTH) + 1,
        height=number(reg.GFX_HEIGHT) + 1,
        to=number(reg.GFX_TO, 3) & _MASK,
        to_pitch=number(reg.GFX_TO_PITCH),
        source=number(reg.GFX_FROM, 3) & _MASK,
        source_pitch=number(reg.GFX_FROM_PITCH),
        mode=graphics[reg.GFX_BLIT_MODE] & ~_DOT_BITS,
        extensions=graphics[reg.GFX_BLIT_EXTENSIONS],
        pixel=pixel,
        rop=graphics[reg.GFX_ROP],
        ink=colour(state.ink, reg.GFX_INK),
        paper=colour(state.paper, reg.GFX_PAPER),
        awaited=before.awaited,
        filled=before.filled,
        wanted=before.wanted,
        is_first=before.is_first,
    )


def _is_solid(blit: Blit) -> bool:
    kind = blit.mode & (reg.TO_CPU | reg.TRANSPARENT | reg.PATTERN | reg.EXPAND)
    return bool(blit.extensions & reg.SOLID) and kind == reg.PATTERN | reg.EXPAND


def _fits(at: int, pitch: int, blit: Blit) -> bool:
    """Return whether lines from an address on, so far apart, are in the memory."""
    if not pitch:
        return False
    last = at + (blit.height - 1) * pitch
    if pitch < 0:
        return last - blit.width >= -1 and at < reg.MEMORY_SIZE
    return last + blit.width <= reg.MEMORY_SIZE
