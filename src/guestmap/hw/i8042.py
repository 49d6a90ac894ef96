"""The keyboard controller of a PC/AT (Intel 8042) with a PS/2 keyboard and a PS/2 mouse.

Port 60h is data, port 64h is status and command. Commands and bits are those of the IBM PS/2
Hardware Interface Technical Reference ("Keyboard and Auxiliary Device Controller"). The controller
also drives two wires that have nothing to do with keys: address line A20 and the processor's reset.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from guestmap.hw.ps2 import Ps2Keyboard
from guestmap.hw.ps2_mouse import Ps2Mouse
from guestmap.memory import AccessSizes, Endianness, MemoryRegion, MemoryRegionOps

if TYPE_CHECKING:
    from collections.abc import Iterable

    from guestmap.base import IrqLine
    from guestmap.memory import MemorySystem

DATA_PORT, COMMAND_PORT = 0x60, 0x64

_STATUS_OBF, _STATUS_SELF_TEST, _STATUS_MOUSE_OBF = 0x01, 0x04, 0x20
_STATUS_AT_RESET = 0x18  # the keyboard lock is open, and a fixed bit

_MODE_KBD_INT, _MODE_MOUSE_INT = 0x01, 0x02
_MODE_NO_KBD, _MODE_NO_MOUSE, _MODE_TRANSLATE = 0x10, 0x20, 0x40

_OUT_RESET, _OUT_A20, _OUT_OBF, _OUT_MOUSE_OBF = 0x01, 0x02, 0x10, 0x20
_OUT_ONES = 0xCC

_INPUT_PORT = 0x80  # the keyboard is not locked

# Who has a byte to deliver. The two devices use the bits that disable them in the mode byte.
_FROM_KBD, _FROM_MOUSE = _MODE_NO_KBD, _MODE_NO_MOUSE
_FROM_SELF, _FROM_SELF_AS_MOUSE = 0x04, 0x08
_SELF = _FROM_SELF | _FROM_SELF_AS_MOUSE


class I8042:
    """The controller.

    Attributes:
        data_region, command_region: ``i8042-data`` at 60h and ``i8042-cmd`` at 64h, 1 byte each.
        keyboard, mouse: what is plugged in.
    """

    def __init__(
        self,
        memory: MemorySystem,
        keyboard_irq: IrqLine,
        mouse_irq: IrqLine,
        *,
        on_reset: Callable[[], None] = lambda: None,
        on_a20: Callable[[bool], None] = lambda _level: None,
    ) -> None:
        """Make a controller.

        ``on_reset`` is called when the guest pulses the reset wire, ``on_a20`` with the level of
        A20 whenever the guest writes it.
        """
        self._keyboard_irq, self._mouse_irq = keyboard_irq, mouse_irq
        self._on_reset, self._on_a20 = on_reset, on_a20
        self._pending = 0
        self._source = 0
        self._data = 0  # what port 60h shows
        self._own_byte = 0
        self._argument_of = 0
        self._status, self._mode, self._outport = _STATUS_AT_RESET, 0, 0
        self.keyboard = Ps2Keyboard(self._listener(_FROM_KBD))
        self.mouse = Ps2Mouse(self._listener(_FROM_MOUSE))
        self._simple_commands = self._command_table()
        one = AccessSizes(min=1, max=1)
        little = Endianness.LITTLE
        data = MemoryRegionOps(
            read=self._read_data, write=self._write_data, impl=one, endianness=little
        )
        command = MemoryRegionOps(
            read=self._read_status, write=self._write_command, impl=one, endianness=little
        )
        self.data_region: MemoryRegion = memory.io("i8042-data", 1, data)
        self.command_region: MemoryRegion = memory.io("i8042-cmd", 1, command)
        self.regions: tuple[tuple[int, MemoryRegion], ...] = (
            (DATA_PORT, self.data_region),
            (COMMAND_PORT, self.command_region),
        )
        self.reset()

    def reset(self) -> None:
        """Go back to the state at power-on, keyboard and mouse too."""
        self.keyboard.reset()
        self.mouse.reset()
        self._mode = _MODE_KBD_INT | _MODE_MOUSE_INT
        self._status = _STATUS_AT_RESET
        self._outport = _OUT_RESET | _OUT_A20 | _OUT_ONES
        self._pending = 0
        self._update_lines()

    def press(self, codes: Iterable[int]) -> None:
        """Press and release keys: bytes of scan code set 1 (see :meth:`Ps2Keyboard.press`)."""
        self.keyboard.press(codes)

    def _read_status(self, offset: int, size: int) -> int:
        return self._status

    def _read_data(self, offset: int, size: int) -> int:
        if self._status & _STATUS_OBF:
            self._empty_output()
            self._update_lines()
            if self._source == _FROM_KBD:
                self._data = self.keyboard.read()
            elif self._source == _FROM_MOUSE:
                self._data = self.mouse.read()
            else:
                self._data = self._own_byte
                self._pending &= ~_SELF
                self._refill()
        return self._data

    def _write_command(self, offset: int, value: int, size: int) -> None:
        value &= 0xFF
        if value >= 0xF0:
            # Bits 3-0 that are 0 pulse a line of the output port; only line 0, reset, is wired.
            if not value & 1:
                self._on_reset()
            return
        action = self._simple_commands.get(value)
        if action is not None:
            action()
        elif value in (0x60, 0xD1, 0xD2, 0xD3, 0xD4):
            self._argument_of = value

    def _command_table(self) -> dict[int, Callable[[], None]]:
        return {
            0x20: lambda: self._answer(self._mode),
            0xA7: lambda: self._set_disabled(_MODE_NO_MOUSE, True),
            0xA8: lambda: self._set_disabled(_MODE_NO_MOUSE, False),
            0xA9: lambda: self._answer(0x00),
            0xAA: self._self_test,
            0xAB: lambda: self._answer(0x00),
            0xAD: lambda: self._set_disabled(_MODE_NO_KBD, True),
            0xAE: lambda: self._set_disabled(_MODE_NO_KBD, False),
            0xC0: lambda: self._answer(_INPUT_PORT),
            0xD0: lambda: self._answer(self._outport),
            0xDD: lambda: self._set_a20(False),
            0xDF: lambda: self._set_a20(True),
        }

    def _write_data(self, offset: int, value: int, size: int) -> None:
        value &= 0xFF
        command, self._argument_of = self._argument_of, 0
        match command:
            case 0x60:
                self._mode = value
                self.keyboard.translate = bool(value & _MODE_TRANSLATE)
                self._update_lines()
                self._fill()
            case 0xD1:
                self._write_output_port(value)
            case 0xD2:
                self._answer(value)
            case 0xD3:
                self._answer(value, as_mouse=True)
            case 0xD4:
                self.mouse.write(value)
                self._set_disabled(_MODE_NO_MOUSE, False)
            case _:
                self.keyboard.write(value)
                self._set_disabled(_MODE_NO_KBD, False)

    def _self_test(self) -> None:
        self._status |= _STATUS_SELF_TEST
        self._answer(0x55)

    def _set_disabled(self, bit: int, disabled: bool) -> None:
        if disabled:
            self._mode |= bit
        else:
            self._mode &= ~bit
            self._fill()

    def _write_output_port(self, value: int) -> None:
        self._outport = value
        self._on_a20(bool(value & _OUT_A20))
        if not value & _OUT_RESET:
            self._on_reset()

    def _set_a20(self, level: bool) -> None:
        self._outport = self._outport & ~_OUT_A20 | (_OUT_A20 if level else 0)
        self._on_a20(level)

    # the output buffer: one byte, of whoever comes first

    def _listener(self, source: int) -> Callable[[bool], None]:
        def listen(has_data: bool) -> None:
            if has_data:
                self._pending |= source
            else:
                self._pending &= ~source
            self._fill()

        return listen

    def _answer(self, value: int, *, as_mouse: bool = False) -> None:
        self._own_byte = value
        self._pending = self._pending & ~_SELF | (_FROM_SELF_AS_MOUSE if as_mouse else _FROM_SELF)
        self._fill()

    def _ready(self) -> int:
        """Return who may deliver: a disabled device waits."""
        return self._pending & ~(self._mode & (_FROM_KBD | _FROM_MOUSE))

    def _fill(self) -> None:
        """Offer the next byte, unless one is on offer: reading that one comes back here."""
        if not self._status & _STATUS_OBF:
            self._refill()

    def _refill(self) -> None:
        ready = self._ready()
        if not ready:
            return
        self._empty_output()
        self._status |= _STATUS_OBF
        self._outport |= _OUT_OBF
        # Own answers first, then the keyboard.
        self._source = next(
            source
            for source in (_FROM_SELF, _FROM_SELF_AS_MOUSE, _FROM_KBD, _FROM_MOUSE)
            if ready & source
        )
        if self._source in (_FROM_SELF_AS_MOUSE, _FROM_MOUSE):
            self._status |= _STATUS_MOUSE_OBF
            self._outport |= _OUT_MOUSE_OBF
        self._update_lines()

    def _empty_output(self) -> None:
        self._status &= ~(_STATUS_OBF | _STATUS_MOUSE_OBF)
        self._outport &= ~(_OUT_OBF | _OUT_MOUSE_OBF)

    def _update_lines(self) -> None:
        status, mode = self._status, self._mode
        full, of_mouse = status & _STATUS_OBF, status & _STATUS_MOUSE_OBF
        self._keyboard_irq.set(
            bool(full and not of_mouse and mode & _MODE_KBD_INT and not mode & _MODE_NO_KBD)
        )
        self._mouse_irq.set(bool(full and of_mouse and mode & _MODE_MOUSE_INT))
