"""Sockets that listen already, and were inherited from whoever started the program."""

from __future__ import annotations

import os
import socket

from guestmap.base import ConfigError
from guestmap.monitor.address import TcpAddress, UnixAddress
from guestmap.monitor.listening import Listener


def adopted(descriptor: int, label: str) -> Listener:
    """Return a socket that was inherited, and listens already: somebody may have connected.

    Raises:
        ConfigError: the descriptor is none of such a socket.
    """
    try:
        found = socket.socket(fileno=descriptor)
    except OSError as error:
        raise ConfigError(f"descriptor {descriptor} is no socket: {error.strerror}") from error
    except OverflowError as error:
        raise ConfigError(f"descriptor {descriptor} is no socket: no number is so large") from error
    if not found.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
        found.detach()
        raise ConfigError(f"descriptor {descriptor} is a socket that does not listen")
    os.set_inheritable(descriptor, False)
    return _Adopted(found, label)


class _Adopted(Listener):
    """A socket that somebody else made; its file is theirs."""

    def __init__(self, found: socket.socket, label: str) -> None:
        self.label = label
        self._file = None
        self.socket = found
        name = found.getsockname()
        self.address = UnixAddress(name) if isinstance(name, str) else TcpAddress(*name[:2])
        found.setblocking(False)
