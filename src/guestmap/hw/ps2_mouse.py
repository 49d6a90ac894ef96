"""A PS/2 mouse, which turns into a wheel mouse when it is asked to.

Commands and replies are those of the IBM PS/2 Hardware Interface Technical Reference, the wheel is
Microsoft's IntelliMouse extension; where that leaves a choice, this is QEMU 7.2's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from guestmap.hw.ps2 import ACK, SELF_TEST_PASSED, Ps2Device

if TYPE_CHECKING:
    from collections.abc import Callable


class Ps2Mouse(Ps2Device):
    """A mouse with three buttons that turns into a wheel mouse when asked to (IntelliMouse).

    Attributes:
        type: 0 plain, 3 with a wheel, 4 with a wheel and five buttons.
    """

    _SCALING, _ENABLED, _REMOTE = 0x10, 0x20, 0x40
    _SWITCHES: ClassVar[dict[int, tuple[int, bool]]] = {
        0xE6: (_SCALING, False), 0xE7: (_SCALING, True),
        0xEA: (_REMOTE, False), 0xF0: (_REMOTE, True),
        0xF4: (_ENABLED, True), 0xF5: (_ENABLED, False),
    }  # fmt: skip
    """Commands that set or clear one bit of the status byte."""

    # Sample rates set one after the other: (how far, rate) -> how far, and -> the new type.
    _KNOCK: ClassVar[dict[tuple[int, int], int]] = {(0, 200): 1, (1, 100): 2, (1, 200): 3}
    _TYPES: ClassVar[dict[tuple[int, int], int]] = {(2, 80): 3, (3, 80): 4}

    def __init__(self, on_data: Callable[[bool], None]) -> None:
        super().__init__(on_data)
        self.type = 0
        self._status = 0
        self._knocked = 0
        self._wrap = False
        self._moved: tuple[int, ...] = (0, 0, 0)
        self._power_on()

    def reset(self) -> None:
        """Go back to the state at power-on."""
        self.clear()
        self._power_on()

    def move(self, dx: int = 0, dy: int = 0, dz: int = 0, *, buttons: int = 0) -> None:
        """Move by ``dx`` right, ``dy`` up, ``dz`` wheel clicks; buttons 1 left, 2 right, 4 middle.

        A disabled mouse feels nothing. Where the queue has no room, and in remote mode, movement
        adds up until it can be sent.
        """
        if not self._status & self._ENABLED:
            return
        self._moved = tuple(old + new for old, new in zip(self._moved, (dx, dy, dz), strict=True))
        self._buttons = buttons & 0x1F
        if not self._status & self._REMOTE:
            while self._send_packet() and any(self._moved):
                pass

    def write(self, value: int) -> None:
        """Take a command byte, or the argument of the one before."""
        command, self._argument_of = self._argument_of, None
        if command == 0xF3:
            self._sample_rate = value
            self._knock(value)
            self._reply(ACK)
        elif command == 0xE8:
            self._resolution = value
            self._reply(ACK)
        elif self._wrap and value != 0xFF:
            self._wrap = value != 0xEC
            self._reply(value if self._wrap else ACK)
        else:
            self._command(value)

    def _command(self, value: int) -> None:
        match value:
            case _ if value in self._SWITCHES:
                bit, on = self._SWITCHES[value]
                self._status = self._status & ~bit | (bit if on else 0)
                self._reply(ACK)
            case 0xEE:
                self._wrap = True
                self._reply(ACK)
            case 0xE8 | 0xF3:
                self._argument_of = value
                self._reply(ACK)
            case 0xE9:
                self._reply(ACK, self._status, self._resolution, self._sample_rate)
            case 0xEB:
                self._reply(ACK)
                self._send_packet()
            case 0xF2:
                self._reply(ACK, self.type)
            case 0xF6:
                self._defaults()
                self._reply(ACK)
            case 0xFF:
                self._defaults()
                self.type = 0
                self._reply(ACK, SELF_TEST_PASSED, self.type)
            case _:
                pass

    def _knock(self, rate: int) -> None:
        """Follow the sample rates 200, 100, 80 and 200, 200, 80, which switch the wheel on."""
        self.type = self._TYPES.get((self._knocked, rate), self.type)
        self._knocked = self._KNOCK.get((self._knocked, rate), 0)

    def _reply(self, *values: int) -> None:
        if self._room() >= len(values):
            self._send(values)

    def _send_packet(self) -> bool:
        """Send what one packet can tell of the movement; return whether there was room."""
        if self._room() < (4 if self.type else 3):
            return False
        wheel = {3: 127, 4: 7}.get(self.type, 0)
        limits = (127, 127, wheel)
        dx, dy, dz = (
            max(-limit, min(limit, moved)) for moved, limit in zip(self._moved, limits, strict=True)
        )
        # Without a wheel its clicks are forgotten, or they would be sent for ever.
        rest = self._moved[2] - dz if wheel else 0
        self._moved = (self._moved[0] - dx, self._moved[1] - dy, rest)
        signs = (dx < 0) << 4 | (dy < 0) << 5
        packet = [0x08 | signs | self._buttons & 7, dx & 0xFF, dy & 0xFF]
        if self.type == 3:
            packet.append(dz & 0xFF)
        elif self.type == 4:
            packet.append(dz & 0x0F | (self._buttons & 0x18) << 1)
        self._send(packet)
        return True

    def _power_on(self) -> None:
        self.type = 0
        self._status = self._resolution = self._sample_rate = 0
        self._moved = (0, 0, 0)
        self._buttons = self._knocked = 0
        self._wrap = False

    def _defaults(self) -> None:
        self._sample_rate, self._resolution, self._status = 100, 2, 0
