"""Bochs' display interface: a linear frame buffer by ten registers (VBE_DISPI, Bochs' vbe.h).

What does not fit the memory is made to fit, as QEMU does: whole groups of 8 pixels, no more lines
than there is memory for, and offsets that leave room for the picture.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from guestmap.hw.vga import registers as reg

if TYPE_CHECKING:
    from collections.abc import Callable

    from guestmap.hw.vga.state import VgaState

_BANK_SIZE = 64 << 10
_DEPTHS = {4: 4, 8: 8, 15: 16, 16: 16, 24: 24, 32: 32}
_PLANAR = 4
"""Bits of a pixel in which the planes are used."""
_CAPABILITIES = {
    reg.DISPI_XRES: reg.DISPI_MOST_X,
    reg.DISPI_YRES: reg.DISPI_MOST_Y,
    reg.DISPI_BPP: reg.DISPI_MOST_BPP,
}
_GEOMETRY = frozenset(
    (reg.DISPI_XRES, reg.DISPI_YRES, reg.DISPI_BPP, reg.DISPI_VIRT_WIDTH, reg.DISPI_X_OFFSET,
     reg.DISPI_Y_OFFSET)
)  # fmt: skip


class Dispi:
    """The display interface of a VGA.

    Args:
        state: returns the registers; the device's own.
        memory: the memory's bytes.
        changed: called where the map, or what the screen shows, may be another now.
        cleared: told how many bytes from the memory's start were cleared.
    """

    def __init__(
        self,
        state: Callable[[], VgaState],
        memory: memoryview,
        changed: Callable[[], None],
        cleared: Callable[[int], None],
    ) -> None:
        self._state = state
        self._memory = memory
        self._changed = changed
        self._cleared = cleared

    def read_index(self) -> int:
        """Return which register the data port stands for."""
        return self._state().dispi_index

    def write_index(self, value: int) -> None:
        """Choose the register that the data port stands for."""
        self._state().dispi_index = value

    def read(self) -> int:
        """Read the chosen register, 16 bits; 0 where there is none."""
        state = self._state()
        index = state.dispi_index
        if index == reg.DISPI_MEMORY_64K:
            return len(self._memory) // _BANK_SIZE
        if index >= len(state.dispi):
            return 0
        if state.dispi[reg.DISPI_ENABLE] & reg.DISPI_GET_CAPABILITIES:
            return _CAPABILITIES.get(index, state.dispi[index])
        return state.dispi[index]

    def write(self, value: int) -> None:
        """Write the chosen register, 16 bits; what it cannot hold is ignored or made to fit."""
        state = self._state()
        index = state.dispi_index
        if index == reg.DISPI_ID:
            if reg.DISPI_ID_FIRST <= value <= reg.DISPI_ID_LAST:
                state.dispi[index] = value
        elif index in _GEOMETRY:
            state.dispi[index] = value
            self._fit(state)
        elif index == reg.DISPI_BANK:
            state.dispi[index] = value & (len(self._memory) // _BANK_SIZE - 1)
            state.bank = state.dispi[index] * _BANK_SIZE
            self._changed()
        elif index == reg.DISPI_ENABLE:
            self._enable(state, value)

    def _enable(self, state: VgaState, value: int) -> None:
        regs = state.dispi
        if value & ~regs[reg.DISPI_ENABLE] & reg.DISPI_ENABLED:
            regs[reg.DISPI_VIRT_WIDTH] = regs[reg.DISPI_X_OFFSET] = regs[reg.DISPI_Y_OFFSET] = 0
            regs[reg.DISPI_ENABLE] |= reg.DISPI_ENABLED
            self._fit(state)
            if not value & reg.DISPI_KEEP_MEMORY:
                self._clear(regs[reg.DISPI_YRES] * state.line_offset)
        else:
            state.bank = 0
        state.dac_8_bit = bool(value & reg.DISPI_8_BIT_DAC)
        regs[reg.DISPI_ENABLE] = value
        self._changed()

    def _clear(self, size: int) -> None:
        self._memory[:size] = bytes(size)
        self._cleared(size)

    def _fit(self, state: VgaState) -> None:
        regs = state.dispi
        if not state.has_frame_buffer:
            return
        if regs[reg.DISPI_BPP] not in _DEPTHS:
            regs[reg.DISPI_BPP] = 8
        bits = _DEPTHS[regs[reg.DISPI_BPP]]
        width = _between(regs[reg.DISPI_XRES] & ~7, 8, reg.DISPI_MOST_X)
        pitch = _between(regs[reg.DISPI_VIRT_WIDTH] & ~7, width, reg.DISPI_MOST_X)
        line = pitch * bits // 8
        lines = len(self._memory) // line
        height = min(_between(regs[reg.DISPI_YRES], 1, reg.DISPI_MOST_Y), lines)
        left = min(regs[reg.DISPI_X_OFFSET], reg.DISPI_MOST_X)
        top = min(regs[reg.DISPI_Y_OFFSET], reg.DISPI_MOST_Y)
        if _end(left, top, height, line, bits) > len(self._memory):
            top = 0
            if _end(left, top, height, line, bits) > len(self._memory):
                left = 0
        regs[reg.DISPI_XRES], regs[reg.DISPI_YRES] = width, height
        regs[reg.DISPI_VIRT_WIDTH], regs[reg.DISPI_VIRT_HEIGHT] = pitch, lines & 0xFFFF
        regs[reg.DISPI_X_OFFSET], regs[reg.DISPI_Y_OFFSET] = left, top
        state.line_offset = line
        state.start = (left * bits // 8 + top * line) // 4
        agree(state)
        self._changed()


def agree(state: VgaState) -> None:
    """Make the VGA's own registers say what the interface shows, while that is on.

    A BIOS that knows of no interface then finds a graphics mode with 64 KiB at A0000h.
    """
    if not state.has_frame_buffer:
        return
    graphics, crtc, hidden = state.graphics, state.crtc, state.hidden_sequencer
    height = state.dispi[reg.DISPI_YRES] - 1
    graphics[reg.GFX_MISC] &= ~reg.MISC_MAP
    graphics[reg.GFX_MISC] |= reg.MISC_MAP_64K | reg.MISC_GRAPHICS
    crtc[reg.CRTC_MODE] |= 3
    crtc[reg.CRTC_OFFSET] = state.line_offset >> 3 & 0xFF
    crtc[reg.CRTC_LINE_DISPLAYED] = (state.dispi[reg.DISPI_XRES] >> 3) - 1 & 0xFF
    crtc[reg.CRTC_DISPLAY_END] = height & 0xFF
    overflow = crtc[reg.CRTC_OVERFLOW] & ~0x42 | height >> 7 & 0x02 | height >> 3 & 0x40
    crtc[reg.CRTC_OVERFLOW] = overflow | reg.OVERFLOW_LINE_COMPARE
    crtc[reg.CRTC_LINE_COMPARE] = 0xFF
    crtc[reg.CRTC_MAX_SCAN] = (crtc[reg.CRTC_MAX_SCAN] | 0x40) & ~0x9F
    shift = 0
    if state.dispi[reg.DISPI_BPP] == _PLANAR:
        hidden[reg.SEQ_CLOCKING] &= ~reg.CLOCKING_HALF
    else:
        shift = reg.MODE_256
        hidden[reg.SEQ_MEMORY_MODE] |= reg.MEMORY_CHAIN_4
        hidden[reg.SEQ_MAP_MASK] |= reg.MAP_MASK_ALL
    graphics[reg.GFX_MODE] = graphics[reg.GFX_MODE] & ~reg.MODE_SHIFT | shift


def _between(value: int, least: int, most: int) -> int:
    return max(least, min(value, most))


def _end(left: int, top: int, height: int, line: int, bits: int) -> int:
    return left * bits // 8 + (top + height) * line
