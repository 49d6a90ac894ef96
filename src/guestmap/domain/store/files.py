"""Files of which either the old or the new one is there, whatever happens: 0600, for us alone."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from guestmap.base import HostError
from guestmap.base.faults import point

_MODE = 0o600
_CHUNK = 1 << 16


def write_private(path: Path, data: bytes, kind: str, *, durable: bool = True) -> None:
    """Write a file aside, have it reach the disk, rename it, have the new name reach the disk.

    Args:
        path: the file; nobody else writes it meanwhile.
        data: all of it.
        kind: what it is, for the points of :mod:`guestmap.base.faults`.
        durable: it outlives the host. What tells of processes need not: they end with the host.

    Raises:
        HostError: the host refuses; the old file, if there was one, is as it was.
    """
    place, new = os.fspath(path), aside(path)
    try:
        point(f"{kind}.before-write")
        descriptor = _fresh(new)
        try:
            _write(descriptor, data)
            point(f"{kind}.before-fsync")
            if durable:
                os.fsync(descriptor)
        finally:
            os.close(descriptor)
        point(f"{kind}.before-rename")
        os.replace(new, place)
    except OSError as error:
        with suppress(OSError):
            os.unlink(new)
        raise _refused("write", path, error) from error
    point_folder(path, kind, durable=durable)


def _write(descriptor: int, data: bytes) -> None:
    left = memoryview(data)
    while left:
        left = left[os.write(descriptor, left) :]


def _fresh(path: str) -> int:
    """Open a file that was not there, nor need its folder be; that of who was killed goes."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        return os.open(path, flags, _MODE)
    except FileExistsError:
        os.unlink(path)
    except FileNotFoundError:
        make_folder(Path(path).parent)
    return os.open(path, flags, _MODE)


def aside(path: Path) -> str:
    """Return where a file is written before it takes its place."""
    folder, name = os.path.split(path)
    return os.path.join(folder, f".{name}.new")


def drop_aside(path: Path) -> None:
    """Remove what was written aside by somebody who was killed."""
    with suppress(OSError):
        os.unlink(aside(path))


def point_folder(path: Path, kind: str, *, durable: bool = True) -> None:
    """Have a name that is new, or gone, reach the disk; the change itself is made already."""
    with suppress(OSError):
        point(f"{kind}.before-folder-fsync")
        if durable:
            descriptor = os.open(os.path.dirname(path), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        point(f"{kind}.after")


def remove(path: Path, kind: str, *, durable: bool = True) -> bool:
    """Remove a file; tell whether it was there.

    Raises:
        HostError: the host refuses.
    """
    try:
        point(f"{kind}.before-remove")
        os.unlink(path)
    except FileNotFoundError:
        return False
    except OSError as error:
        raise _refused("remove", path, error) from error
    point_folder(path, kind, durable=durable)
    return True


def read_private(path: Path, most: int) -> bytes | None:
    """Return a file; None where there is none.

    Raises:
        HostError: it cannot be read, or is longer than ``most`` bytes.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            data = _read(descriptor, most + 1)
        finally:
            os.close(descriptor)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _refused("read", path, error) from error
    if len(data) > most:
        raise HostError(f"{path} is longer than {most} bytes: it was not written here")
    return data


def _read(descriptor: int, most: int) -> bytes:
    """Return what is left of a file, so many bytes at most."""
    data = os.read(descriptor, min(most, _CHUNK))
    if len(data) < _CHUNK:
        return data  # a file says less than it is asked for at its end alone
    parts = [data]
    left = most - len(data)
    while left and (more := os.read(descriptor, min(left, _CHUNK))):
        parts.append(more)
        left -= len(more)
    return b"".join(parts)


def make_folder(path: Path) -> None:
    """Make a folder for us alone, and those above it, where it is not there.

    Raises:
        HostError: the host refuses.
    """
    if os.path.isdir(path):
        return
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise _refused("make", path, error) from error


def _refused(what: str, path: Path, error: OSError) -> HostError:
    return HostError(f"cannot {what} {path}", errno=error.errno, call=what, arguments=str(path))
