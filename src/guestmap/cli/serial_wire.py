"""Where the guest's serial port goes: a file, the terminal, or a socket to type into."""

from __future__ import annotations

import os
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from guestmap.base import ConfigError
from guestmap.cli.terminal import Terminal
from guestmap.hw.serial import Serial16550
from guestmap.hw.serial_feed import SerialFeed
from guestmap.machine import VirtualMachine

_UNIX = "unix:"
_READ_BYTES = 4096


@contextmanager
def serial_wire(vm: VirtualMachine, target: str) -> Iterator[None]:
    """Connect the machine's serial port for the time of a ``with``.

    Args:
        vm: the machine; without a serial port nothing happens.
        target: ``stdio`` (a terminal that one can type in), ``unix:PATH`` (a socket to connect to),
            or a file; "" for nowhere.

    Raises:
        ConfigError: the file or the socket cannot be made.
    """
    port = vm.board.serial
    with ExitStack() as end:
        try:
            if port is None or not target:
                pass
            elif target.startswith(_UNIX):
                end.enter_context(_SocketWire(vm, port, target.removeprefix(_UNIX)))
            elif target == "stdio":
                end.enter_context(Terminal(vm, port, sys.stdout.buffer))
            else:
                file = end.enter_context(open(target, "wb"))
                port.sink = _by_lines(file.write, file.flush)
        except OSError as error:
            raise ConfigError(f"--serial {target}: {error.strerror or error}") from error
        yield


def _by_lines(
    write: Callable[[bytes], object], flush: Callable[[], object]
) -> Callable[[int], None]:
    def sink(byte: int) -> None:
        write(bytes((byte,)))
        if byte == 0x0A:
            flush()

    return sink


class _SocketWire:
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
