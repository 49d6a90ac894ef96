"""A CL-GD5446's ports: a VGA's, with more registers behind the same indices, and the hidden DAC.

A register that nobody described reads as FFh and takes nothing. The blitter's registers are those
of the graphics controller, once more in memory, where each is by itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from guestmap.hw.vga import registers as vga
from guestmap.hw.vga.cirrus import registers as reg
from guestmap.hw.vga.ports import VgaPorts, write_crtc

if TYPE_CHECKING:
    from collections.abc import Callable

    from guestmap.hw.vga.cirrus.blitter import Blitter
    from guestmap.hw.vga.cirrus.state import CirrusState

_NOTHING = 0xFF
_SEQ_OWN = 5
_SEQ_READABLE = frozenset(range(reg.SEQUENCER_SIZE))
_SEQ_WRITABLE = frozenset(range(0x08, reg.SEQUENCER_SIZE))
_CRTC_READABLE = frozenset((*range(0x19), 0x19, 0x1A, 0x1B, 0x1C, 0x1D, 0x22, 0x25, reg.CRTC_ID))
_CRTC_WRITABLE = frozenset(range(0x1E))
_CRTC_TOGGLE, _CRTC_ATTRIBUTE = 0x24, 0x26

_GFX_PLAIN = frozenset(
    (*range(0x10, 0x16), 0x20, 0x22, 0x24, 0x26, 0x28, 0x29, 0x2C, 0x2D, 0x2F, 0x30, 0x32, 0x33,
     0x34, 0x35, 0x38, 0x39)
)  # fmt: skip
_GFX_MASKED = {0x21: 0x1F, 0x23: 0x1F, 0x25: 0x1F, 0x27: 0x1F, 0x2A: 0x3F, 0x2E: 0x3F}
_BANKING = (reg.GFX_OFFSET_0, reg.GFX_OFFSET_1, reg.GFX_EXTENSIONS)
_MODE_BITS = 0x7F

MMIO = {
    0x00: 0x00, 0x01: 0x10, 0x02: 0x12, 0x03: 0x14,
    0x04: 0x01, 0x05: 0x11, 0x06: 0x13, 0x07: 0x15,
    0x08: 0x20, 0x09: 0x21, 0x0A: 0x22, 0x0B: 0x23,
    0x0C: 0x24, 0x0D: 0x25, 0x0E: 0x26, 0x0F: 0x27,
    0x10: 0x28, 0x11: 0x29, 0x12: 0x2A, 0x14: 0x2C, 0x15: 0x2D, 0x16: 0x2E, 0x17: 0x2F,
    0x18: 0x30, 0x1A: 0x32, 0x1B: 0x33, 0x1C: 0x34, 0x1D: 0x35, 0x20: 0x38, 0x21: 0x39,
    0x40: 0x31,
}  # fmt: skip
"""Which register of the graphics controller a byte of the blitter's registers in memory is."""


