"""The output buffer of a keyboard controller: one byte, of whoever comes first.

The controller itself, the keyboard and the mouse have bytes to deliver; port 60h shows one at a
time, and an interrupt line says that there is one, and whose. Bits are those of the IBM PS/2
Hardware Interface Technical Reference ("Keyboard and Auxiliary Device Controller").
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from guestmap.base.dataclass import dataclass
from guestmap.hw.device import U8, DeviceModel

if TYPE_CHECKING:
    from collections.abc import Callable

    from guestmap.base import IrqLine

STATUS_OBF, STATUS_SELF_TEST, STATUS_MOUSE_OBF = 0x01, 0x04, 0x20
_STATUS_AT_RESET = 0x18  # the keyboard lock is open, and a fixed bit

MODE_KBD_INT, MODE_MOUSE_INT = 0x01, 0x02
MODE_NO_KBD, MODE_NO_MOUSE, MODE_TRANSLATE = 0x10, 0x20, 0x40

OUT_RESET, OUT_A20, OUT_OBF, OUT_MOUSE_OBF = 0x01, 0x02, 0x10, 0x20
_OUT_ONES = 0xCC

# Who has a byte to deliver. The two devices use the bits that disable them in the mode byte.
FROM_KBD, FROM_MOUSE = MODE_NO_KBD, MODE_NO_MOUSE
FROM_SELF, FROM_SELF_AS_MOUSE = 0x04, 0x08
_SELF = FROM_SELF | FROM_SELF_AS_MOUSE


@dataclass(slots=True)
class I8042State:
    """The registers, and who has a byte to deliver."""

    pending: U8 = 0
    source: U8 = 0
    data: U8 = 0
    """What port 60h shows."""
    own_byte: U8 = 0
    argument_of: U8 = 0
    status: U8 = _STATUS_AT_RESET
    mode: U8 = MODE_KBD_INT | MODE_MOUSE_INT
    outport: U8 = OUT_RESET | OUT_A20 | _OUT_ONES


class OutputBuffer(DeviceModel[I8042State]):
    """A controller's way out: who has a byte, which of them is on offer, and the interrupts.

    Args:
        keyboard_irq, mouse_irq: its interrupt lines.
    """

    def __init__(self, keyboard_irq: IrqLine, mouse_irq: IrqLine) -> None:
        super().__init__(I8042State())
        self._keyboard_irq, self._mouse_irq = keyboard_irq, mouse_irq

    def _listener(self, source: int) -> Callable[[bool], None]:
        def listen(has_data: bool) -> None:
            if has_data:
                self.state.pending |= source
            else:
                self.state.pending &= ~source
            self._fill()

        return listen

    def _answer(self, value: int, *, as_mouse: bool = False) -> None:
        self.state.own_byte = value
        self.state.pending = self.state.pending & ~_SELF | (
            FROM_SELF_AS_MOUSE if as_mouse else FROM_SELF
        )
        self._fill()

    def _take_own_byte(self) -> int:
        self.state.pending &= ~_SELF
        self._refill()
        return self.state.own_byte

    def _ready(self) -> int:
        """Return who may deliver: a disabled device waits."""
        return self.state.pending & ~(self.state.mode & (FROM_KBD | FROM_MOUSE))

    def _fill(self) -> None:
        """Offer the next byte, unless one is on offer: reading that one comes back here."""
        if not self.state.status & STATUS_OBF:
            self._refill()

    def _refill(self) -> None:
        ready = self._ready()
        if not ready:
            return
        self._empty_output()
        self.state.status |= STATUS_OBF
        self.state.outport |= OUT_OBF
        # Own answers first, then the keyboard.
        self.state.source = next(
            source
            for source in (FROM_SELF, FROM_SELF_AS_MOUSE, FROM_KBD, FROM_MOUSE)
            if ready & source
        )
        if self.state.source in (FROM_SELF_AS_MOUSE, FROM_MOUSE):
            self.state.status |= STATUS_MOUSE_OBF
            self.state.outport |= OUT_MOUSE_OBF
        self._update_lines()

    def _empty_output(self) -> None:
        self.state.status &= ~(STATUS_OBF | STATUS_MOUSE_OBF)
        self.state.outport &= ~(OUT_OBF | OUT_MOUSE_OBF)

    def _update_lines(self) -> None:
        status, mode = self.state.status, self.state.mode
        full, of_mouse = status & STATUS_OBF, status & STATUS_MOUSE_OBF
        self._keyboard_irq.set(
            bool(full and not of_mouse and mode & MODE_KBD_INT and not mode & MODE_NO_KBD)
        )
        self._mouse_irq.set(bool(full and of_mouse and mode & MODE_MOUSE_INT))
