"""Many bytes of the window at A0000h at once, where that is the same as one by one.

That is so of text: characters and their attributes are pairs of bytes, one in each cell. In planar
modes it is so of values that are written, whatever the mode makes of them; of cells that are moved
by the latch alone (write mode 1); and where the latch has nothing to do with what is written.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from guestmap.hw.vga import registers as reg
from guestmap.hw.vga.planes import CELL, VgaPlanes, cell_of, is_plain, planar_value

if TYPE_CHECKING:
    from collections.abc import Callable

    from guestmap.hw.vga.state import VgaState

_WRITES_LATCH = 1
"""The write mode."""


class VgaRuns:
    """The memory of a VGA through its window, many bytes at a time.

    Each method tells whether that was done: where not, nothing is, and it goes byte by byte.

    Args:
        state: returns the registers; the device's own.
        memory: the memory's bytes.
        written: told of each write: offset and bytes.
        planes: take single bytes, where text does not begin or end with a pair.
    """

    def __init__(
        self,
        state: Callable[[], VgaState],
        memory: memoryview,
        written: Callable[[int, int], None],
        planes: VgaPlanes,
    ) -> None:
        self._state = state
        self._planes = planes
        self._memory = memory
        self._pairs = memory.cast("H")
        self._written = written

    def write_pair(self, address: int, value: int) -> bool:
        """Write a character and its attribute."""
        return self.write(address, value.to_bytes(2, "little"))

    def write(self, address: int, data: bytes) -> bool:
        """Write bytes one after the other; ``address`` counts from A0000h."""
        state, length = self._state(), len(data)
        head, tail = address & 1, address + length & 1
        text = self._text(state, address + head, length - head - tail)
        if text is None:
            return self._write_planes(state, address, data)
        if head:
            self._planes.write(address, data[0])
        self._pairs[text] = memoryview(data)[head : length - tail].cast("H")
        self._tell(text)
        if tail:
            self._planes.write(address + length - 1, data[-1])
        return True

    def move(self, target: int, source: int, count: int, size: int) -> bool:
        """Move elements of ``size`` bytes; none is written that is read afterwards."""
        state, length = self._state(), count * size
        head, tail = source & 1, source + length & 1
        come = self._text(state, source + head, length - head - tail)
        if come is None:
            return self._move_planes(state, target, source, length, size)
        to = self._text(state, target + head, length - head - tail)
        if to is None:
            return False
        planes, last = self._planes, length - 1
        if head:
            planes.write(target, planes.read(source))
        self._pairs[to] = self._pairs[come]
        self._tell(to)
        if tail:
            planes.write(target + last, planes.read(source + last))
        return True

    def _tell(self, pairs: slice) -> None:
        self._written(2 * pairs.start, 2 * (pairs.stop - pairs.start))

    def _text(self, state: VgaState, address: int, length: int) -> slice | None:
        """Return where in the memory some characters and attributes are, counted in pairs."""
        graphics, sequencer = state.graphics, state.in_force
        plane = graphics[reg.GFX_READ_MAP] & 2
        if (
            address & 1
            or length < 2
            or not graphics[reg.GFX_MODE] & reg.MODE_ODD_EVEN
            or sequencer[reg.SEQ_MEMORY_MODE] & reg.MEMORY_CHAIN_4
            or sequencer[reg.SEQ_MAP_MASK] >> plane & 3 != 3
        ):
            return None
        first, last = cell_of(state, address), cell_of(state, address + length - 1)
        if first is None or last is None or first & 1 or 2 * last + 4 > len(self._memory):
            return None
        begin = first + (plane >> 1)
        return slice(begin, begin + length - 1, 2)

    def _write_planes(self, state: VgaState, address: int, data: bytes) -> bool:
        first = self._cells(state, address, len(data))
        if first is None:
            return False
        words = {value: planar_value(state, value) for value in set(data)}
        self._write_open_planes(state, first, [
            bytes([word >> 8 * plane & 0xFF for word in map(words.__getitem__, data)])
            for plane in range(4)
        ])  # fmt: skip
        return True

    def _move_planes(
        self, state: VgaState, target: int, source: int, length: int, size: int
    ) -> bool:
        come, to = self._cells(state, source, length), self._cells(state, target, length)
        if come is None or to is None:
            return False
        graphics, memory = state.graphics, self._memory
        end = 4 * (come + length)
        planes = [bytes(memory[4 * come + plane : end : 4]) for plane in range(4)]
        if is_plain(state) and not graphics[reg.GFX_MODE] & reg.MODE_READ_1:
            planes = [planes[graphics[reg.GFX_READ_MAP]]] * 4
        elif graphics[reg.GFX_MODE] & reg.MODE_WRITE != _WRITES_LATCH or size > 1:
            return False  # of wider elements the latch has the last byte alone
        state.latch = CELL.unpack_from(memory, end - 4)[0]
        self._write_open_planes(state, to, planes)
        return True

    def _cells(self, state: VgaState, address: int, count: int) -> int | None:
        """Return the first of some cells in a planar mode; None where not all of them are."""
        is_chained = state.in_force[reg.SEQ_MEMORY_MODE] & reg.MEMORY_CHAIN_4
        if is_chained or state.graphics[reg.GFX_MODE] & reg.MODE_ODD_EVEN:
            return None
        first, last = cell_of(state, address), cell_of(state, address + count - 1)
        if first is None or last is None or 4 * last + 4 > len(self._memory):
            return None
        return first

    def _write_open_planes(self, state: VgaState, first: int, planes: list[bytes]) -> None:
        length = len(planes[0])
        for plane, data in enumerate(planes):
            if state.in_force[reg.SEQ_MAP_MASK] >> plane & 1:
                self._memory[4 * first + plane : 4 * (first + length) : 4] = data
        self._written(4 * first, 4 * length)