class CirrusPorts(VgaPorts):
    """The ports' side of a CL-GD5446.

    Args:
        state: returns the registers; the device's own.
        changed: called where the map may be another now.
        touched: called where the screen may show something else.
        blitter: the blitter.
    """

    def __init__(
        self,
        state: Callable[[], CirrusState],
        changed: Callable[[], None],
        touched: Callable[[], None],
        blitter: Blitter,
    ) -> None:
        super().__init__(state, changed, touched)
        self._cirrus = state
        self._blitter = blitter
        self._reads |= {
            0x3C5: lambda _: self._read_sequencer(),
            0x3C6: lambda _: self._read_hidden_dac(),
            0x3C8: lambda _: self._read_palette_index(),
            0x3C9: lambda _: self._read_palette(),
            0x3CF: lambda _: self.read_graphics(self._cirrus().graphics_index),
            0x3B5: lambda _: self._read_crtc(),
        }
        self._take_writes({
            0x3C4: lambda _, value: self._choose_sequencer(value),
            0x3C5: lambda _, value: self._write_extended(value),
            0x3C6: lambda _, value: self._write_hidden_dac(value),
            0x3C9: lambda _, value: self._write_palette(value),
            0x3CE: lambda _, value: self._choose_graphics(value),
            0x3CF: lambda _, value: self.write_graphics(self._cirrus().graphics_index, value),
            0x3B5: lambda _, value: self._write_crtc(value),
        })  # fmt: skip

    def _choose_sequencer(self, value: int) -> None:
        self._cirrus().sequencer_index = value

    def _choose_graphics(self, value: int) -> None:
        self._cirrus().graphics_index = value

    # -- sequencer ---------------------------------------------------------------------------------

    def _read_sequencer(self) -> int:
        state = self._cirrus()
        index = _cursor_register(state.sequencer_index)
        return state.sequencer[index] if index in _SEQ_READABLE else _NOTHING

    def _write_extended(self, value: int) -> None:
        state = self._cirrus()
        chosen = state.sequencer_index
        index = _cursor_register(chosen)
        if index < _SEQ_OWN:
            state.sequencer[index] = value & vga.SEQ_MASKS[index]
        elif index == reg.SEQ_UNLOCK:
            is_key = value & reg.UNLOCK_KEY == reg.UNLOCKED
            state.sequencer[index] = reg.UNLOCKED if is_key else reg.LOCKED
        elif index == reg.SEQ_EXTENDED:
            self._changed()  # as QEMU: the map follows what the register was before
            state.sequencer[index] = value
        elif index == reg.SEQ_CONTROL:
            kept = state.sequencer[index] & reg.CONTROL_FIXED
            state.sequencer[index] = kept | value & ~reg.CONTROL_FIXED
            self._changed()
        elif index in _SEQ_WRITABLE:
            state.sequencer[index] = value
            if index == reg.SEQ_CURSOR_X:
                state.cursor_x = value << 3 | chosen >> 5
            elif index == reg.SEQ_CURSOR_Y:
                state.cursor_y = value << 3 | chosen >> 5

    # -- palette -----------------------------------------------------------------------------------

    def _read_hidden_dac(self) -> int:
        state = self._cirrus()
        state.hidden_dac_step = min(state.hidden_dac_step + 1, 6)
        if state.hidden_dac_step != 5:
            return _NOTHING
        state.hidden_dac_step = 0
        return state.hidden_dac

    def _write_hidden_dac(self, value: int) -> None:
        state = self._cirrus()
        if state.hidden_dac_step == 4:
            state.hidden_dac = value
        state.hidden_dac_step = 0

    def _read_palette_index(self) -> int:
        state = self._cirrus()
        state.hidden_dac_step = 0
        return state.dac_write

    def _palette(self, index: int) -> tuple[bytearray, int]:
        """Return the palette that is meant, and where an entry of it begins."""
        state = self._cirrus()
        if state.sequencer[reg.SEQ_CURSOR] & reg.CURSOR_PALETTE:
            return state.cursor_palette, 3 * (index & 0x0F)
        return state.palette, 3 * index

    def _read_palette(self) -> int:
        state = self._cirrus()
        palette, first = self._palette(state.dac_read)
        value = palette[first + state.dac_part]
        state.dac_part = (state.dac_part + 1) % 3
        if not state.dac_part:
            state.dac_read = (state.dac_read + 1) & 0xFF
        return value

    def _write_palette(self, value: int) -> None:
        state = self._cirrus()
        state.dac_cache[state.dac_part] = value
        state.dac_part = (state.dac_part + 1) % 3
        if not state.dac_part:
            palette, first = self._palette(state.dac_write)
            palette[first : first + 3] = bytes(state.dac_cache)
            state.dac_write = (state.dac_write + 1) & 0xFF

    # -- graphics controller and blitter -----------------------------------------------------------

    def read_graphics(self, index: int) -> int:
        """Read a register of the graphics controller."""
        state = self._cirrus()
        if index < 2:
            return state.ink if index else state.paper
        return state.graphics[index] if index < reg.GRAPHICS_SIZE else _NOTHING

    def write_graphics(self, index: int, value: int) -> None:
        """Write a register of the graphics controller."""
        state = self._cirrus()
        graphics = state.graphics
        if index == 0:
            state.paper = value
        elif index == 1:
            state.ink = value
        if index == vga.GFX_MODE:
            graphics[index] = value & _MODE_BITS
            self._changed()
        elif index <= vga.GFX_BIT_MASK:
            graphics[index] = value & vga.GFX_MASKS[index]
        elif index in _BANKING:
            graphics[index] = value
            state.banks = [bank(state, 0), bank(state, 1)]
            self._changed()
        elif index in _GFX_PLAIN:
            graphics[index] = value
        elif index in _GFX_MASKED:
            graphics[index] = value & _GFX_MASKED[index]
            if index == reg.GFX_TO + 2 and graphics[reg.GFX_BLIT] & reg.BLIT_AUTOSTART:
                self._blitter.start()
        elif index == reg.GFX_BLIT:
            self._blitter.control(value)

    def read_mmio(self, offset: int) -> int:
        """Read a byte of the blitter's registers in memory."""
        index = MMIO.get(offset)
        return _NOTHING if index is None else self.read_graphics(index)

    def write_mmio(self, offset: int, value: int) -> None:
        """Write a byte of the blitter's registers in memory."""
        index = MMIO.get(offset)
        if index is not None:
            self.write_graphics(index, value)

    # -- CRT controller ----------------------------------------------------------------------------

    def _read_crtc(self) -> int:
        state = self._cirrus()
        index = state.crtc_index
        if index == _CRTC_TOGGLE:
            return state.wants_data << 7
        if index == _CRTC_ATTRIBUTE:
            return state.attribute_index & 0x3F
        return state.crtc[index] if index in _CRTC_READABLE else _NOTHING

    def _write_crtc(self, value: int) -> None:
        state = self._cirrus()
        if state.crtc_index in _CRTC_WRITABLE:
            write_crtc(state, value)


def _cursor_register(index: int) -> int:
    """Return which register is meant: the cursor's place has eight indices in each direction."""
    low = index & 0x1F
    return low if low in (reg.SEQ_CURSOR_X, reg.SEQ_CURSOR_Y) else index


def bank(state: CirrusState, half: int) -> list[int]:
    """Return where half of the window begins in the memory, and how many bytes it reaches."""
    extensions = state.graphics[reg.GFX_EXTENSIONS]
    is_second = half == 1 and not extensions & reg.TWO_BANKS
    chosen = reg.GFX_OFFSET_1 if half and not is_second else reg.GFX_OFFSET_0
    begin = state.graphics[chosen] << (14 if extensions & reg.STEPS_OF_16K else 12)
    left = max(reg.MEMORY_SIZE - begin, 0)
    if is_second:
        begin, left = begin + 0x8000, max(left - 0x8000, 0)
    return [begin, left] if left else [0, 0]
