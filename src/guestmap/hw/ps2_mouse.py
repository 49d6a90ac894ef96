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
        enabled: whether movements are sent.
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
        self._power_on()

    @property
    def enabled(self) -> bool:
        """Whether movements are sent as they come."""
        return bool(self._status & self._ENABLED) and not self._status & self._REMOTE

    def reset(self) -> None:
        """Go back to the state at power-on."""
        self.clear()
        self._power_on()

    def move(self, dx: int = 0, dy: int = 0, dz: int = 0, *, buttons: int = 0) -> None:
        """Move by ``dx`` right, ``dy`` up, ``dz`` wheel clicks; buttons 1 left, 2 right, 4 middle.

        A disabled mouse forgets movement, as one that finds no room in the queue does.
        """
        self._buttons = buttons & 0x1F
        if self.enabled:
            self._send_packet(dx, dy, dz)

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
                self._send_packet(0, 0, 0)
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

    def _send_packet(self, dx: int, dy: int, dz: int) -> None:
        if self._room() < (4 if self.type else 3):
            return
        dx, dy = max(-127, min(127, dx)), max(-127, min(127, dy))
        signs = (dx < 0) << 4 | (dy < 0) << 5
        packet = [0x08 | signs | self._buttons & 7, dx & 0xFF, dy & 0xFF]
        if self.type == 3:
            packet.append(max(-127, min(127, dz)) & 0xFF)
        elif self.type == 4:
            packet.append(max(-7, min(7, dz)) & 0x0F | (self._buttons & 0x18) << 1)
        self._send(packet)

    def _power_on(self) -> None:
        self.type = 0
        self._status = self._resolution = self._sample_rate = 0
        self._buttons = self._knocked = 0
        self._wrap = False

    def _defaults(self) -> None:
        self._sample_rate, self._resolution, self._status = 100, 2, 0
