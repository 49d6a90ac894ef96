"""Files that are whole or absent: whatever happens while one is written, the old one stays."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from guestmap.base.errors import HostError
from guestmap.base.faults import point

_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
_OPEN_FILES = "/proc/self/fd"
_MOST_LINKS = 40  # as the kernel follows (path_resolution(7))


def write_whole(path: str | os.PathLike[str], content: bytes, kind: str = "file") -> None:
    """Write a file aside, have it reach the disk, and put it in the old one's place.

    A symbolic link is followed, and the old file's mode is kept. What is no regular file, a device
    or a pipe such as ``/dev/stdout``, is written as it is.

    Args:
        path: the file.
        content: all of it.
        kind: what it is, for the points of :mod:`guestmap.base.faults`.

    Raises:
        HostError: the host refuses; the old file, if there was one, is as it was.
    """
    with whole_file(path, kind) as file:
        file.write(content)


@contextmanager
def whole_file(
    path: str | os.PathLike[str], kind: str = "file", mode: int = 0o666
) -> Iterator[BinaryIO]:
    """Like :func:`write_whole`, for content that comes piece by piece in a ``with`` block.

    Where the block raises, the old file is as it was.

    Args:
        path: the file.
        kind: what it is, for the points of :mod:`guestmap.base.faults`.
        mode: of a file that is new, before the umask takes from it.

    Raises:
        HostError: the host refuses.
    """
    try:
        target = _target(path)
        if _is_whole_only_in_place(target):
            with target.open("wb") as file:
                yield file
        else:
            with _replacing(target, kind, mode) as file:
                yield file
    except (OSError, ValueError) as error:  # ValueError: a name that no file can have
        raise _refused(path, error) from error


def refuse_unwritable(path: str | os.PathLike[str]) -> None:
    """Refuse a path where no file can be put, before the work that is to go there is done.

    Raises:
        HostError: the host would refuse it; nothing has changed.
    """
    try:
        target = _target(path)
        _refuse_protected(target)
        if not _is_whole_only_in_place(target):
            aside = _aside(target)
            os.close(os.open(aside, _NEW_FILE, 0o666))
            aside.unlink()
    except (OSError, ValueError) as error:
        raise _refused(path, error) from error


def _refused(path: str | os.PathLike[str], error: Exception) -> HostError:
    reason = getattr(error, "strerror", None) or str(error)
    return HostError(f"cannot write {os.fspath(path)} ({reason})", call="write")


def _target(path: str | os.PathLike[str]) -> Path:
    target = _followed(Path(path))
    if target.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    return target


def _refuse_protected(target: Path) -> None:
    if target.exists() and not os.access(target, os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))


def _aside(target: Path) -> Path:
    return target.parent / f".guestmap-{os.urandom(8).hex()}"


def _followed(path: Path) -> Path:
    """Follow symbolic links, but for those of /dev and /proc, whose names stand for open files."""
    for _ in range(_MOST_LINKS):
        if not path.is_symlink() or _is_among_devices(path):
            return path
        path = path.parent / path.readlink()
    raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))


def _is_among_devices(path: Path) -> bool:
    parent = Path(os.path.realpath(path.parent))
    return parent == Path("/dev") or parent.parts[:2] == ("/", "proc")


def _is_whole_only_in_place(target: Path) -> bool:
    if _is_among_devices(target):
        return True
    return target.exists() and not target.is_file() and not target.is_dir()


@contextmanager
def _replacing(target: Path, kind: str, mode: int) -> Iterator[BinaryIO]:
    _refuse_protected(target)
    before = target.stat() if target.exists() else None
    aside = _aside(target)
    point(f"{kind}.before-open")
    descriptor, has_name = _opened(aside, mode)
    try:
        with open(descriptor, "wb") as file:
            yield file
            file.flush()
            if before is not None:
                _keep_owner_and_mode(descriptor, before)
            point(f"{kind}.before-fsync")
            os.fsync(descriptor)
            if not has_name:
                _name(descriptor, aside)
        point(f"{kind}.before-rename")
        aside.replace(target)
    except BaseException:
        aside.unlink(missing_ok=True)
        raise
    _sync_folder(target.parent, kind)


def _opened(aside: Path, mode: int) -> tuple[int, bool]:
    """Open a new file; tell whether it has its name already.

    Without one (open(2), ``O_TMPFILE``), nothing is left of it where we are killed.
    """
    if os.path.isdir(_OPEN_FILES):  # by which it gets its name, in the end
        with suppress(OSError):  # not every file system can, and others say below what is wrong
            return os.open(aside.parent, os.O_TMPFILE | os.O_WRONLY | os.O_CLOEXEC, mode), False
    return os.open(aside, _NEW_FILE, mode), True


def _name(descriptor: int, path: Path) -> None:
    # os.link follows a link only where it is given a folder, which is not looked at here.
    source = f"{_OPEN_FILES}/{descriptor}"
    os.link(source, path, src_dir_fd=descriptor, follow_symlinks=True)


def _keep_owner_and_mode(descriptor: int, before: os.stat_result) -> None:
    with suppress(PermissionError):  # another's file that we may write becomes ours
        os.fchown(descriptor, before.st_uid, before.st_gid)
    os.fchmod(descriptor, stat.S_IMODE(before.st_mode))


def _sync_folder(folder: Path, kind: str) -> None:
    """Have the new name reach the disk too."""
    with suppress(OSError):  # not every file system can
        point(f"{kind}.before-folder-fsync")
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        point(f"{kind}.after")
