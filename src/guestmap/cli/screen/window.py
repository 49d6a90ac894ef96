"""The terminal that a guest's screen is shown in, and typed into."""

from __future__ import annotations

import os
import re
import select
import shutil
import signal
import sys
import termios
import threading
import tty
from contextlib import suppress
from typing import TYPE_CHECKING

from guestmap.cli.escape_key import EscapeKey
from guestmap.cli.screen.painting import Graphics, block_lines, kitty, sixel, text_lines
from guestmap.cli.screen.typed import keys_of
from guestmap.hw.ps2.keys import KEYS
from guestmap.machine.screen_watch import ScreenWatch

if TYPE_CHECKING:
    from guestmap.hw.vga.screen import ScreenPicture
    from guestmap.machine import VirtualMachine

_ANSWER_S = 0.5
_HOLD_NS = 20_000_000
_READ_BYTES = 4096
_ASK = "\x1b_Gi=31,s=1,v=1,a=q,t=d,f=24;AAAA\x1b\\\x1b[c"
"""Whether there are kitty's graphics, and what kind of terminal it is (DA1), which all answer."""
_KIND = re.compile(rb"\x1b\[\?([0-9;]*)c")
_SIXEL = b"4"
_RESIZED = b"r"
_TEXT_SIZE = 80, 24


class ScreenWindow:
    """Shows the screen, and sends what is typed; a context manager.

    What stands still is not looked at; of what is looked at, only what has changed is painted.

    Args:
        vm: the machine, with a screen.
    """

    def __init__(self, vm: VirtualMachine) -> None:
        self._vm = vm
        self._watch = ScreenWatch(vm)
        self._escape = EscapeKey()
        self._shown: list[str] = []
        self._last: object = None
        self._graphics = Graphics.BLOCKS
        self._wake, self._woken = os.pipe()
        self._thread = threading.Thread(target=self._serve, name="guestmap-screen", daemon=True)

    def __enter__(self) -> None:
        self._before = termios.tcgetattr(0)
        tty.setraw(0)
        self._graphics = self._asked()
        self._write("\x1b[?25l\x1b[2J")
        self._watch.__enter__()
        self._resized = signal.signal(signal.SIGWINCH, lambda *_: os.write(self._woken, _RESIZED))
        self._thread.start()

    def __exit__(self, *_error: object) -> None:
        signal.signal(signal.SIGWINCH, self._resized)
        os.close(self._woken)
        self._thread.join()
        os.close(self._wake)
        self._watch.__exit__()
        self._paint()  # as it is at the end
        termios.tcsetattr(0, termios.TCSADRAIN, self._before)
        self._write(f"\x1b[{shutil.get_terminal_size(_TEXT_SIZE).lines};1H\x1b[?25h\n")

    def _asked(self) -> Graphics:
        """Ask the terminal how it shows pictures; one that says nothing has half blocks."""
        self._write(_ASK)
        said = b""
        while _KIND.search(said) is None and select.select([0], [], [], _ANSWER_S)[0]:
            if not (read := os.read(0, _READ_BYTES)):  # the terminal is gone
                break
            said += read
        if b"\x1b_Gi=31;OK" in said:
            return Graphics.KITTY
        kind = _KIND.search(said)
        has_sixel = kind is not None and _SIXEL in kind[1].split(b";")
        return Graphics.SIXEL if has_sixel else Graphics.BLOCKS

    def _serve(self) -> None:
        with suppress(OSError):  # the terminal is gone
            while True:
                ready, is_time = self._watch.wait([0, self._wake])
                if self._wake in ready and not os.read(self._wake, _READ_BYTES):
                    return
                if 0 in ready:
                    if not (data := os.read(0, _READ_BYTES)):
                        return
                    self._typed(data)
                if is_time or self._wake in ready:
                    self._paint()

    # -- the screen --------------------------------------------------------------------------------

    def _paint(self) -> None:
        """Paint what is other than it was."""
        with self._vm.exclusive():
            text = self._vm.board.text()
            picture = self._vm.board.picture() if text is None else None
        size = shutil.get_terminal_size(_TEXT_SIZE)
        if (text, picture, size) == self._last:
            return
        self._last = text, picture, size
        if text is not None:
            self._lines(text_lines(text)[: size.lines])
        elif picture is not None:
            self._show(picture, size)

    def _show(self, picture: ScreenPicture, size: os.terminal_size) -> None:
        if self._graphics is Graphics.BLOCKS:
            self._lines(block_lines(picture, size.columns, size.lines))
            return
        self._lines([])
        whole = kitty(picture, size.lines - 1) if self._graphics is Graphics.KITTY else ""
        self._write("\x1b[H" + (whole or sixel(picture)))

    def _lines(self, lines: list[str]) -> None:
        """Paint lines, those alone that are others than before; below them is nothing."""
        changed = [
            f"\x1b[{row + 1};1H{line}\x1b[K"
            for row, line in enumerate(lines)
            if row >= len(self._shown) or self._shown[row] != line
        ]
        if len(lines) < len(self._shown):
            changed.append(f"\x1b[{len(lines) + 1};1H\x1b[J")
        self._shown = lines
        if changed:
            self._write("".join(changed))

    def _write(self, text: str) -> None:
        sys.stdout.buffer.write(text.encode())  # as text, its escapes would be made harmless
        sys.stdout.buffer.flush()

    # -- the keys ----------------------------------------------------------------------------------

    def _typed(self, data: bytes) -> None:
        keys, is_end = self._escape.taken(data)
        if is_end:
            self._vm.quit("host-signal")
            return
        devices = self._vm.board.input
        if devices is None or not self._vm.state.feels_input:
            return
        with self._vm.exclusive():
            for names in keys_of(keys):
                devices.type([KEYS[name] for name in names], _HOLD_NS)
