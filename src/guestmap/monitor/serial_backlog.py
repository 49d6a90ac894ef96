"""What a guest sent over its serial port and the other end has no room for yet.

The guest never waits for who reads. A socket takes a few hundred single bytes, a terminal 4 KiB:
who is scheduled late would lose the middle of a line.
"""

from __future__ import annotations

import os
import select
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

MOST_BYTES: Final = 1 << 20
"""As many wait; what comes then is lost, as on a cable without handshake."""

LAST_WORDS_S: Final = 1.0
"""How long somebody slow has for what still waits when the machine has ended."""

_CHUNK_BYTES: Final = 1 << 16


class SerialBacklog:
    """The bytes that wait, and the way out; any thread.

    Args:
        write: takes bytes and returns how many it took, without waiting. Its OSErrors:
            BlockingIOError, there is no room; any other, nobody is there, and what waits is lost.

    Attributes:
        woken: a file descriptor that can be read when bytes have begun to wait, until
            :meth:`drain`.
    """

    def __init__(self, write: Callable[[bytes], int]) -> None:
        self._write = write
        self._lock = threading.Lock()
        self._waiting = bytearray()
        self._is_closed = False
        self.woken = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)

    @property
    def is_empty(self) -> bool:
        """Whether nothing waits."""
        return not self._waiting

    def send(self, byte: int) -> None:
        """Send a byte (0-255), behind what waits."""
        with self._lock:
            if self._is_closed or len(self._waiting) == MOST_BYTES:
                return
            self._waiting.append(byte)
            if len(self._waiting) == 1:
                self._send_on()
                if self._waiting:
                    os.eventfd_write(self.woken, 1)

    def drain(self) -> None:
        """Send on what waits, as far as there is room."""
        with self._lock:
            with suppress(BlockingIOError):
                os.eventfd_read(self.woken)
            self._send_on()

    def finish(self, descriptor: int) -> None:
        """Send on what waits, for :data:`LAST_WORDS_S` at most.

        Args:
            descriptor: of the other end.
        """
        poll = select.poll()
        poll.register(descriptor, select.POLLOUT)
        until = time.monotonic() + LAST_WORDS_S
        while not self.is_empty and (left := until - time.monotonic()) > 0:
            if poll.poll(left * 1000) != [(descriptor, select.POLLOUT)]:
                return
            self.drain()

    def close(self) -> None:
        """Send nothing more."""
        with self._lock:
            self._is_closed = True
            self._waiting.clear()
            os.close(self.woken)

    def _send_on(self) -> None:
        try:
            while self._waiting:
                del self._waiting[: self._write(bytes(self._waiting[:_CHUNK_BYTES]))]
        except BlockingIOError:
            pass
        except OSError:
            self._waiting.clear()
