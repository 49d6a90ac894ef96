"""The other end of a guest's serial port: lines that it says, commands that it gets."""

from __future__ import annotations

import re
import socket
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext, suppress
from typing import TYPE_CHECKING, Self

from guestmap.hw.serial.feed import SerialFeed

if TYPE_CHECKING:
    from guestmap.hw.serial import Serial16550

TIMEOUT_S = 60.0
"""How long :meth:`SerialConsole.expect` waits unless told otherwise."""

_SOCKET_BYTES = 4096


class ConsoleError(AssertionError):
    """What was expected did not come; the message has all that was said."""


class SerialConsole:
    """A console, over a socket (:meth:`over_socket`) or on a port of our machine (:meth:`on_port`).

    Args:
        send: takes the bytes that the guest shall get.
        close: lets go of the wire; called once.
    """

    def __init__(
        self, send: Callable[[bytes], object], close: Callable[[], object] = lambda: None
    ) -> None:
        self._send = send
        self._close = close
        self._changed = threading.Condition()
        self._partial = bytearray()
        self._lines: list[str] = []
        self._seen = 0
        self._ended = ""

    @classmethod
    def over_socket(cls, wire: socket.socket) -> Self:
        """Return a console over a connected socket, which it closes at the end.

        A thread of its own reads, so that the guest never waits for whoever expects.
        """

        def end() -> None:
            with suppress(OSError):  # the other end was faster
                wire.shutdown(socket.SHUT_RDWR)
            reader.join()
            wire.close()

        def read() -> None:
            try:
                while data := wire.recv(_SOCKET_BYTES):
                    console.receive(data)
                console.end("the wire was closed")
            except OSError as error:
                console.end(f"the wire broke: {error.strerror}")

        console = cls(wire.sendall, end)
        reader = threading.Thread(target=read, name="guestmap-console", daemon=True)
        reader.start()
        return console

    @classmethod
    def on_port(
        cls,
        port: Serial16550,
        exclusive: Callable[[], AbstractContextManager[object]] = nullcontext,
    ) -> Self:
        """Return a console on the serial port of a machine in this process.

        Args:
            port: the port, whose ``sink`` and ``on_room`` this takes until it is closed.
            exclusive: keeps the machine from running while the port is given bytes.
        """
        feed = SerialFeed(port, exclusive)
        before = port.sink

        def end() -> None:
            port.sink = before
            feed.close()

        console = cls(feed.send, end)
        port.sink = lambda byte: console.receive(bytes((byte,)))
        return console

    # -- the wire's side -------------------------------------------------------------------------

    def receive(self, data: bytes) -> None:
        """Take bytes that the guest sent; from any thread."""
        with self._changed:
            self._partial += data
            if b"\n" not in data:
                return
            *whole, self._partial = self._partial.split(b"\n")
            self._lines += [line.decode("ascii", "replace").rstrip("\r") for line in whole]
            self._changed.notify_all()

    def end(self, reason: str) -> None:
        """Note that nothing more will come, and why."""
        with self._changed:
            self._ended = self._ended or reason
            self._changed.notify_all()

    # -- the user's side -------------------------------------------------------------------------

    @property
    def lines(self) -> tuple[str, ...]:
        """All that was said so far, without line ends."""
        with self._changed:
            return tuple(self._lines)

    def send(self, command: str) -> None:
        """Send one line."""
        self._send(command.encode("ascii") + b"\n")

    def expect(self, pattern: str, *, timeout: float = TIMEOUT_S) -> re.Match[str]:
        """Return the match of the first line, after the last one expected, that ``pattern`` fits.

        Lines in between are passed over. The pattern is a regular expression for a whole line.

        Raises:
            ConsoleError: none came in ``timeout`` seconds, or none will.
        """
        fits = re.compile(pattern).fullmatch
        deadline = time.monotonic() + timeout
        at = self._seen
        with self._changed:
            while True:
                while at < len(self._lines):
                    match = fits(self._lines[at])
                    at += 1
                    if match is not None:
                        self._seen = at
                        return match
                left = deadline - time.monotonic()
                if self._ended or left <= 0:
                    raise ConsoleError(self._why_not(pattern, timeout))
                self._changed.wait(left)

    def ask(self, command: str, answer: str, *, timeout: float = TIMEOUT_S) -> re.Match[str]:
        """Send a line and return the match of the answer, see :meth:`expect`."""
        self.send(command)
        return self.expect(answer, timeout=timeout)

    def _why_not(self, pattern: str, timeout: float) -> str:
        why = self._ended or f"{timeout:g} seconds are over"
        said = "".join(f"\n  {line}" for line in self._lines)
        part = (
            f"\n  {self._partial.decode('ascii', 'replace')} (no line end)" if self._partial else ""
        )
        return f"no line fits {pattern!r}: {why}. The guest said:{said}{part}"

    def close(self) -> None:
        """Let go of the wire."""
        self.end("the console is closed")
        close, self._close = self._close, lambda: None
        close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()
