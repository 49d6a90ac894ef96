"""``-pidfile``: the number of the process, in a file that it holds locked while it runs.

As QEMU does it, so that each keeps off the other's: the file is made for its owner alone, locked
(fcntl(2)), emptied and written in place. Who is killed leaves the file, and no lock: the next takes
it over. At the end it goes, unless another file stands there by then (QEMU removes that one, too).
"""

from __future__ import annotations

import fcntl
import os
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from guestmap.base import HostError
from guestmap.base.faults import point

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_REFUSED = "cannot create PID file"


@contextmanager
def pid_file(path: Path | None) -> Iterator[None]:
    """Keep the process's number in a file for the time of a ``with``; None for no file.

    Raises:
        HostError: it cannot be written, or is that of another machine that runs.
    """
    if path is None:
        yield
        return
    try:
        descriptor = _locked(path)
    except OSError as error:
        raise _refusal(path, error, "open") from error
    try:
        try:
            point("pidfile.before-write")
            os.ftruncate(descriptor, 0)  # no device, nor a pipe
            os.write(descriptor, b"%d\n" % os.getpid())
            point("pidfile.after")
        except OSError as error:
            raise _refusal(path, error, "write") from error
        try:
            yield
        finally:
            _remove(path, descriptor)
    finally:
        os.close(descriptor)


def _remove(path: Path, descriptor: int) -> None:
    with suppress(OSError):
        point("pidfile.before-remove")
        if _is_at(path, descriptor):
            os.unlink(path)


def _locked(path: Path) -> int:
    """Return the file that stands there, held by nobody else; it may be made for that."""
    while True:
        flags = os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NONBLOCK  # a pipe is not waited for
        descriptor = os.open(path, flags, 0o600)
        try:
            fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _is_at(path, descriptor):
                return descriptor
        except OSError:
            os.close(descriptor)
            raise
        os.close(descriptor)  # whoever had it removed it meanwhile


def _is_at(path: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(os.stat(path), os.fstat(descriptor))
    except FileNotFoundError:
        return False


def _refusal(path: Path, error: OSError, call: str) -> HostError:
    if isinstance(error, BlockingIOError):
        return HostError(f"{_REFUSED}: another machine that runs has {path}: give each its own")
    return HostError(_REFUSED, errno=error.errno, call=call, arguments=str(path))
