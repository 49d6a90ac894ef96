"""Bytes for a serial port, as fast as the guest takes them: none is lost."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from guestmap.hw.serial.device import Serial16550


class SerialFeed:
    """What somebody types on the other end of a port's wire.

    Args:
        port: the port; its ``on_room`` is this feed's until :meth:`close`.
        exclusive: keeps the machine from running while the port is given bytes.
    """

    def __init__(
        self,
        port: Serial16550,
        exclusive: Callable[[], AbstractContextManager[object]] = nullcontext,
    ) -> None:
        self._port = port
        self._exclusive = exclusive
        self._lock = threading.Lock()
        self._waiting: deque[int] = deque()
        self._before, port.on_room = port.on_room, self._pump

    def send(self, data: bytes) -> None:
        """Give the guest ``data``, at once or when it has read what came before; any thread."""
        with self._lock:
            self._waiting.extend(data)
        with self._exclusive():
            self._pump()

    def close(self) -> None:
        """Give the guest nothing more."""
        self._port.on_room = self._before

    def _pump(self) -> None:
        with self._lock:
            count = min(self._port.room, len(self._waiting))
            data = bytes(self._waiting.popleft() for _ in range(count))
        if data:
            self._port.receive(data)
