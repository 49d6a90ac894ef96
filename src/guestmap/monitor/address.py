"""Where a monitor listens, in the words of QEMU's ``-qmp``.

========================================  =================================================
``unix:PATH[,server=on][,wait=off]``      a socket in the file system
``tcp:HOST:PORT[,server=on][,wait=off]``  a port; no host is this one alone (127.0.0.1)
========================================  =================================================

QEMU's ``tcp::PORT`` listens on every network the host has. A monitor can do anything to a machine
and asks for no password, so here that must be written down: ``tcp:0.0.0.0:PORT``.
"""

from __future__ import annotations

import re

from guestmap.base import ConfigError, UnsupportedError
from guestmap.qmp.client.address import TcpTarget, UnixTarget

MAX_UNIX_PATH = 107
"""Bytes that a path may have: ``sun_path`` less the byte that ends it (Linux, unix(7))."""

_TCP = re.compile(r"(?:\[(?P<six>[^\]]*)\]|(?P<host>[^:\[\],]*)):(?P<port>\d{1,5})")
_ON, _OFF = frozenset(("on", "yes", "true", "")), frozenset(("off", "no", "false"))


UnixAddress = UnixTarget
TcpAddress = TcpTarget  # port 0: any that is free
Address = UnixAddress | TcpAddress


def parse_address(text: str) -> Address:
    """Return where ``-qmp text`` asks a monitor to listen.

    Raises:
        ConfigError: not one of the forms.
        UnsupportedError: QEMU takes it, and it is not here: ``server=off``, ``wait=on``.
    """
    kind, colon, rest = text.partition(":")
    where, *options = rest.split(",")
    if not colon or kind not in ("unix", "tcp"):
        raise ConfigError(f"{text!r} is no place to listen at: write unix:PATH or tcp:HOST:PORT")
    for option in options:
        _check(text, option)
    if kind == "tcp":
        return _tcp(text, where)
    if not where:
        raise ConfigError(f"{text!r} names no socket: write unix:PATH")
    if len(where.encode()) > MAX_UNIX_PATH:
        raise ConfigError(f"UNIX socket path '{where}' is too long: it must be less than 108 bytes")
    return UnixAddress(where)


def _check(text: str, option: str) -> None:
    name, _, value = option.partition("=")
    if name == "nowait" and not value:
        return
    if name not in ("server", "wait") or value not in _ON | _OFF:
        raise ConfigError(f"{text!r}: {option!r} is none of server=on, wait=off")
    if name == "server" and value in _OFF:
        raise UnsupportedError(f"{text!r}: a monitor listens here, it does not connect: server=on")
    if name == "wait" and value in _ON:
        raise UnsupportedError(f"{text!r}: the machine waits for no client: wait=off, and paused")


def _tcp(text: str, where: str) -> TcpAddress:
    match = _TCP.fullmatch(where)
    if match is None or int(match["port"]) >= 1 << 16:
        raise ConfigError(f"{text!r} names no port: write tcp:HOST:PORT, for example tcp::4444")
    return TcpAddress(match["six"] or match["host"] or "127.0.0.1", int(match["port"]))
