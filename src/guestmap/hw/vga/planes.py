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
_CELL = struct.Struct("<I")


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

    def _cell(self, state: VgaState, address: int) -> int | None:
        """Return where an address of the window leads; None: nowhere in this mode."""
        mode = state.graphics[reg.GFX_MISC] >> 2 & 3
        low, high = _WINDOWS[mode]
        if not low <= address < high:
            return None
        return address + state.bank if mode == 1 else address - low

    def read(self, address: int) -> int:
        """Read a byte; ``address`` counts from A0000h."""
        state = self._state()
        cell = self._cell(state, address)
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
        latch: int = _CELL.unpack_from(self._memory, at)[0]
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
        cell = self._cell(state, address)
        if cell is None:
            return
        sequencer = state.in_force
        planes = sequencer[reg.SEQ_MAP_MASK]
        if sequencer[reg.SEQ_MEMORY_MODE] & reg.MEMORY_CHAIN_4:
            self._write_byte(cell, value, planes >> (cell & 3) & 1)
        elif state.graphics[reg.GFX_MODE] & reg.MODE_ODD_EVEN:
            at = _odd_even(state, cell)
            self._write_byte(at, value, planes >> (at & 3) & 1)
        else:
            self._write_planar(state, cell, value, SPREAD[planes])

    def _write_byte(self, at: int, value: int, is_open: int) -> None:
        if is_open and at < len(self._memory):
            self._memory[at] = value
            self._written(at, 1)

    def read_run(self, address: int, count: int) -> bytes | None:
        """Return what reads of bytes one after the other return, of text; None in other modes."""
        lanes = self._lanes(address, count)
        if lanes is None:
            return None
        made = bytearray(count)
        for lane, cells in enumerate(lanes):
            made[lane::2] = self._memory[cells]
        return bytes(made)

    def write_run(self, address: int, data: bytes) -> bool:
        """Write bytes one after the other, of text or planes; return False: nothing is written."""
        lanes = self._lanes(address, len(data))
        if lanes is None:
            return self._write_planes(address, data)
        open_planes = self._state().in_force[reg.SEQ_MAP_MASK]
        for lane, cells in enumerate(lanes):
            if open_planes >> (cells.start & 3) & 1:
                self._memory[cells] = data[lane::2]
                self._written(cells.start, cells.stop - cells.start)
        return True

    def _write_planes(self, address: int, data: bytes) -> bool:
        """Write bytes to all open planes, in a planar mode: each value does the same each time."""
        state = self._state()
        is_chained = state.in_force[reg.SEQ_MEMORY_MODE] & reg.MEMORY_CHAIN_4
        if is_chained or state.graphics[reg.GFX_MODE] & reg.MODE_ODD_EVEN:
            return False
        first, last = self._cell(state, address), self._cell(state, address + len(data) - 1)
        if first is None or last is None or 4 * last + 4 > len(self._memory):
            return False
        words = {value: _planar_value(state, value) for value in set(data)}
        for plane in range(4):
            if state.in_force[reg.SEQ_MAP_MASK] >> plane & 1:
                becomes = {value: word >> 8 * plane & 0xFF for value, word in words.items()}
                cells = slice(4 * first + plane, 4 * last + 4, 4)
                self._memory[cells] = bytes([becomes[value] for value in data])
        self._written(4 * first, 4 * len(data))
        return True

    def _lanes(self, address: int, count: int) -> list[slice] | None:
        """Return where every other byte from an address on leads, and where the others do."""
        state = self._state()
        if (
            state.in_force[reg.SEQ_MEMORY_MODE] & reg.MEMORY_CHAIN_4
            or not state.graphics[reg.GFX_MODE] & reg.MODE_ODD_EVEN
        ):
            return None
        first, last = self._cell(state, address), self._cell(state, address + count - 1)
        if first is None or last is None or 2 * last + 4 > len(self._memory):
            return None
        begins = [_odd_even(state, first + lane) for lane in range(min(count, 2))]
        return [
            slice(begin, begin + 4 * ((count - lane - 1) // 2) + 1, 4)
            for lane, begin in enumerate(begins)
        ]

    def _write_planar(self, state: VgaState, cell: int, value: int, mask: int) -> None:
        at = 4 * cell
        if at + 4 > len(self._memory):
            return
        new = _planar_value(state, value)
        if mask != _ALL_PLANES:
            new = _CELL.unpack_from(self._memory, at)[0] & ~mask | new & mask
        _CELL.pack_into(self._memory, at, new)
        self._written(at, 4)


def _odd_even(state: VgaState, cell: int) -> int:
    plane = state.graphics[reg.GFX_READ_MAP] & 2 | cell & 1
    return (cell & ~1) << 1 | plane


def _planar_value(state: VgaState, value: int) -> int:
    """Return the four planes' bytes that a written one becomes, before the map mask."""
    graphics = state.graphics
    mode = graphics[reg.GFX_MODE] & reg.MODE_WRITE
    if mode == 1:
        return state.latch
    bits, turn = graphics[reg.GFX_BIT_MASK], graphics[reg.GFX_ROTATE] & 7
    if (
        mode == 0
        and bits == 0xFF
        and not (graphics[reg.GFX_ROTATE] or graphics[reg.GFX_ENABLE_SET_RESET])
    ):
        return value * _BYTES  # what nearly every program does
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
