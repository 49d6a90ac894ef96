"""The window at A0000h: how a byte there becomes bytes of four planes, and back.

Plane ``p`` of cell ``n`` is byte ``4 * n + p`` of the memory. Three ways: chain-4, in which the low
two bits of the address choose the plane; odd/even, in which bit 0 does, for text; and planar, with
four write modes, two read modes and the latch (IBM VGA; FreeVGA, "Accessing VGA Display Memory").
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from guestmap.hw.vga import registers as reg

if TYPE_CHECKING:
    from collections.abc import Callable

    from guestmap.hw.vga.state import VgaState

WINDOW_BASE, WINDOW_SIZE = 0xA0000, 0x20000
_WINDOWS = ((0, 0x20000), (0, 0x10000), (0x10000, 0x18000), (0x18000, 0x20000))
"""First offset and end in the window, by bits 2 and 3 of the graphics controller's register 6."""
_NOTHING = 0xFF
_BYTES, _ALL_PLANES = 0x01010101, 0xFFFFFFFF
CELL = struct.Struct("<I")


def spread(bits: int) -> int:
    """Return a word of four bytes, each all ones where its bit of the four is set."""
    return sum(0xFF << (8 * plane) for plane in range(4) if bits >> plane & 1)


SPREAD = tuple(spread(bits) for bits in range(16))


def window_address(state: VgaState, offset: int) -> int | None:
    """Return where a byte of the memory is in the window, counted from A0000h; None: nowhere.

    That is the other way of :class:`VgaPlanes`, in the mode of now.
    """
    if not state.has_planes:
        return None
    if state.in_force[reg.SEQ_MEMORY_MODE] & reg.MEMORY_CHAIN_4:
        cell = offset
    elif not state.graphics[reg.GFX_MODE] & reg.MODE_ODD_EVEN:
        cell = offset >> 2
    elif (state.graphics[reg.GFX_READ_MAP] ^ offset) & 2:
        return None
    else:
        cell = offset >> 1 & ~1 | offset & 1
    mode = state.graphics[reg.GFX_MISC] >> 2 & 3
    low, high = _WINDOWS[mode]
    address = cell - state.bank if mode == 1 else cell + low
    return address if low <= address < high else None


def cell_of(state: VgaState, address: int) -> int | None:
    """Return where an address of the window leads, before its planes; None: nowhere in this mode.

    ``address`` counts from A0000h.
    """
    mode = state.graphics[reg.GFX_MISC] >> 2 & 3
    low, high = _WINDOWS[mode]
    if not low <= address < high:
        return None
    return address + state.bank if mode == 1 else address - low


class VgaPlanes:
    """The memory of a VGA through its window.

    Args:
        state: returns the registers; the device's own.
        memory: the memory's bytes.
        written: told of each write: offset and bytes.
    """

    def __init__(
        self,
        state: Callable[[], VgaState],
        memory: memoryview,
        written: Callable[[int, int], None],
    ) -> None:
        self._state = state
        self._memory = memory
        self._written = written

    def read(self, address: int) -> int:
        """Read a byte; ``address`` counts from A0000h."""
        state = self._state()
        cell = cell_of(state, address)
        if cell is None:
            return _NOTHING
        memory = self._memory
        if state.in_force[reg.SEQ_MEMORY_MODE] & reg.MEMORY_CHAIN_4:
            return memory[cell] if cell < len(memory) else _NOTHING
        if state.graphics[reg.GFX_MODE] & reg.MODE_ODD_EVEN:
            at = _odd_even(state, cell)
            return memory[at] if at < len(memory) else _NOTHING
        return self._read_planar(state, cell)

    def _read_planar(self, state: VgaState, cell: int) -> int:
        at = 4 * cell
        if at + 4 > len(self._memory):
            return _NOTHING
        latch: int = CELL.unpack_from(self._memory, at)[0]
        state.latch = latch
        graphics = state.graphics
        if not graphics[reg.GFX_MODE] & reg.MODE_READ_1:
            return latch >> (8 * graphics[reg.GFX_READ_MAP]) & 0xFF
        care = SPREAD[graphics[reg.GFX_COLOUR_CARE]]
        differs = (latch ^ SPREAD[graphics[reg.GFX_COLOUR_COMPARE]]) & care
        differs |= differs >> 16
        differs |= differs >> 8
        return ~differs & 0xFF

    def write(self, address: int, value: int) -> None:
        """Write a byte; ``address`` counts from A0000h."""
        state = self._state()
        cell = cell_of(state, address)
        if cell is None:
            return
        sequencer = state.in_force
        planes = sequencer[reg.SEQ_MAP_MASK]
        if sequencer[reg.SEQ_MEMORY_MODE] & reg.MEMORY_CHAIN_4:
            at = cell
        elif state.graphics[reg.GFX_MODE] & reg.MODE_ODD_EVEN:
            at = _odd_even(state, cell)
        else:
            self._write_planar(state, cell, value, SPREAD[planes])
            return
        if planes >> (at & 3) & 1 and at < len(self._memory):
            self._memory[at] = value
            self._written(at, 1)

    def _write_planar(self, state: VgaState, cell: int, value: int, mask: int) -> None:
        at = 4 * cell
        if at + 4 > len(self._memory):
            return
        new = planar_value(state, value)
        if mask != _ALL_PLANES:
            new = CELL.unpack_from(self._memory, at)[0] & ~mask | new & mask
        CELL.pack_into(self._memory, at, new)
        self._written(at, 4)


def _odd_even(state: VgaState, cell: int) -> int:
    plane = state.graphics[reg.GFX_READ_MAP] & 2 | cell & 1
    return (cell & ~1) << 1 | plane


def is_plain(state: VgaState) -> bool:
    """Tell whether a byte that is written goes to all open planes as it is."""
    graphics = state.graphics
    return (
        graphics[reg.GFX_MODE] & reg.MODE_WRITE == 0
        and graphics[reg.GFX_BIT_MASK] == 0xFF
        and not (graphics[reg.GFX_ROTATE] or graphics[reg.GFX_ENABLE_SET_RESET])
    )


def planar_value(state: VgaState, value: int) -> int:
    """Return the four planes' bytes that a written one becomes, before the map mask."""
    graphics = state.graphics
    mode = graphics[reg.GFX_MODE] & reg.MODE_WRITE
    if mode == 1:
        return state.latch
    if is_plain(state):
        return value * _BYTES  # what nearly every program does
    bits, turn = graphics[reg.GFX_BIT_MASK], graphics[reg.GFX_ROTATE] & 7
    turned = (value >> turn | value << (8 - turn)) & 0xFF
    set_reset = SPREAD[graphics[reg.GFX_SET_RESET]]
    if mode == 0:
        forced = SPREAD[graphics[reg.GFX_ENABLE_SET_RESET]]
        word = turned * _BYTES & ~forced | set_reset & forced
    elif mode == 2:
        word = SPREAD[value & 0x0F]
    else:
        bits &= turned
        word = set_reset
    word = _combined(graphics[reg.GFX_ROTATE] >> 3, word, state.latch)
    mask = bits * _BYTES
    return word & mask | state.latch & ~mask


def _combined(function: int, word: int, latch: int) -> int:
    if function == 1:
        return word & latch
    if function == 2:
        return word | latch
    return word ^ latch if function == 3 else word
