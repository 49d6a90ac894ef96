"""The keyboard of a PS/2 controller: 101 keys, commands in, scan codes out."""

from __future__ import annotations

from dataclasses import field
from typing import TYPE_CHECKING, Annotated

from guestmap.base.bounds import Meta
from guestmap.base.dataclass import dataclass
from guestmap.hw.declare import declare, output
from guestmap.hw.device import U8
from guestmap.hw.ps2.device import ACK, PS2_DEVICE, RESEND, SELF_TEST_PASSED, Ps2Device, Ps2State
from guestmap.hw.ps2.keys import MODIFIERS, strokes
from guestmap.hw.ps2.scancodes import SET_1_TO_2

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


@dataclass(slots=True)
class KeyboardState(Ps2State):
    """What commands have set.

    Attributes:
        translate: whether the controller asks for set 1 (bit 6 of its mode byte).
        scancode_set: 1, 2 or 3.
        leds: bits 0 scroll, 1 num, 2 caps lock.
        enabled: whether key strokes are sent.
        modifiers: keys like Shift that are down.
    """

    translate: bool = False
    scancode_set: Annotated[int, Meta(ge=1, le=3)] = 2
    leds: U8 = 0
    enabled: bool = True
    modifiers: Annotated[list[U8], Meta(max_length=len(MODIFIERS))] = field(default_factory=list)


class Ps2Keyboard(Ps2Device[KeyboardState]):
    """A keyboard with 101 keys."""

    TYPE = declare("ps2-kbd", PS2_DEVICE, output())
    OUTLIVES_RESET = ("last",)
    _WITH_ARGUMENT = frozenset((0xED, 0xF0, 0xF3, 0xFC))

    def __init__(self, on_data: Callable[[bool], None]) -> None:
        super().__init__(KeyboardState(), on_data)

    def set_translation(self, on: bool) -> None:
        """Hear whether the controller asks for set 1."""
        self.state.translate = on

    def reset(self) -> None:
        """Go back to the state at power-on."""
        super().reset()
        self._on_data(False)

    def press(self, codes: Iterable[int]) -> None:
        """Queue key strokes, given as bytes of scan code set 1 (make and break, E0 prefixes).

        They go out in the set that the guest chose (3 is sent as 2); with scanning disabled, or
        where the queue has no room, they are lost.
        """
        if not self.state.enabled:
            return
        if self.state.translate or self.state.scancode_set == 1:
            self._send(codes)
            return
        for code in codes:
            if code in (0xE0, 0xE1):
                self._send((code,))
            elif (other := SET_1_TO_2.get(code & 0x7F)) is not None:
                self._send((0xF0, other) if code & 0x80 else (other,))

    def key(self, number: int, *, pressed: bool) -> None:
        """Press or release a key (:mod:`guestmap.hw.ps2.keys`)."""
        held = set(self.state.modifiers)
        if number in MODIFIERS:
            held = held | {number} if pressed else held - {number}
            self.state.modifiers = sorted(held)
        self.press(strokes(number, frozenset(held), pressed=pressed))

    def write(self, value: int) -> None:
        """Take a command byte, or the argument of the one before."""
        self._drop_replies()
        command, self.state.argument_of = self.state.argument_of, None
        if command is None:
            self._command(value)
        elif command == 0xF0:
            self._choose_set(value)
        else:
            if command == 0xED:
                self.state.leds = value
            self._reply(ACK)

    def _command(self, value: int) -> None:
        match value:
            case 0x00 | 0xFA:  # 00h comes from guests that probe; FAh: typematic for all keys
                self._reply(ACK)
            case 0xEE:
                self._reply(0xEE)
            case 0xF2:
                self._reply(ACK, 0xAB, 0x41 if self.state.translate else 0x83)
            case 0xF4:
                self.state.enabled = True
                self._reply(ACK)
            case 0xF5 | 0xF6:
                self._start_over()
                self.state.enabled = value == 0xF6
                self._reply(ACK)
            case 0xFF:
                self._start_over()
                self._reply(ACK, SELF_TEST_PASSED)
            case _ if value in self._WITH_ARGUMENT:
                self.state.argument_of = value
                self._reply(ACK)
            case _:
                self._reply(RESEND)

    def _choose_set(self, value: int) -> None:
        if value == 0:
            current = self.state.scancode_set
            # With translation on, the controller changes the set's number as it does a key's.
            self._reply(ACK, (0x43, 0x41, 0x3F)[current - 1] if self.state.translate else current)
        elif value <= 3:
            self.state.scancode_set = value
            self._reply(ACK)
        else:
            self._reply(RESEND)

    def _start_over(self) -> None:
        self._drop_all()
        self._defaults()

    def _defaults(self) -> None:
        self.state.enabled = True
        self.state.scancode_set = 2
        self.state.leds = 0
