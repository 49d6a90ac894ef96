"""A socket at the other end of a guest's serial port.

The guest never waits: what nobody reads is lost, as on a cable without handshake.
"""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from guestmap.hw.serial.feed import SerialFeed
from guestmap.monitor.command import Endpoint

if TYPE_CHECKING:
    from guestmap.hw.serial import Serial16550
    from guestmap.machine.vm import VirtualMachine
    from guestmap.monitor.listening import Listener

_READ_BYTES: Final = 4096


class SerialSocket:
    """A socket that listens; its last client is at the other end. A context manager.

    Args:
        vm: the machine.
        port: its serial port, whose other end this is until :meth:`close`.
        listener: the socket, which is closed with this.
    """

    def __init__(self, vm: VirtualMachine, port: Serial16550, listener: Listener) -> None:
        self._listener = listener
        listener.socket.setblocking(True)
        self._client: socket.socket | None = None
        self._feed = SerialFeed(port, vm.exclusive)
        port.sink = self._out
        self._thread = threading.Thread(target=self._serve, name="guestmap-serial", daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        with suppress(OSError):  # the end of the wire
            while True:
                client, _ = self._listener.socket.accept()
                with client:
                    self._client = client
                    with suppress(ConnectionError):
                        while data := client.recv(_READ_BYTES):
                            self._feed.send(data)
                    self._client = None

    def _out(self, byte: int) -> None:
        client = self._client
        if client is not None:
            with suppress(OSError):
                client.send(bytes((byte,)), socket.MSG_DONTWAIT)

    def endpoint(self) -> Endpoint:
        """Return what it is for ``query-chardev``."""
        found = self._client is not None
        prefix = "" if found else "disconnected:"
        return Endpoint(self._listener.label, f"{prefix}{self._listener.address},server=on", found)

    def close(self) -> None:
        """Let go of the port."""
        self._feed.close()
        for each in (self._listener.socket, self._client):
            if each is not None:
                with suppress(OSError):
                    each.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()

    def __enter__(self) -> None:
        pass

    def __exit__(self, *_error: object) -> None:
        self.close()
