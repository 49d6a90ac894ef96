"""What PS/2 devices share: commands in, bytes out, and a wire that says that there are some.

Commands and replies are those of the IBM PS/2 Hardware Interface Technical Reference ("Keyboard and
Auxiliary Device Controller"), and where that leaves a choice, QEMU 7.2's.
"""

from __future__ import annotations

from dataclasses import field
from typing import TYPE_CHECKING, TypeVar

from guestmap.base import IrqLine
from guestmap.base.bounds import bounded
from guestmap.base.dataclass import dataclass
from guestmap.hw.declare import SYS_BUS_DEVICE, declare
from guestmap.hw.device import U8, DeviceModel

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

ACK, RESEND, SELF_TEST_PASSED = 0xFA, 0xFE, 0xAA

_QUEUE_BYTES = 16  # key strokes and movements that find no room are lost


PS2_DEVICE = declare("ps2-device", SYS_BUS_DEVICE, abstract=True)

if TYPE_CHECKING:
    Queue = bytearray
else:
    Queue = bounded(bytearray, max_length=256)


@dataclass(slots=True)
class Ps2State:
    """What both devices remember: bytes that wait, and a command that waits for its argument."""

    replies: Queue = field(default_factory=bytearray)
    events: Queue = field(default_factory=bytearray)
    last: U8 = 0
    argument_of: U8 | None = None


Ps2StateT = TypeVar("Ps2StateT", bound=Ps2State)


class Ps2Device(DeviceModel[Ps2StateT]):
    """What keyboard and mouse share: a queue, and a wire that says it is not empty.

    A keyboard's replies to a command go out before waiting key strokes, and the next command throws
    unread ones away; a mouse has one queue for replies and movements.
    """

    def __init__(self, state: Ps2StateT, on_data: Callable[[bool], None]) -> None:
        """``on_data`` is told True with each new byte or rest, and False before one is taken."""
        super().__init__(state)
        self._on_data = on_data
        self.data_ready = IrqLine(name="ps2 data")
        """Stands for the wire to the controller, which hears of more than levels."""

    @property
    def wires(self) -> Mapping[str, IrqLine]:
        """The wire that says that there is data."""
        return {"unnamed-gpio-out[0]": self.data_ready}

    def read(self) -> int:
        """Take the next byte; the last one again where nothing waits."""
        queue = self.state.replies or self.state.events
        if not queue:
            return self.state.last
        self.state.last = queue.pop(0)
        self._on_data(False)
        if self.state.replies or self.state.events:
            self._on_data(True)
        return self.state.last

    def _drop_all(self) -> None:
        self.state.replies.clear()
        self.state.events.clear()

    def _drop_replies(self) -> None:
        if self.state.replies:
            self.state.last = self.state.replies[-1]
            self.state.replies.clear()

    def _reply(self, *values: int) -> None:
        self.state.replies.extend(values)
        self._on_data(True)

    def _room(self) -> int:
        return _QUEUE_BYTES - len(self.state.replies) - len(self.state.events)

    def _send(self, values: Iterable[int]) -> None:
        for value in values:
            if self._room() > 0:
                self.state.events.append(value)
        if self.state.events:
            self._on_data(True)
