"""A PS/2 mouse, which turns into a wheel mouse when it is asked to.

Commands and replies are those of the IBM PS/2 Hardware Interface Technical Reference, the wheel is
Microsoft's IntelliMouse extension; where that leaves a choice, this is QEMU 7.2's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar

from guestmap.base.bounds import Meta
from guestmap.base.dataclass import dataclass
from guestmap.hw.declare import declare, output
from guestmap.hw.device import U8
from guestmap.hw.ps2.device import ACK, PS2_DEVICE, SELF_TEST_PASSED, Ps2Device, Ps2State

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(slots=True)
class MouseState(Ps2State):
    """What commands have set, and movement that was not sent yet.

    Attributes:
        type: 0 plain, 3 with a wheel, 4 with a wheel and five buttons.
    """

    type: Annotated[int, Meta(ge=0, le=4)] = 0
    status: U8 = 0
    resolution: U8 = 0
    sample_rate: U8 = 0
    buttons: U8 = 0
    knocked: Annotated[int, Meta(ge=0, le=3)] = 0
    wrap: bool = False
    moved: tuple[int, int, int] = (0, 0, 0)


class Ps2Mouse(Ps2Device[MouseState]):
    """A mouse with three buttons that turns into a wheel mouse when asked to (IntelliMouse)."""

    TYPE = declare("ps2-mouse", PS2_DEVICE, output())
    OUTLIVES_RESET = ("last",)

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
        super().__init__(MouseState(), on_data)

    @property
    def type(self) -> int:
        """0 plain, 3 with a wheel, 4 with a wheel and five buttons."""
        return self.state.type

    @property
    def is_enabled(self) -> bool:
        """Whether it feels what is done to it."""
        return bool(self.state.status & self._ENABLED)

    def reset(self) -> None:
        """Go back to the state at power-on."""
        super().reset()
        self._on_data(False)

    def move(self, dx: int = 0, dy: int = 0, dz: int = 0, *, buttons: int = 0) -> None:
        """Move by ``dx`` right, ``dy`` up, ``dz`` wheel clicks; buttons 1 left, 2 right, 4 middle.

        A disabled mouse feels nothing. Where the queue has no room, and in remote mode, movement
        adds up until it can be sent.
        """
        if not self.is_enabled:
            return
        x, y, z = self.state.moved
        self.state.moved = (x + dx, y + dy, z + dz)
        self.state.buttons = buttons & 0x1F
        if not self.state.status & self._REMOTE:
            while self._send_packet() and any(self.state.moved):
                pass

    def write(self, value: int) -> None:
        """Take a command byte, or the argument of the one before."""
        command, self.state.argument_of = self.state.argument_of, None
        if command == 0xF3:
            self.state.sample_rate = value
            self._knock(value)
            self._reply(ACK)
        elif command == 0xE8:
            self.state.resolution = value
            self._reply(ACK)
        elif self.state.wrap and value != 0xFF:
            self.state.wrap = value != 0xEC
            self._reply(value if self.state.wrap else ACK)
        else:
            self._command(value)

    def _command(self, value: int) -> None:
        match value:
            case _ if value in self._SWITCHES:
                bit, on = self._SWITCHES[value]
                self.state.status = self.state.status & ~bit | (bit if on else 0)
                self._reply(ACK)
            case 0xEE:
                self.state.wrap = True
                self._reply(ACK)
            case 0xE8 | 0xF3:
                self.state.argument_of = value
                self._reply(ACK)
            case 0xE9:
                self._reply(ACK, self.state.status, self.state.resolution, self.state.sample_rate)
            case 0xEB:
                self._reply(ACK)
                self._send_packet()
            case 0xF2:
                self._reply(ACK, self.state.type)
            case 0xF6:
                self._defaults()
                self._reply(ACK)
            case 0xFF:
                self._defaults()
                self.state.type = 0
                self._reply(ACK, SELF_TEST_PASSED, self.state.type)
            case _:
                pass

    def _knock(self, rate: int) -> None:
        """Follow the sample rates 200, 100, 80 and 200, 200, 80, which switch the wheel on."""
        self.state.type = self._TYPES.get((self.state.knocked, rate), self.state.type)
        self.state.knocked = self._KNOCK.get((self.state.knocked, rate), 0)

    def _reply(self, *values: int) -> None:
        if self._room() >= len(values):
            self._send(values)

    def _send_packet(self) -> bool:
        """Send what one packet can tell of the movement; return whether there was room."""
        if self._room() < (4 if self.state.type else 3):
            return False
        wheel = {3: 127, 4: 7}.get(self.state.type, 0)
        limits = (127, 127, wheel)
        dx, dy, dz = (
            max(-limit, min(limit, moved))
            for moved, limit in zip(self.state.moved, limits, strict=True)
        )
        # Without a wheel its clicks are forgotten, or they would be sent for ever.
        rest = self.state.moved[2] - dz if wheel else 0
        self.state.moved = (self.state.moved[0] - dx, self.state.moved[1] - dy, rest)
        signs = (dx < 0) << 4 | (dy < 0) << 5
        packet = [0x08 | signs | self.state.buttons & 7, dx & 0xFF, dy & 0xFF]
        if self.state.type == 3:
            packet.append(dz & 0xFF)
        elif self.state.type == 4:
            packet.append(dz & 0x0F | (self.state.buttons & 0x18) << 1)
        self._send(packet)
        return True

    def _defaults(self) -> None:
        self.state.sample_rate, self.state.resolution, self.state.status = 100, 2, 0
