"""The EEPROM of an 82540EM as drivers clock it, bit by bit (Microwire, 93C46)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from guestmap.base.dataclass import dataclass
from guestmap.hw.device import U8, U16, U32

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_CLOCK, _SELECT, _IN, _OUT, _KEPT, _THERE = 0x01, 0x02, 0x04, 0x08, 0x77, 0x180
_COMMAND_BITS, _READ = 9, 6


@dataclass(slots=True)
class MicrowireState:
    """How far a command, or a word, has been clocked.

    Attributes:
        lines: the lines as they were written last.
        command, count: bits that have come in, and how many.
        place: which bit of the EEPROM is on its line.
        reads: whether the command was to read.
    """

    lines: U8 = 0
    command: U16 = 0
    count: U8 = 0
    place: U32 = 0
    reads: bool = False


class Microwire:
    """The lines.

    Args:
        state: returns the state; the device's own.
        words: the EEPROM's words.
    """

    def __init__(self, state: Callable[[], MicrowireState], words: Sequence[int]) -> None:
        self._state = state
        self.words = words

    def read(self) -> int:
        """Read the lines."""
        state = self._state()
        word = self.words[state.place >> 4 & 0x3F]
        bit = word >> (state.place & 0xF ^ 0xF) & 1
        return state.lines | _THERE | (_OUT if bit or not state.reads else 0)

    def write(self, value: int) -> None:
        """Write the lines: what the clock's edges do counts while the chip is selected."""
        state = self._state()
        before, state.lines = state.lines, value & _KEPT
        if not value & _SELECT:
            return
        if not before & _SELECT:
            state.command = state.count = state.place = 0
            state.reads = False
        if not (value ^ before) & _CLOCK:
            return
        if not value & _CLOCK:
            state.place = state.place + 1 & 0x3FF
            return
        state.command = (state.command << 1 | bool(value & _IN)) & 0xFFFF
        state.count = min(state.count + 1, 0xFF)
        if state.count == _COMMAND_BITS and not state.reads:
            state.place = ((state.command & 0x3F) << 4) - 1 & 0x3FF
            state.reads = state.command >> 6 & 7 == _READ
