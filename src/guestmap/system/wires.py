"""The other end of the guest's serial port: a pseudo terminal, a socket's client, a file.

The guest never waits: what it sends while nobody is there is lost.
"""

from __future__ import annotations

import os
import select
import threading
import tty
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from typing import TYPE_CHECKING, Final, Protocol

from guestmap.base import HostError
from guestmap.hw.serial.feed import SerialFeed
from guestmap.monitor.address import UnixAddress
from guestmap.monitor.adopted import adopted
from guestmap.monitor.command import Endpoint
from guestmap.monitor.listening import Listener
from guestmap.monitor.serial_backlog import SerialBacklog
from guestmap.monitor.serial_socket import SerialSocket

if TYPE_CHECKING:
    from guestmap.hw.parallel import ParallelPort
    from guestmap.hw.serial import Serial16550
    from guestmap.machine.vm import VirtualMachine
    from guestmap.system.chardevs import CharDev

_READ_BYTES: Final = 4096
_LOOK_S: Final = 0.1
"""How often it is looked whether somebody has opened the terminal: nothing tells of it."""


class SerialEnd(Protocol):
    """An end of the port's wire."""

    def endpoint(self) -> Endpoint:
        """Return what it is for ``query-chardev``."""

    def close(self) -> None:
        """Let go of the port."""


class Pty:
    """A pseudo terminal; whoever opens it is at the other end."""

    def __init__(self, vm: VirtualMachine, port: Serial16550, label: str) -> None:
        self._label = label
        self._master, slave = os.openpty()
        tty.setraw(slave)
        self.path = os.ttyname(slave)
        os.close(slave)
        os.set_blocking(self._master, False)
        self._poll = select.poll()
        self._poll.register(self._master, select.POLLIN)
        self._hung_up = select.poll()
        self._hung_up.register(self._master, 0)
        self._end, self._stop = os.pipe()
        self._poll.register(self._end, select.POLLIN)
        self._feed = SerialFeed(port, vm.exclusive)
        self._port, self._sink_before = port, port.sink
        self._backlog = SerialBacklog(self._send)
        self._poll.register(self._backlog.woken, select.POLLIN)
        port.sink = self._backlog.send
        self._thread = threading.Thread(target=self._serve, name="guestmap-serial", daemon=True)
        self._thread.start()

    @property
    def _is_open(self) -> bool:
        return not self._hung_up.poll(0)

    def _serve(self) -> None:
        while True:
            outwards = 0 if self._backlog.is_empty else select.POLLOUT
            self._poll.register(self._master, select.POLLIN | outwards)
            ready = dict(self._poll.poll())
            if self._end in ready:
                return
            self._backlog.drain()
            told = ready.get(self._master, 0)
            if told & select.POLLHUP:  # nobody has it open
                if select.select([self._end], [], [], _LOOK_S)[0]:
                    return
                continue
            if told & select.POLLIN:
                with suppress(OSError):
                    self._feed.send(os.read(self._master, _READ_BYTES))

    def _send(self, data: bytes) -> int:
        if not self._is_open:
            raise ConnectionError
        return os.write(self._master, data)

    def endpoint(self) -> Endpoint:
        """Return what it is for ``query-chardev``."""
        return Endpoint(self._label, f"pty:{self.path}", self._is_open)

    def close(self) -> None:
        """Let go of the port."""
        self._feed.close()
        self._port.sink = self._sink_before
        self._backlog.finish(self._master)
        os.write(self._stop, b"x")
        self._thread.join()
        self._backlog.close()
        for each in (self._master, self._end, self._stop):
            os.close(each)


class FileEnd:
    """A file that what the guest sends is written to; none, where it goes nowhere."""

    def __init__(self, port: Serial16550 | ParallelPort, label: str, path: str) -> None:
        self._label, self._path = label, path
        self._file = open(path, "wb", buffering=0) if path else None  # noqa: SIM115 - in close()
        if self._file is not None:
            port.sink = self._out

    def _out(self, byte: int) -> None:
        with suppress(OSError, ValueError):
            if self._file is not None:
                self._file.write(bytes((byte,)))

    def endpoint(self) -> Endpoint:
        """Return what it is for ``query-chardev``."""
        return Endpoint(self._label, "file" if self._path else "null", True)

    def close(self) -> None:
        """Let go of the port."""
        if self._file is not None:
            self._file.close()


def socket_of(made: CharDev) -> Listener:
    """Return the socket of a character device: inherited, or made at its path.

    Raises:
        ConfigError: the descriptor is no socket that listens.
        HostError: the path is refused.
    """
    if made.descriptor is not None:
        return adopted(made.descriptor, made.id)
    listener = Listener(UnixAddress(made.path))
    listener.label = made.id
    return listener


@contextmanager
def wired(vm: VirtualMachine, made: CharDev | None) -> Iterator[tuple[SerialEnd, ...]]:
    """Connect the machine's serial port for the time of a ``with``.

    Raises:
        ConfigError, HostError: the other end cannot be made.
    """
    port = vm.board.serial
    if made is None or port is None:
        yield ()
        return
    wire: SerialEnd
    try:
        if made.kind == "pty":
            wire = Pty(vm, port, made.id)
        elif made.kind == "socket":
            wire = SerialSocket(vm, port, socket_of(made))
        else:
            wire = FileEnd(port, made.id, made.path)
    except OSError as error:
        raise _not_made(made, error) from error
    with closing(wire):
        yield (wire,)


@contextmanager
def printed(vm: VirtualMachine, made: CharDev | None) -> Iterator[tuple[SerialEnd, ...]]:
    """Connect the machine's parallel port for the time of a ``with``.

    Raises:
        HostError: the file cannot be made.
    """
    port = vm.board.parallel
    if made is None or port is None:
        yield ()
        return
    try:
        wire = FileEnd(port, made.id, made.path)
    except OSError as error:
        raise _not_made(made, error) from error
    with closing(wire):
        yield (wire,)


def _not_made(made: CharDev, error: OSError) -> HostError:
    return HostError(
        f"chardev '{made.id}' cannot be made", errno=error.errno, call="open", arguments=made.path
    )
