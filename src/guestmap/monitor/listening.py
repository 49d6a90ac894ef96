"""Sockets that listen: made with the right mode, and gone from the file system afterwards."""

from __future__ import annotations

import errno
import fcntl
import os
import socket
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from guestmap.base import HostError
from guestmap.base.faults import point
from guestmap.monitor.address import Address, TcpAddress, UnixAddress

BACKLOG = 256


class _File(NamedTuple):
    device: int
    inode: int


class Listener:
    """A socket that listens at an address; close it.

    Attributes:
        socket: not blocking.
        address: where it listens; a port 0 has become a real one.
        label: what QEMU calls its character device.

    Raises:
        HostError: the host refuses; a socket that somebody answers at is not taken away.
    """

    def __init__(self, address: Address, label: str = "") -> None:
        self.label = label
        self._file: _File | None = None
        if isinstance(address, UnixAddress):
            self.socket = self._unix(address)
            self.address: Address = address
        else:
            self.socket = _tcp(address)
            host, port = self.socket.getsockname()[:2]
            self.address = TcpAddress(host, port)
        self.socket.setblocking(False)

    def filename(self, is_connected: bool) -> str:
        """Return what ``query-chardev`` calls it."""
        return f"{'' if is_connected else 'disconnected:'}{self.address},server=on"

    def _unix(self, address: UnixAddress) -> socket.socket:
        with _alone_in(Path(address.path).parent):
            _clear(address)
            listener = socket.socket(socket.AF_UNIX)
            try:
                # bind() gives the file the socket's own mode, less the umask: nobody else gets in
                # between, and no other thread's files are touched.
                os.fchmod(listener.fileno(), 0o600)
                point("socket.before-bind")
                listener.bind(address.path)
                found = os.stat(address.path)
                self._file = _File(found.st_dev, found.st_ino)
                point("socket.before-listen")
                listener.listen(BACKLOG)
                point("socket.after-listen")
            except OSError as error:
                listener.close()
                self._remove(address)
                raise _refused(address, error) from error
        return listener

    def close(self) -> None:
        """Stop listening, and remove the file if it is still this socket's; twice is allowed."""
        self.socket.close()
        if isinstance(self.address, UnixAddress):
            self._remove(self.address)

    def _remove(self, address: UnixAddress) -> None:
        if self._file is None:
            return
        with suppress(OSError):
            point("socket.before-remove")
            found = os.stat(address.path)
            if _File(found.st_dev, found.st_ino) == self._file:
                os.unlink(address.path)
        self._file = None


@contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    """Keep another of us out meanwhile, who would take a socket that does not listen yet for old.

    A folder that cannot be opened is no hindrance: then what is done there tells why.
    """
    held = -1
    with suppress(OSError):
        held = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        fcntl.flock(held, fcntl.LOCK_EX)
    try:
        yield
    finally:
        if held >= 0:
            os.close(held)


def _clear(address: UnixAddress) -> None:
    """Remove a socket that a process left behind."""
    try:
        if not stat.S_ISSOCK(os.stat(address.path).st_mode):
            raise HostError(
                f"cannot listen at {address}: the path is there, and is not a socket",
                errno=errno.EADDRINUSE, call="bind", arguments=address.path,
            )  # fmt: skip
    except FileNotFoundError:
        return
    except OSError as error:
        raise _refused(address, error) from error
    with socket.socket(socket.AF_UNIX) as probe:
        probe.setblocking(False)
        try:
            probe.connect(address.path)
        except ConnectionRefusedError:
            with suppress(FileNotFoundError):
                os.unlink(address.path)
            return
        except OSError:
            pass  # it exists and does not refuse: somebody is there, or it is not ours to look at
    raise HostError(
        f"cannot listen at {address}: somebody does already",
        errno=errno.EADDRINUSE, call="bind", arguments=address.path,
    )  # fmt: skip


def _tcp(address: TcpAddress) -> socket.socket:
    try:
        found = socket.getaddrinfo(
            address.host, address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
        family, _, _, _, where = found[0]
        return socket.create_server(where[:2], family=family, backlog=BACKLOG)
    except OSError as error:
        raise _refused(address, error) from error
    except UnicodeError as error:  # of a label that is empty, or too long (RFC 1035, 2.3.4)
        what = f"cannot listen at {address}: no host can have that name"
        raise HostError(what, call="getaddrinfo", arguments=str(address)) from error


def _refused(address: Address, error: OSError) -> HostError:
    what = f"cannot listen at {address}"
    if isinstance(error, socket.gaierror):
        return HostError(f"{what}: {error.strerror}", call="getaddrinfo", arguments=str(address))
    return HostError(what, errno=error.errno, call="bind", arguments=str(address))
