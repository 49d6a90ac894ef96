"""The screen of a machine that somebody else runs, for pages in a browser.

It is looked at only while a page is, at a modest rate: the machine's own monitor draws each
picture. Nothing is typed unless that was asked for.
"""

from __future__ import annotations

import time
from contextlib import suppress
from functools import partial
from queue import Empty, Full, Queue
from typing import TYPE_CHECKING

from guestmap.base import HostError, PeerError
from guestmap.cli.screen.codes import CODES
from guestmap.qmp.client import CommandError, GoneError
from guestmap.view.guest_screen import ScreenFrame

if TYPE_CHECKING:
    from collections.abc import Callable

    from guestmap.cli.screen.dumped import DumpFile
    from guestmap.qmp.client import Keyboard

_PAUSE_S = 0.5
"""Between two pictures; longer where they take long, so that the machine has most of its time."""
_SHARE = 10
_AFTER_KEY_S = 0.1
_AFTER_TROUBLE_S = 5.0
_MOST_STROKES = 64
"""Keys that wait to be sent; more are lost, as with a keyboard."""
_LOOKING = "The screen is looked at, and not typed into: 'guestmap serve --keys' does that."
_TYPING = "Click on the screen: what is typed then goes to the guest (Ctrl+Alt leaves)."
_MODIFIERS = frozenset(
    ("shift", "shift_r", "ctrl", "ctrl_r", "alt", "alt_r", "meta_l", "meta_r")
)  # fmt: skip


class PeerScreen:
    """Takes pictures and types, in the thread of whoever looks at the machine's map.

    Args:
        tell: hears why there is no picture, or no key, each reason once.
        takes_keys: what is typed in a page goes to the machine.

    Attributes:
        frame: the newest picture; None before the first.
    """

    def __init__(self, tell: Callable[[str], None], *, takes_keys: bool) -> None:
        self.takes_keys = takes_keys
        self.hint = _TYPING if takes_keys else _LOOKING
        self.frame: ScreenFrame | None = None
        self._tell = tell
        self._told: set[str] = set()
        self._lookers: set[object] = set()
        self._held: set[str] = set()
        self._strokes: Queue[tuple[str, ...]] = Queue(_MOST_STROKES)
        self._due_s = 0.0

    def look(self) -> Callable[[], None]:
        """Have pictures taken; return what ends that."""
        me = object()
        self._lookers.add(me)
        with suppress(Full):
            self._strokes.put_nowait(())

        def leave() -> None:
            self._lookers.discard(me)
            self._held.clear()

        return leave

    def key(self, code: str, *, pressed: bool) -> None:
        """Type a key, with the modifiers that are down; those alone are not felt."""
        name = CODES.get(code)
        if name is None or not self.takes_keys:
            return
        if name in _MODIFIERS:
            (self._held.add if pressed else self._held.discard)(name)
        elif pressed:
            with suppress(Full):
                self._strokes.put_nowait((*sorted(self._held), name))

    def attend(self, file: DumpFile, keyboard: Keyboard | None, seconds: float) -> None:
        """Take pictures and type, for so long.

        Args:
            file: what pictures of the machine come through.
            keyboard: of the machine, where it may be typed into.
            seconds: how long.

        Raises:
            PeerError: the machine has gone, or does not answer as QMP promises.
        """
        end = time.monotonic() + seconds
        while (now := time.monotonic()) < end:
            if self._lookers and now >= self._due_s:
                self._take(file)
                continue
            until = min(end, self._due_s) if self._lookers else end
            with suppress(Empty):
                stroke = self._strokes.get(timeout=until - now)
                if stroke and keyboard is not None:
                    self._type(stroke, keyboard)

    def _type(self, stroke: tuple[str, ...], keyboard: Keyboard) -> None:
        try:
            keyboard.stroke(stroke)
        except CommandError as error:
            self._say(f"the machine took no key: {error}")
        else:
            self._due_s = min(self._due_s, time.monotonic() + _AFTER_KEY_S)

    def _take(self, file: DumpFile) -> None:
        began = time.monotonic()
        try:
            picture = file.take()
        except GoneError:
            raise
        except (PeerError, HostError) as error:
            self._say(f"no picture of its screen: {error}")
            self._due_s = time.monotonic() + _AFTER_TROUBLE_S
            return
        now = time.monotonic()
        self._due_s = now + max(_PAUSE_S, _SHARE * (now - began))
        before = self.frame
        if before is None or (before.width, before.height, before.rgb) != picture:
            number = 1 if before is None else before.number + 1
            self.frame = ScreenFrame(number, *picture, partial(_place_words, file.source))

    def _say(self, reason: str) -> None:
        if reason not in self._told:
            self._told = {reason}
            self._tell(reason)


def _place_words(source: str, x: int, y: int) -> str:
    return (
        f"dot {x}, {y}: {source} does not tell where it is in memory; of a machine that"
        " 'guestmap serve boot' runs that is known"
    )
