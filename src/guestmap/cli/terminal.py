"""The terminal (or a pipe) at the other end of a guest's serial port."""

from __future__ import annotations

import os
import select
import termios
import threading
import tty
from contextlib import suppress
from typing import IO, TYPE_CHECKING

from guestmap.cli.escape_key import EscapeKey
from guestmap.cli.output import warn
from guestmap.cli.streams import is_terminal
from guestmap.hw.serial.feed import SerialFeed
from guestmap.machine import Phase

if TYPE_CHECKING:
    from guestmap.hw.serial import Serial16550
    from guestmap.machine import VirtualMachine

_READ_BYTES = 4096
_OUTPUT_FLAGS = 1


class Terminal:
    """What is typed goes to the guest, Ctrl-C included; a context manager.

    Whoever types is told how to end that, and at the end that the guest had halted for good.

    Args:
        vm: the machine.
        port: its serial port.
        output: where the guest's output goes.
    """

    def __init__(self, vm: VirtualMachine, port: Serial16550, output: IO[bytes]) -> None:
        self._vm = vm
        self._output = output
        self._typing = is_terminal()
        self._escape = EscapeKey()
        self._before: list[int | list[bytes | int]] | None = None
        self._feed = SerialFeed(port, vm.exclusive)
        self._wake, self._woken = os.pipe()
        self._thread = threading.Thread(target=self._read, name="guestmap-serial", daemon=True)
        port.sink = self._out

    def __enter__(self) -> None:
        if self._typing:
            self._before = termios.tcgetattr(0)
            tty.setraw(0)
            raw = termios.tcgetattr(0)
            raw[_OUTPUT_FLAGS] = self._before[_OUTPUT_FLAGS]  # lines that others print stay lines
            termios.tcsetattr(0, termios.TCSANOW, raw)
            warn("guestmap: all keys go to the guest; Ctrl-A X ends the machine")
        if self._typing or _is_pipe():
            self._thread.start()

    def __exit__(self, *_error: object) -> None:
        self._feed.close()
        os.close(self._woken)
        if self._thread.ident is not None:
            self._thread.join()
        os.close(self._wake)
        if self._before is not None:
            termios.tcsetattr(0, termios.TCSADRAIN, self._before)
            if self._vm.phases.phase is Phase.HALT:
                warn(f"guestmap: the guest halted for good: {self._vm.phases.changes[-1].evidence}")

    def _out(self, byte: int) -> None:
        self._output.write(bytes((byte,)))
        self._output.flush()

    def _read(self) -> None:
        with suppress(OSError):  # the terminal is gone
            while True:
                ready, _, _ = select.select([0, self._wake], [], [])
                if self._wake in ready or not (data := os.read(0, _READ_BYTES)):
                    return
                self._typed(data)

    def _typed(self, data: bytes) -> None:
        if not self._typing:
            self._feed.send(data)
            return
        keys, is_end = self._escape.taken(data)
        if keys:
            self._feed.send(keys)
        if is_end:
            self._vm.quit("host-signal")


def _is_pipe() -> bool:
    """Tell whether stdin is something that ends, and no terminal of somebody else's."""
    try:
        os.fstat(0)
    except OSError:
        return False
    return not os.isatty(0)
