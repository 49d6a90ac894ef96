"""A VGA's ports 3B0h to 3DFh: index and data registers, palette, status.

One table of ports, read and write; which of the two groups of CRT controller ports answers is a
bit of the miscellaneous output register. Where the IBM manuals leave a choice it is QEMU's: the
retrace bits of input status 1 change with each read, and the palette keeps all 8 bits.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from guestmap.hw.vga import registers as reg
from guestmap.hw.vga.dispi import agree

if TYPE_CHECKING:
    from guestmap.hw.vga.state import VgaState

_NOTHING = 0xFF
_BOTH = 0x3C0
"""Ports from here on are where they are in both groups."""
_INDEX = 0x1F
_RETRACE_BITS = reg.STATUS_1_RETRACE | reg.STATUS_1_BLANK


class VgaPorts:
    """The ports' side of a VGA.

    Args:
        state: returns the registers; the device's own.
        changed: called where the map may be another now.
        touched: called where the screen may show something else.
    """

    def __init__(
        self,
        state: Callable[[], VgaState],
        changed: Callable[[], None],
        touched: Callable[[], None],
    ) -> None:
        self._state = state
        self._changed = changed
        self._touched = touched
        self._reads: dict[int, Callable[[VgaState], int]] = {
            0x3C0: lambda s: 0 if s.wants_data else s.attribute_index,
            0x3C1: _attribute,
            0x3C2: lambda _: 0,
            0x3C4: lambda s: s.sequencer_index,
            0x3C5: lambda s: s.sequencer[s.sequencer_index],
            0x3C7: lambda s: s.dac_state,
            0x3C8: lambda s: s.dac_write,
            0x3C9: _palette_read,
            0x3CA: lambda s: s.feature,
            0x3CC: lambda s: s.misc,
            0x3CE: lambda s: s.graphics_index,
            0x3CF: lambda s: s.graphics[s.graphics_index],
            0x3B4: lambda s: s.crtc_index,
            0x3B5: lambda s: s.crtc[s.crtc_index],
            0x3BA: _status,
        }
        self._monochrome: dict[int, Callable[[VgaState, int], None]] = {}
        self._colour: dict[int, Callable[[VgaState, int], None]] = {}
        self._take_writes({
            0x3C0: _write_attribute,
            0x3C2: _write_misc,
            0x3C4: _write_sequencer_index,
            0x3C5: self._write_sequencer,
            0x3C7: _read_palette_from,
            0x3C8: _write_palette_from,
            0x3C9: _write_palette,
            0x3CE: _write_graphics_index,
            0x3CF: self._write_graphics,
            0x3B4: _write_crtc_index,
            0x3B5: write_crtc,
            0x3BA: _write_feature,
        })  # fmt: skip

    def _take_writes(self, takers: dict[int, Callable[[VgaState, int], None]]) -> None:
        """Have these take writes, by the ports of a monochrome adapter."""
        for port, taker in takers.items():
            self._monochrome[port] = taker
            self._colour[port if port >= _BOTH else port + reg.COLOUR_CRTC] = taker

    def read(self, port: int) -> int:
        """Read a byte; a port of the other group of CRT controller ports is nobody's."""
        state = self._state()
        known = _in_group(state, port)
        if known is None:
            return _NOTHING
        answer = self._reads.get(known)
        return 0 if answer is None else answer(state)

    def write(self, port: int, value: int) -> None:
        """Write a byte."""
        state = self._state()
        takers = self._colour if state.misc & reg.MISC_COLOUR else self._monochrome
        taker = takers.get(port)
        if taker is not None:
            taker(state, value)
            self._touched()

    def write_pair(self, port: int, value: int) -> None:
        """Write an index, and its data register, of which there are two ports."""
        state = self._state()
        takers = self._colour if state.misc & reg.MISC_COLOUR else self._monochrome
        taker = takers.get(port)
        if taker is not None:
            taker(state, value & 0xFF)
            takers[port + 1](state, value >> 8 & 0xFF)
            self._touched()

    def _write_sequencer(self, state: VgaState, value: int) -> None:
        index = state.sequencer_index
        state.sequencer[index] = value & reg.SEQ_MASKS[index]
        self._changed()

    def _write_graphics(self, state: VgaState, value: int) -> None:
        index = state.graphics_index
        state.graphics[index] = value & reg.GFX_MASKS[index]
        agree(state)
        self._changed()


def _in_group(state: VgaState, port: int) -> int | None:
    """Return the port's number in the monochrome group; None: the other group is in use."""
    if 0x3C0 <= port <= 0x3CF:
        return port
    is_colour = port >= 0x3D0
    if is_colour != bool(state.misc & reg.MISC_COLOUR):
        return None
    return port - reg.COLOUR_CRTC if is_colour else port


def _attribute(state: VgaState) -> int:
    index = state.attribute_index & _INDEX
    return state.attribute[index] if index < len(state.attribute) else 0


def _write_attribute(state: VgaState, value: int) -> None:
    if not state.wants_data:
        state.attribute_index = value & (_INDEX | reg.PALETTE_VISIBLE)
    else:
        index = state.attribute_index & _INDEX
        if index < len(state.attribute):
            state.attribute[index] = value & reg.ATTR_MASKS[index]
    state.wants_data = not state.wants_data


def _write_misc(state: VgaState, value: int) -> None:
    state.misc = value & ~0x10


def _write_sequencer_index(state: VgaState, value: int) -> None:
    state.sequencer_index = value & 7


def _write_graphics_index(state: VgaState, value: int) -> None:
    state.graphics_index = value & 0x0F


def _write_crtc_index(state: VgaState, value: int) -> None:
    state.crtc_index = value


def _write_feature(state: VgaState, value: int) -> None:
    state.feature = value & 0x10


def _status(state: VgaState) -> int:
    state.wants_data = False
    state.status_1 ^= _RETRACE_BITS
    return state.status_1


def _read_palette_from(state: VgaState, value: int) -> None:
    state.dac_read, state.dac_part, state.dac_state = value, 0, 3


def _write_palette_from(state: VgaState, value: int) -> None:
    state.dac_write, state.dac_part, state.dac_state = value, 0, 0


def _palette_read(state: VgaState) -> int:
    value = state.palette[3 * state.dac_read + state.dac_part]
    state.dac_part += 1
    if state.dac_part == 3:
        state.dac_part, state.dac_read = 0, (state.dac_read + 1) & 0xFF
    return value


def _write_palette(state: VgaState, value: int) -> None:
    state.dac_cache[state.dac_part] = value
    state.dac_part += 1
    if state.dac_part == 3:
        first = 3 * state.dac_write
        state.palette[first : first + 3] = bytes(state.dac_cache)
        state.dac_part, state.dac_write = 0, (state.dac_write + 1) & 0xFF


def write_crtc(state: VgaState, value: int) -> None:
    """Write the CRT controller's register in front, as far as it is not protected."""
    index, crtc = state.crtc_index, state.crtc
    if crtc[reg.CRTC_END_RETRACE] & reg.CRTC_PROTECT and index <= reg.CRTC_OVERFLOW:
        if index == reg.CRTC_OVERFLOW:
            bit = reg.OVERFLOW_LINE_COMPARE
            crtc[index] = crtc[index] & ~bit | value & bit
            agree(state)
        return
    crtc[index] = value
    agree(state)
