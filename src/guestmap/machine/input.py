"""Keys and mouse movements that a machine is sent, one by one and as typed.

What is typed goes down key by key and comes up again in the opposite order; between two of these
passes the machine's own time.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from guestmap.base import Clock
    from guestmap.hw.ps2.keyboard import Ps2Keyboard
    from guestmap.hw.ps2.mouse import Ps2Mouse

_MOST_WAITING: Final = 1024
"""Strokes that wait for their time, at most: those that find no room are lost."""
BUTTONS: Final = {"left": 1, "right": 2, "middle": 4, "side": 8, "extra": 16}
WHEEL: Final = {"wheel-up": 1, "wheel-down": -1}


class InputDevices:
    """A machine's keyboard and mouse, as somebody has them before him.

    Args:
        clock: the machine's.
        keyboard, mouse: the devices.

    Attributes:
        on_touch: called before each key stroke, and as a button of the mouse is down.
    """

    def __init__(self, clock: Clock, keyboard: Ps2Keyboard, mouse: Ps2Mouse) -> None:
        self._clock = clock
        self._keyboard, self._mouse = keyboard, mouse
        self.on_touch: Callable[[], None] = lambda: None
        self._waiting: deque[tuple[int, bool, int]] = deque()
        self._timer = clock.timer(self._next)
        self._buttons = 0
        self._moved = [0, 0, 0]

    def key(self, number: int, *, pressed: bool) -> None:
        """Press or release a key, behind what is being typed."""
        if self._waiting:
            self._wait(number, pressed, 0)
        else:
            self._stroke(number, pressed=pressed)

    def type(self, numbers: Sequence[int], hold_ns: int) -> None:
        """Press keys one after the other, and release them from the last to the first.

        Args:
            numbers: of the keys.
            hold_ns: between two strokes, on the machine's clock.
        """
        idle = not self._waiting
        for number in numbers:
            self._wait(number, True, hold_ns)
        for number in reversed(numbers):
            self._wait(number, False, hold_ns)
        if idle:
            self._next()

    def _stroke(self, number: int, *, pressed: bool) -> None:
        self.on_touch()
        self._keyboard.key(number, pressed=pressed)

    def _wait(self, number: int, pressed: bool, hold_ns: int) -> None:
        if len(self._waiting) < _MOST_WAITING:
            self._waiting.append((number, pressed, hold_ns))

    def _next(self) -> None:
        """Make the strokes whose time has come."""
        while self._waiting:
            number, pressed, hold_ns = self._waiting.popleft()
            self._stroke(number, pressed=pressed)
            if hold_ns > 0 and self._waiting:
                self._timer.arm(self._clock.now_ns() + hold_ns)
                return

    def button(self, name: str, *, pressed: bool) -> None:
        """Press or release a button of the mouse, or turn its wheel by a click.

        It is felt at the next :meth:`sync`.
        """
        if name in BUTTONS:
            bit = BUTTONS[name]
            self._buttons = self._buttons | bit if pressed else self._buttons & ~bit
        elif name in WHEEL and pressed:
            self._moved[2] -= WHEEL[name]

    def move(self, dx: int = 0, dy: int = 0) -> None:
        """Move the mouse, to the right and down; it is felt at the next :meth:`sync`."""
        self._moved[0] += dx
        self._moved[1] -= dy

    def set_buttons(self, names: Iterable[str]) -> None:
        """Have just these buttons of the mouse down, at the next :meth:`sync`."""
        self._buttons = sum(BUTTONS[name] for name in set(names))

    def sync(self) -> None:
        """Have the mouse feel what was done to it."""
        moved, self._moved = self._moved, [0, 0, 0]
        if self._buttons and self._mouse.is_enabled:
            self.on_touch()
        self._mouse.move(*moved, buttons=self._buttons)
