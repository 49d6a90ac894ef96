"""The keyboard controller of a PC/AT (Intel 8042) with a PS/2 keyboard and a PS/2 mouse.

Port 60h is data, port 64h is status and command. Commands and bits are those of the IBM PS/2
Hardware Interface Technical Reference ("Keyboard and Auxiliary Device Controller"). The controller
also drives two wires that have nothing to do with keys: address line A20 and the processor's reset.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from guestmap.hw.declare import HAS_AML, ISA_DEVICE, declare, output, setting
from guestmap.hw.device import IoRegion, Place, Space
from guestmap.hw.ps2.keyboard import Ps2Keyboard
from guestmap.hw.ps2.mouse import Ps2Mouse
from guestmap.hw.ps2.output_buffer import (
    FROM_KBD,
    FROM_MOUSE,
    MODE_NO_KBD,
    MODE_NO_MOUSE,
    MODE_TRANSLATE,
    OUT_A20,
    OUT_RESET,
    STATUS_OBF,
    STATUS_SELF_TEST,
    OutputBuffer,
)
from guestmap.memory import AccessSizes, Endianness, MemoryRegionOps
from guestmap.qom import BOOL, UINT8

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

    from guestmap.base import IrqLine
    from guestmap.hw.device import DeviceModel

DATA_PORT, COMMAND_PORT = 0x60, 0x64

_INPUT_PORT = 0x80  # the keyboard is not locked


class I8042(OutputBuffer):
    """The controller.

    Args:
        keyboard_irq, mouse_irq: its interrupt lines.
        on_reset: called when the guest pulses the reset wire.
        on_a20: called with the level of A20 whenever the guest writes it.

    Attributes:
        keyboard, mouse: what is plugged in.
    """

    TYPE = declare(
        "i8042",
        ISA_DEVICE,
        setting("extended-state", BOOL, True),
        setting("kbd-throttle", BOOL, False),
        setting("kbd-irq", UINT8, 1),
        setting("mouse-irq", UINT8, 12),
        output("a20[0]"),
        output("unnamed-gpio-out[0]"),
        output("unnamed-gpio-out[1]"),
        interfaces=HAS_AML,
        user_creatable=True,
        inputs=(("ps2-kbd-input-irq", 1), ("ps2-mouse-input-irq", 1)),
    )
    OUTLIVES_RESET = ("source", "data", "own_byte", "argument_of")

    def __init__(
        self,
        keyboard_irq: IrqLine,
        mouse_irq: IrqLine,
        *,
        on_reset: Callable[[], None] = lambda: None,
        on_a20: Callable[[bool], None] = lambda _level: None,
    ) -> None:
        super().__init__(keyboard_irq, mouse_irq)
        self._on_reset, self._on_a20 = on_reset, on_a20
        self.keyboard = Ps2Keyboard(self._listener(FROM_KBD))
        self.mouse = Ps2Mouse(self._listener(FROM_MOUSE))
        self._simple_commands = self._command_table()
        self.reset()

    def places(self) -> tuple[Place, ...]:
        """Return ``i8042-data`` at 60h and ``i8042-cmd`` at 64h, 1 byte each."""
        one = AccessSizes(min=1, max=1)
        little = Endianness.LITTLE
        data = MemoryRegionOps(
            read=self._read_data, write=self._write_data, impl=one, endianness=little
        )
        command = MemoryRegionOps(
            read=self._read_status, write=self._write_command, impl=one, endianness=little
        )
        return (
            Place(Space.IO, DATA_PORT, IoRegion("i8042-data", 1, data)),
            Place(Space.IO, COMMAND_PORT, IoRegion("i8042-cmd", 1, command)),
        )

    @property
    def wires(self) -> Mapping[str, IrqLine]:
        """Two interrupts out, and what keyboard and mouse say."""
        return {
            "ps2-kbd-input-irq[0]": self.keyboard.data_ready,
            "ps2-mouse-input-irq[0]": self.mouse.data_ready,
            "unnamed-gpio-out[0]": self._keyboard_irq,
            "unnamed-gpio-out[1]": self._mouse_irq,
        }

    @property
    def parts(self) -> Mapping[str, DeviceModel[Any]]:
        """Keyboard and mouse."""
        return {"ps2kbd": self.keyboard, "ps2mouse": self.mouse}

    def reset(self) -> None:
        """Go back to the state at power-on, keyboard and mouse too."""
        self.keyboard.reset()
        self.mouse.reset()
        super().reset()
        self._update_lines()

    def press(self, codes: Iterable[int]) -> None:
        """Press and release keys: bytes of scan code set 1 (see :meth:`Ps2Keyboard.press`)."""
        self.keyboard.press(codes)

    def _read_status(self, offset: int, size: int) -> int:
        return self.state.status

    def _read_data(self, offset: int, size: int) -> int:
        if self.state.status & STATUS_OBF:
            self._empty_output()
            self._update_lines()
            if self.state.source == FROM_KBD:
                self.state.data = self.keyboard.read()
            elif self.state.source == FROM_MOUSE:
                self.state.data = self.mouse.read()
            else:
                self.state.data = self._take_own_byte()
        return self.state.data

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
            self.state.argument_of = value

    def _command_table(self) -> dict[int, Callable[[], None]]:
        return {
            0x20: lambda: self._answer(self.state.mode),
            0xA7: lambda: self._set_disabled(MODE_NO_MOUSE, True),
            0xA8: lambda: self._set_disabled(MODE_NO_MOUSE, False),
            0xA9: lambda: self._answer(0x00),
            0xAA: self._self_test,
            0xAB: lambda: self._answer(0x00),
            0xAD: lambda: self._set_disabled(MODE_NO_KBD, True),
            0xAE: lambda: self._set_disabled(MODE_NO_KBD, False),
            0xC0: lambda: self._answer(_INPUT_PORT),
            0xD0: lambda: self._answer(self.state.outport),
            0xDD: lambda: self._set_a20(False),
            0xDF: lambda: self._set_a20(True),
        }

    def _write_data(self, offset: int, value: int, size: int) -> None:
        value &= 0xFF
        command, self.state.argument_of = self.state.argument_of, 0
        match command:
            case 0x60:
                self.state.mode = value
                self.keyboard.set_translation(bool(value & MODE_TRANSLATE))
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
                self._set_disabled(MODE_NO_MOUSE, False)
            case _:
                self.keyboard.write(value)
                self._set_disabled(MODE_NO_KBD, False)

    def _self_test(self) -> None:
        self.state.status |= STATUS_SELF_TEST
        self._answer(0x55)

    def _set_disabled(self, bit: int, disabled: bool) -> None:
        if disabled:
            self.state.mode |= bit
        else:
            self.state.mode &= ~bit
            self._fill()

    def _write_output_port(self, value: int) -> None:
        self.state.outport = value
        self._on_a20(bool(value & OUT_A20))
        if not value & OUT_RESET:
            self._on_reset()

    def _set_a20(self, level: bool) -> None:
        self.state.outport = self.state.outport & ~OUT_A20 | (OUT_A20 if level else 0)
        self._on_a20(level)
