"""A socket at the other end of a guest's serial port.

The guest never waits: what it sends while nobody is connected is lost.
"""

from __future__ import annotations

import select
import socket
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from guestmap.hw.serial.feed import SerialFeed
from guestmap.monitor.command import Endpoint
from guestmap.monitor.serial_backlog import SerialBacklog

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
        self._port, self._sink_before = port, port.sink
        self._backlog = SerialBacklog(self._send)
        port.sink = self._backlog.send
        self._thread = threading.Thread(target=self._serve, name="guestmap-serial", daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        with suppress(OSError):  # the end of the wire
            while True:
                client, _ = self._listener.socket.accept()
                with client:
                    client.setblocking(False)
                    self._client = client
                    with suppress(ConnectionError):
                        self._talk(client)
                    self._client = None
                    self._backlog.drain()  # what it has not taken is not for the next one

    def _talk(self, client: socket.socket) -> None:
        """Carry bytes both ways until the client has gone."""
        poll = select.poll()
        poll.register(self._backlog.woken, select.POLLIN)
        while True:
            outwards = 0 if self._backlog.is_empty else select.POLLOUT
            poll.register(client, select.POLLIN | outwards)
            ready = dict(poll.poll())
            self._backlog.drain()
            if ready.get(client.fileno(), 0) & ~select.POLLOUT:
                data = client.recv(_READ_BYTES)
                if not data:
                    return
                self._feed.send(data)

    def _send(self, data: bytes) -> int:
        client = self._client
        if client is None:
            raise ConnectionError
        return client.send(data)

    def endpoint(self) -> Endpoint:
        """Return what it is for ``query-chardev``."""
        found = self._client is not None
        prefix = "" if found else "disconnected:"
        return Endpoint(self._listener.label, f"{prefix}{self._listener.address},server=on", found)

    def close(self) -> None:
        """Let go of the port."""
        self._feed.close()
        self._port.sink = self._sink_before
        client = self._client
        if client is not None:
            with suppress(ValueError):  # it has gone meanwhile
                self._backlog.finish(client.fileno())
        for each in (self._listener.socket, self._client):
            if each is not None:
                with suppress(OSError):
                    each.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()
        self._backlog.close()

    def __enter__(self) -> None:
        pass

    def __exit__(self, *_error: object) -> None:
        self.close()
