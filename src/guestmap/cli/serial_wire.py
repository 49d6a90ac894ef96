"""Where the guest's serial port goes: a file, the terminal, or a socket to type into."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from guestmap.base import ConfigError
from guestmap.machine.vm import VirtualMachine

_UNIX = "unix:"


@contextmanager
def serial_wire(vm: VirtualMachine, target: str) -> Iterator[None]:
    """Connect the machine's serial port for the time of a ``with``.

    Args:
        vm: the machine; without a serial port nothing happens.
        target: ``stdio`` (a terminal that one can type in), ``unix:PATH`` (a socket to connect to),
            or a file; "" for nowhere.

    Raises:
        ConfigError: the file cannot be made.
        HostError: the socket cannot be made.
    """
    port = vm.board.serial
    with ExitStack() as end:
        try:
            if port is None or not target:
                pass
            elif target.startswith(_UNIX):
                from guestmap.monitor.address import UnixAddress
                from guestmap.monitor.listening import Listener
                from guestmap.monitor.serial_socket import SerialSocket

                listener = Listener(UnixAddress(target.removeprefix(_UNIX)))
                end.enter_context(SerialSocket(vm, port, listener))
            elif target == "stdio":
                from guestmap.cli.terminal import Terminal

                end.enter_context(Terminal(vm, port, sys.stdout.buffer))
            else:
                file = end.enter_context(open(target, "wb", buffering=0))
                port.sink = lambda byte: file.write(bytes((byte,)))  # kept, however we end
        except OSError as error:
            raise ConfigError(f"--serial {target}: {error.strerror or error}") from error
        yield
