"""The windows of a CL-GD5446 where they are not memory: banks, wide writes, the blitter's bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from guestmap.hw.vga import registers as vga
from guestmap.hw.vga.cirrus import registers as reg

if TYPE_CHECKING:
    from collections.abc import Callable

    from guestmap.hw.vga.cirrus.blitter import Blitter
    from guestmap.hw.vga.cirrus.ports import CirrusPorts
    from guestmap.hw.vga.cirrus.state import CirrusState
    from guestmap.hw.vga.planes import VgaPlanes
    from guestmap.hw.vga.runs import VgaRuns

_NOTHING = 0xFF
_BANKS_END, _BANK_SIZE = 0x10000, 0x8000
_MMIO_AT, _MMIO_SIZE = 0x18000, 0x100
_MASK = reg.MEMORY_SIZE - 1
_LAST_256 = _MASK & ~0xFF


class CirrusWindows:
    """The memory of a CL-GD5446 through its windows.

    Args:
        state: returns the registers; the device's own.
        memory: the memory's bytes.
        written: told of each write: offset and bytes.
        planes, runs: the memory as a VGA sees it.
        ports: have the blitter's registers.
        blitter: takes what the CPU gives it, whatever window it comes through.
    """

    def __init__(
        self,
        state: Callable[[], CirrusState],
        memory: memoryview,
        written: Callable[[int, int], None],
        *,
        planes: VgaPlanes,
        runs: VgaRuns,
        ports: CirrusPorts,
        blitter: Blitter,
    ) -> None:
        self._state = state
        self._memory = memory
        self._written = written
        self._planes = planes
        self._runs = runs
        self._ports = ports
        self._blitter = blitter

    # -- the legacy window -------------------------------------------------------------------------

    def read_low(self, address: int) -> int:
        """Read a byte; ``address`` counts from A0000h."""
        state = self._state()
        if not state.is_extended:
            return self._planes.read(address)
        if address < _BANKS_END:
            at = _banked(state, address)
            return _NOTHING if at is None else self._memory[at]
        if self._is_low_mmio(state, address):
            return self._ports.read_mmio(address - _MMIO_AT)
        return _NOTHING

    def write_low(self, address: int, value: int) -> None:
        """Write a byte; ``address`` counts from A0000h."""
        state = self._state()
        if not state.is_extended:
            self._planes.write(address, value)
        elif address < _BANKS_END:
            if state.blit.is_fed:
                self._blitter.feed(value)
            elif (at := _banked(state, address)) is not None:
                self._write(state, at, value)
        elif self._is_low_mmio(state, address):
            self._ports.write_mmio(address - _MMIO_AT, value)

    def write_low_pair(self, address: int, value: int) -> bool:
        """Write two bytes where it is a VGA, and they are text; return False: none is written."""
        return not self._state().is_extended and self._runs.write_pair(address, value)

    def write_low_run(self, address: int, data: bytes) -> bool:
        """Write bytes one after the other, where it is a VGA; return False: nothing is written."""
        return not self._state().is_extended and self._runs.write(address, data)

    def move_low_run(self, target: int, source: int, count: int, size: int) -> bool:
        """Move elements of so many bytes, likewise."""
        return not self._state().is_extended and self._runs.move(target, source, count, size)

    @staticmethod
    def _is_low_mmio(state: CirrusState, address: int) -> bool:
        control = state.sequencer[reg.SEQ_CONTROL] & reg.CONTROL_MMIO_LINEAR
        return 0 <= address - _MMIO_AT < _MMIO_SIZE and control == reg.CONTROL_MMIO

    # -- the linear windows ------------------------------------------------------------------------

    def read_linear(self, offset: int) -> int:
        """Read a byte of the linear window."""
        state = self._state()
        offset &= _MASK
        if _is_linear_mmio(state, offset):
            return self._ports.read_mmio(offset & 0xFF)
        return self._memory[offset << state.shift & _MASK]

    def write_linear(self, offset: int, value: int) -> None:
        """Write a byte of the linear window."""
        state = self._state()
        offset &= _MASK
        if _is_linear_mmio(state, offset):
            self._ports.write_mmio(offset & 0xFF, value)
        elif state.blit.is_fed:
            self._blitter.feed(value)
        else:
            self._write(state, offset << state.shift & _MASK, value)

    def write_blit(self, value: int) -> None:
        """Give the blitter a byte through the window that is for nothing else."""
        if self._state().blit.is_fed:
            self._blitter.feed(value)

    # -- how a byte is written ---------------------------------------------------------------------

    def _write(self, state: CirrusState, at: int, value: int) -> None:
        if state.writes_wide:
            self._write_wide(state, at, value)
        else:
            self._memory[at] = value
            self._written(at, 1)

    def _write_wide(self, state: CirrusState, at: int, value: int) -> None:
        """Write eight dots, of one byte or two; bits that are 0 write nothing in mode 4."""
        is_double = state.shift == 4
        ink, paper = (bytes([state.ink]), bytes([state.paper]))
        if is_double:
            ink += bytes([state.graphics[reg.GFX_INK[0]]])
            paper += bytes([state.graphics[reg.GFX_PAPER[0]]])
        fills = state.graphics[vga.GFX_MODE] & 7 == 5
        for dot in range(8):
            is_ink = value >> (7 - dot) & 1
            if is_ink or fills:
                place = at + dot * len(ink) & _MASK & ~(len(ink) - 1)
                self._memory[place : place + len(ink)] = ink if is_ink else paper
                self._written(place, len(ink))


def _is_linear_mmio(state: CirrusState, offset: int) -> bool:
    control = state.sequencer[reg.SEQ_CONTROL] & reg.CONTROL_MMIO_LINEAR
    return control == reg.CONTROL_MMIO_LINEAR and offset & _LAST_256 == _LAST_256


def _banked(state: CirrusState, address: int) -> int | None:
    """Return where a byte of the legacy window is in the memory; None: behind its end."""
    half, offset = divmod(address, _BANK_SIZE)
    begin, reach = state.banks[half]
    return (begin + offset) << state.shift & _MASK if offset < reach else None
