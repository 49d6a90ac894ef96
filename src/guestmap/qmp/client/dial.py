"""Connecting to a QMP socket, and saying why it does not answer.

QEMU accepts one client on a monitor socket and then stops listening. A second client's connect
succeeds all the same, because the kernel takes it into the queue; it just never gets a greeting.
The next one does not even get into the queue (``EAGAIN``; over TCP no answer).
"""

from __future__ import annotations

import errno
import re
import socket
import struct
import time
from pathlib import Path
from typing import NamedTuple

from guestmap.base import HostError, PeerError
from guestmap.qmp.client.address import TcpTarget, TlsTarget, UnixTarget

_QUEUE_S, _PAUSE_S = 1.0, 0.02
_CREDENTIALS = struct.Struct("3i")
_LIBVIRT_SOCKET = re.compile(r".*/domain-\d+-(?P<name>[^/]+)/monitor\.sock")

_REASONS = {
    errno.ENOENT: "there is no such socket; is the machine running?",
    errno.ECONNREFUSED: "nobody listens there; is the machine running?",
    errno.ENOTSOCK: "it is not a socket",
    errno.EACCES: "it belongs to another user; try as that user, or as root",
}


def dial(target: UnixTarget | TcpTarget, timeout_s: float) -> socket.socket:
    """Return a connected socket.

    Raises:
        HostError: the operating system could not connect; says why.
        PeerError: somebody is connected already, and somebody waits; no TLS is agreed on.
    """
    if isinstance(target, TlsTarget):
        from guestmap.qmp.client.tls import over_tls  # which most do without

        plain = dial(TcpTarget(target.host, target.port), timeout_s)
        return over_tls(plain, target)
    try:
        if isinstance(target, TcpTarget):
            return socket.create_connection((target.host, target.port), timeout_s)
        return _dial_unix(target.path, timeout_s)
    except BlockingIOError as error:
        raise busy(target, "connections queue up already", None) from error
    except TimeoutError as error:
        raise busy(target, f"nothing took the connection within {timeout_s:g} s", None) from error
    except OSError as error:
        number = error.errno if error.errno and error.errno > 0 else None
        advice = _REASONS.get(number, "") if number else error.strerror or str(error)
        raise HostError(
            f"cannot connect to {target}{f' ({advice})' if advice else ''}",
            errno=number,
            call="connect",
            arguments=str(target),
        ) from error
    except UnicodeError as error:  # of a label that is empty, or too long (RFC 1035, 2.3.4)
        what = f"cannot connect to {target} (no host can have that name)"
        raise HostError(what, call="connect", arguments=str(target)) from error


def _dial_unix(path: str, timeout_s: float) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connection.settimeout(timeout_s)
        _get_into_queue(connection, path, time.monotonic() + min(timeout_s, _QUEUE_S))
    except BaseException:
        connection.close()
        raise
    return connection


def _get_into_queue(connection: socket.socket, path: str, deadline: float) -> None:
    """Connect, once there is room: a client that has just gone leaves its place a moment later.

    Raises:
        BlockingIOError: there is none until then, in seconds of the monotonic clock.
    """
    while True:
        try:
            return connection.connect(path)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                raise
        time.sleep(_PAUSE_S)


class SocketOwner(NamedTuple):
    """The process that made a socket: its name and number, and whether it is stopped."""

    name: str
    process: int
    is_stopped: bool = False

    def __str__(self) -> str:
        return f"{self.name}, process {self.process}"


def busy(target: UnixTarget | TcpTarget, what: str, listener: SocketOwner | None) -> PeerError:
    """Return the error for a socket that does not greet: who may hold it, and what to do.

    Args:
        target: the socket.
        what: what was seen.
        listener: what :func:`listener_of` says.
    """
    told = f" (it was opened by {listener})" if listener else ""
    if listener is not None and listener.is_stopped:
        return PeerError(
            f"{target}{told}: {what}: that process is stopped (by SIGSTOP, or by a debugger), and"
            f" answers when it goes on (kill -CONT {listener.process})"
        )
    libvirt = _LIBVIRT_SOCKET.fullmatch(target.path) if isinstance(target, UnixTarget) else None
    domain = libvirt["name"] if libvirt else "NAME"
    theirs = "it is libvirt's own: use" if libvirt else "where libvirt runs the machine, use"
    return PeerError(
        f"{target}{told}: {what}: QEMU serves one client at a time on a monitor socket, and most"
        " likely another one holds it (libvirt, a management tool, a qmp-shell left open);"
        f" end that one, or give QEMU a second monitor (-qmp unix:PATH,server=on,wait=off);"
        f" {theirs} libvirt:{domain}, or save the output of"
        f" \"virsh qemu-monitor-command --hmp {domain} 'info mtree -f'\" and read that file;"
        " a socket that is not QMP is silent too"
    )


def listener_of(connection: socket.socket) -> SocketOwner | None:
    """Return which process made the socket that we are connected to; None: not known (TCP)."""
    if connection.family != socket.AF_UNIX:
        return None
    try:
        raw = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
        process = _CREDENTIALS.unpack(raw)[0]
        stat = Path(f"/proc/{process}/stat").read_text()
    except (OSError, ValueError, AttributeError):  # another user's, another system's
        return None
    # proc(5): number, name in parentheses (which may hold any character), state.
    name, _, rest = stat.partition("(")[2].rpartition(")")
    return SocketOwner(name, process, is_stopped=rest.split(maxsplit=1)[0] in {"T", "t"})
