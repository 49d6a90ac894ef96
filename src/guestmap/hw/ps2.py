"""What PS/2 devices share, and the keyboard: commands in, bytes out.

Commands and replies are those of the IBM PS/2 Hardware Interface Technical Reference ("Keyboard and
Auxiliary Device Controller"), and where that leaves a choice, QEMU 7.2's.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from guestmap.hw.scancodes import SET_1_TO_2

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

ACK, RESEND, SELF_TEST_PASSED = 0xFA, 0xFE, 0xAA

_QUEUE_BYTES = 16  # key strokes and movements that find no room are lost


class Ps2Device:
    """What keyboard and mouse share: a queue, and a wire that says it is not empty.

    A keyboard's replies to a command go out before waiting key strokes, and the next command throws
    unread ones away; a mouse has one queue for replies and movements.
    """

    def __init__(self, on_data: Callable[[bool], None]) -> None:
        """``on_data`` is told True with each new byte or rest, and False before one is taken."""
        self._on_data = on_data
        self._replies: deque[int] = deque()
        self._events: deque[int] = deque()
        self._last = 0
        self._argument_of: int | None = None  # the command whose argument comes next

    def read(self) -> int:
        """Take the next byte; the last one again where nothing waits."""
        queue = self._replies or self._events
        if not queue:
            return self._last
        self._last = queue.popleft()
        self._on_data(False)
        if self._replies or self._events:
            self._on_data(True)
        return self._last

    def clear(self) -> None:
        """Forget every byte that waits and the command that waits for its argument."""
        self._drop_all()
        self._argument_of = None
        self._on_data(False)

    def _drop_all(self) -> None:
        self._replies.clear()
        self._events.clear()

    def _drop_replies(self) -> None:
        if self._replies:
            self._last = self._replies[-1]
            self._replies.clear()

    def _reply(self, *values: int) -> None:
        self._replies.extend(values)
        self._on_data(True)

    def _room(self) -> int:
        return _QUEUE_BYTES - len(self._replies) - len(self._events)

    def _send(self, values: Iterable[int]) -> None:
        for value in values:
            if self._room() > 0:
                self._events.append(value)
        if self._events:
            self._on_data(True)


class Ps2Keyboard(Ps2Device):
    """A keyboard with 101 keys.

    Attributes:
        translate: whether the controller asks for set 1 (bit 6 of its mode byte).
        scancode_set: 1, 2 or 3.
        leds: bits 0 scroll, 1 num, 2 caps lock.
        enabled: whether key strokes are sent.
    """

    _WITH_ARGUMENT = frozenset((0xED, 0xF0, 0xF3, 0xFC))

    def __init__(self, on_data: Callable[[bool], None]) -> None:
        super().__init__(on_data)
        self.translate = False
        self.scancode_set = 2
        self._defaults()

    def reset(self) -> None:
        """Go back to the state at power-on."""
        self.clear()
        self.translate = False
        self._defaults()

    def press(self, codes: Iterable[int]) -> None:
        """Queue key strokes, given as bytes of scan code set 1 (make and break, E0 prefixes).

        They go out in the set that the guest chose (3 is sent as 2); with scanning disabled, or
        where the queue has no room, they are lost.
        """
        if not self.enabled:
            return
        if self.translate or self.scancode_set == 1:
            self._send(codes)
            return
        for code in codes:
            if code >= 0xE0:
                self._send((code,))
            elif (other := SET_1_TO_2.get(code & 0x7F)) is not None:
                self._send((0xF0, other) if code & 0x80 else (other,))

    def write(self, value: int) -> None:
        """Take a command byte, or the argument of the one before."""
        self._drop_replies()
        command, self._argument_of = self._argument_of, None
        if command is None:
            self._command(value)
        elif command == 0xF0:
            self._choose_set(value)
        else:
            if command == 0xED:
                self.leds = value
            self._reply(ACK)

    def _command(self, value: int) -> None:
        match value:
            case 0x00 | 0xFA:  # 00h comes from guests that probe; FAh: typematic for all keys
                self._reply(ACK)
            case 0xEE:
                self._reply(0xEE)
            case 0xF2:
                self._reply(ACK, 0xAB, 0x41 if self.translate else 0x83)
            case 0xF4:
                self.enabled = True
                self._reply(ACK)
            case 0xF5 | 0xF6:
                self._start_over()
                self.enabled = value == 0xF6
                self._reply(ACK)
            case 0xFF:
                self._start_over()
                self._reply(ACK, SELF_TEST_PASSED)
            case _ if value in self._WITH_ARGUMENT:
                self._argument_of = value
                self._reply(ACK)
            case _:
                self._reply(RESEND)

    def _choose_set(self, value: int) -> None:
        if value == 0:
            current = self.scancode_set
            # With translation on, the controller changes the set's number as it does a key's.
            self._reply(ACK, (0x43, 0x41, 0x3F)[current - 1] if self.translate else current)
        elif value <= 3:
            self.scancode_set = value
            self._reply(ACK)
        else:
            self._reply(RESEND)

    def _start_over(self) -> None:
        self._drop_all()
        self._defaults()

    def _defaults(self) -> None:
        self.enabled = True
        self.scancode_set = 2
        self.leds = 0
