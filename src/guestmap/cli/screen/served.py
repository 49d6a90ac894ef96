"""The screen of a machine of guestmap's own, for pages in a browser."""

from __future__ import annotations

import os
import threading
from functools import partial
from typing import TYPE_CHECKING, Self

from guestmap.cli.screen.codes import CODES
from guestmap.hw.ps2.keys import KEYS
from guestmap.machine.screen_place import ScreenPlaces
from guestmap.machine.screen_watch import ScreenWatch
from guestmap.view.guest_screen import ScreenFrame
from guestmap.view.words import hex_address

if TYPE_CHECKING:
    from collections.abc import Callable

    from guestmap.machine import VirtualMachine


class ServedScreen:
    """Takes pictures while somebody looks and there is something new; a context manager.

    The last picture stays, and where its dots are, once the machine is gone.

    Args:
        vm: the machine, with a screen.

    Attributes:
        frame: the newest picture; None before the first.
    """

    takes_keys = True
    hint = (
        "Click on the screen: what is typed then goes to the guest (Ctrl+Alt leaves), and here it"
        " says where in its memory that dot is."
    )

    def __init__(self, vm: VirtualMachine) -> None:
        self._vm = vm
        self._watch = ScreenWatch(vm)
        self.frame: ScreenFrame | None = None
        self._is_over = False
        self._lock = threading.Lock()
        self._lookers: set[object] = set()
        self._wake, self._woken = os.pipe()
        self._thread = threading.Thread(target=self._serve, name="guestmap-screen", daemon=True)

    def __enter__(self) -> Self:
        self._watch.__enter__()
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        with self._lock:
            self._is_over = True
            os.close(self._woken)
        self._thread.join()
        os.close(self._wake)
        self._watch.__exit__()
        self._take()  # as it is at the end

    def look(self) -> Callable[[], None]:
        """Have pictures taken; return what ends that."""
        me = object()
        with self._lock:
            self._lookers.add(me)
            if not self._is_over:
                os.write(self._woken, b"l")
        return lambda: self._lookers.discard(me)  # one more picture may come

    def key(self, code: str, *, pressed: bool) -> None:
        """Press or release a key, where the machine feels that."""
        name = CODES.get(code)
        devices = self._vm.board.input
        if name is None or devices is None or self._is_over:
            return
        with self._vm.exclusive():
            if self._vm.state.feels_input:
                devices.key(KEYS[name], pressed=pressed)

    def _serve(self) -> None:
        while True:
            ready, is_time = self._watch.wait([self._wake], looks=bool(self._lookers))
            if ready and not os.read(self._wake, 4096):
                return
            if is_time:
                self._take()

    def _take(self) -> None:
        """Take a picture."""
        board = self._vm.board
        adapter = board.display
        assert adapter is not None
        with self._vm.exclusive():
            picture = adapter.picture()
            places = ScreenPlaces(board, adapter)
        number = 1 if self.frame is None else self.frame.number + 1
        self.frame = ScreenFrame(number, *picture, partial(place_words, places))


def place_words(places: ScreenPlaces, x: int, y: int) -> str:
    """Return where a dot is, in words."""
    found = places.at(x, y)
    if found is None:
        return f"dot {x}, {y}: nothing of the guest's memory is shown there"
    dot = found.dot
    what = "its character" if dot.is_text else "its bytes"
    ends = f"{dot.size} bytes" if dot.size > 1 else "1 byte"
    seen = " and ".join(f"{hex_address(at)} ({name})" for at, name in found.addresses)
    return (
        f"dot {x}, {y}: {what}, {ends} at {hex_address(dot.offset)} of RAM block {found.block};"
        f" guest address {seen or '— none, as the map is'}"
    )
