"""A file whose bytes are a drive's, one for one; or a block device.

Nobody else may write it meanwhile, and nobody may read it while it is written. That is told with
locks on single bytes of the file, those that QEMU uses: our machine and a QEMU keep out of each
other's files. (Bytes 100 and on stand for what somebody does, bytes 200 and on for what he lets
nobody else do; observed of QEMU 7.2 with ``/proc/locks``.)
"""

from __future__ import annotations

import fcntl
import os
import stat
import struct
from pathlib import Path

from guestmap.base import ConfigError, HostError
from guestmap.hw.medium import SECTOR

_DOES, _FORBIDS = 100, 200
_READ, _WRITE, _RESIZE = 0, 1, 3
_FLOCK = struct.Struct("hhqqi4x")


class RawFile:
    """The file, open and locked.

    Args:
        path: where it is.
        readonly: whether it takes no writes.

    Raises:
        ConfigError: it is no file, or somebody else has it.
        HostError: the host does not let it be opened.
    """

    def __init__(self, path: Path, *, readonly: bool) -> None:
        self.name = str(path)
        self.readonly = readonly
        flags = (os.O_RDONLY if readonly else os.O_RDWR) | os.O_CLOEXEC
        flags |= os.O_NONBLOCK  # a pipe, which is refused, would wait for who writes it
        try:
            self._file = os.open(path, flags)
        except OSError as error:
            raise HostError(f"cannot open {path}", errno=error.errno, call="open") from error
        try:
            _check_kind(self._file, self.name)
            length = os.lseek(self._file, 0, os.SEEK_END)
            _lock(self._file, self.name, writes=not readonly)
        except (OSError, ConfigError) as error:
            os.close(self._file)
            if isinstance(error, ConfigError):
                raise
            raise HostError(f"cannot use {path}", errno=error.errno, call="lseek") from error
        self.size = -(-length // SECTOR) * SECTOR

    def read(self, offset: int, length: int) -> bytes:
        """Return bytes; zeros behind the end of the file."""
        pieces, left = [], length
        try:
            while left and (piece := os.pread(self._file, left, offset + length - left)):
                pieces.append(piece)
                left -= len(piece)
        except OSError as error:
            raise self._refused("read", error) from error
        if not left and len(pieces) == 1:
            return pieces[0]
        return b"".join(pieces) + bytes(left)

    def write(self, offset: int, data: bytes | bytearray | memoryview) -> None:
        """Put bytes there."""
        left = memoryview(data)
        try:
            while left:
                done = os.pwrite(self._file, left, offset)
                offset, left = offset + done, left[done:]
        except OSError as error:
            raise self._refused("write", error) from error

    def flush(self) -> None:
        """Have what was written reach the disk."""
        try:
            os.fdatasync(self._file)
        except OSError as error:
            raise self._refused("fdatasync", error) from error

    def close(self) -> None:
        """Close the file, and with it let go of the locks."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def _refused(self, call: str, error: OSError) -> HostError:
        return HostError(f"cannot {call} {self.name}", errno=error.errno, call=call)


def _check_kind(file: int, name: str) -> None:
    """Refuse what has no bytes at places: a folder, a pipe, a terminal.

    Raises:
        ConfigError: it is such.
    """
    mode = os.fstat(file).st_mode
    if not (stat.S_ISREG(mode) or stat.S_ISBLK(mode)):
        raise ConfigError(f"{name} is no medium: give a regular file or a block device")


def _lock(file: int, name: str, *, writes: bool) -> None:
    """Say what is done with the file, and refuse it where somebody else's doing forbids that.

    Raises:
        ConfigError: somebody else has it.
        OSError: the file system has no locks.
    """
    does = (_READ, _WRITE, _RESIZE) if writes else (_READ,)
    forbids = (_WRITE, _RESIZE)
    for byte in (*(_DOES + what for what in does), *(_FORBIDS + what for what in forbids)):
        _request(file, fcntl.F_OFD_SETLK, fcntl.F_RDLCK, byte, name)
    for byte in (*(_FORBIDS + what for what in does), *(_DOES + what for what in forbids)):
        found = _request(file, fcntl.F_OFD_GETLK, fcntl.F_WRLCK, byte, name)
        if found != fcntl.F_UNLCK:
            raise _taken(name)


def _request(file: int, call: int, kind: int, byte: int, name: str) -> int:
    wanted = _FLOCK.pack(kind, os.SEEK_SET, byte, 1, 0)
    try:
        return int(_FLOCK.unpack(fcntl.fcntl(file, call, wanted))[0])
    except (BlockingIOError, PermissionError) as error:
        raise _taken(name) from error


def _taken(name: str) -> ConfigError:
    return ConfigError(
        f"{name} is used by another machine: end that, or give snapshot=on where it only reads"
    )
