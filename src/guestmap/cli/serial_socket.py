"""A socket at the other end of a guest's serial port."""

from __future__ import annotations

import os
import socket
import threading
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from guestmap.hw.serial.feed import SerialFeed

if TYPE_CHECKING:
    from guestmap.hw.serial import Serial16550
    from guestmap.machine.vm import VirtualMachine

_READ_BYTES = 4096


class SocketWire:
    """A listening socket; its last client is at the other end of the wire.

    The guest never waits: what nobody reads is lost, as on a cable without handshake.
    """

    def __init__(self, vm: VirtualMachine, port: Serial16550, path: str) -> None:
        self._path = Path(path)
        self._listener = socket.socket(socket.AF_UNIX)
        try:
            if self._path.is_socket():  # that of a machine that has ended
                self._path.unlink()
            self._listener.bind(path)
            os.chmod(path, 0o600)
            self._listener.listen()
        except OSError:
            self._listener.close()
            raise
        self._client: socket.socket | None = None
        self._port = port
        self._feed = SerialFeed(port, vm.exclusive)
        port.sink = self._out
        self._thread = threading.Thread(target=self._serve, name="guestmap-serial", daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        with suppress(OSError):  # the end of the wire
            while True:
                client, _ = self._listener.accept()
                with client:
                    self._client = client
                    self._read(client)
                    self._client = None

    def _read(self, client: socket.socket) -> None:
        with suppress(ConnectionError):
            while data := client.recv(_READ_BYTES):
                self._feed.send(data)

    def _out(self, byte: int) -> None:
        client = self._client
        if client is not None:
            with suppress(OSError):
                client.send(bytes((byte,)), socket.MSG_DONTWAIT)

    def __enter__(self) -> None:
        pass

    def __exit__(self, *_error: object) -> None:
        self._feed.close()
        client = self._client
        for each in (self._listener, client):
            if each is not None:
                with suppress(OSError):
                    each.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()
        self._path.unlink(missing_ok=True)
