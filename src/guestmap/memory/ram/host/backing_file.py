"""The file behind RAM: found or made, checked, and taken back if something fails.

The rules and error texts are QEMU's (``memory-backend-file`` in the QEMU QMP reference; texts as
of QEMU 10). A file that holds something is never truncated nor extended.
"""

from __future__ import annotations

import errno
import mmap
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from guestmap.base import ConfigError, HostError
from guestmap.base.faults import point
from guestmap.memory.ram.host import libc


class BackingFile:
    """An open file that RAM will come from.

    Attributes:
        fd: the open file; -1 once :meth:`detach` has handed it over.
        page_size: bytes of a page: a huge page on hugetlbfs.
        size: bytes that it holds now.
        required_align: what the device behind it demands (persistent memory); 0 for nothing.
    """

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self.page_size = libc.huge_page_size(fd) or mmap.PAGESIZE
        status = os.fstat(fd)
        self.size = status.st_size
        self.required_align = 0
        self._regular = stat.S_ISREG(status.st_mode)
        if stat.S_ISCHR(status.st_mode):
            device = f"/sys/dev/char/{os.major(status.st_rdev)}:{os.minor(status.st_rdev)}"
            self.size = _sysfs_number(f"{device}/size")
            self.required_align = _sysfs_number(f"{device}/device/align") or _sysfs_number(
                f"{device}/align"
            )

    def detach(self) -> int:
        """Return the file; whoever takes it closes it."""
        fd, self.fd = self.fd, -1
        return fd

    def check(self, align: int, offset: int, length: int) -> None:
        """Check what was asked for against the file, in QEMU's order.

        Args:
            align: of the host address, in bytes; 0 for a page.
            offset: in the file, in bytes.
            length: bytes.

        Raises:
            ConfigError: it does not fit.
        """
        page = self.page_size
        problem = ""
        if 0 < self.size < offset + length:
            problem = (
                f"backing store size 0x{self.size:x} does not match 'size' option 0x{length:x}"
            )
            problem += f" plus offset 0x{offset:x}" if offset else ""
        elif self.required_align > max(align, page):
            problem = (
                f"backing store align 0x{self.required_align:x} is larger than 'align' option"
                f" 0x{align:x}"
            )
        elif align % page:
            problem = f"alignment 0x{align:x} must be multiples of page size 0x{page:x}"
        elif align & (align - 1):
            problem = f"alignment 0x{align:x} must be a power of two"
        elif offset % page or offset < 0:
            problem = f"offset 0x{offset:x} must be multiples of page size 0x{page:x}"
        elif length < page:
            problem = (
                f"memory size 0x{length:x} must be equal to or larger than page size 0x{page:x}"
            )
        if problem:
            raise ConfigError(problem)

    def make_room(self, length: int) -> None:
        """Give a file that is empty ``length`` bytes.

        Raises:
            HostError: the file system has no room, or does not like the size.
        """
        if self.size or not self._regular:
            return
        try:
            libc.resize(self.fd, length)
        except OSError as error:
            raise HostError(
                f"cannot give the backing store 0x{length:x} bytes",
                errno=error.errno,
                call="ftruncate",
                arguments=f"length=0x{length:x}",
            ) from error


@contextmanager
def backing_file(path: str, name: str, *, readonly: bool) -> Iterator[BackingFile]:
    """Open the file at ``path`` for a ``with`` block; an error inside leaves nothing behind.

    A missing file is made (not for reading only). A folder gives a file without a name, which
    ends with its last user.

    Raises:
        ConfigError: no file can be called so.
        HostError: it cannot be opened.
    """
    if "\0" in path:
        raise ConfigError(f"can't open backing store {path!r} for guest RAM: no name of a file")
    try:
        fd, created = _open(path, name, readonly)
    except OSError as error:
        raise HostError(
            f"can't open backing store {path} for guest RAM",
            errno=error.errno,
            call="open",
            arguments=f"path={path} {'O_RDONLY' if readonly else 'O_RDWR'}",
        ) from error
    file: BackingFile | None = None
    try:
        file = BackingFile(fd)
        yield file
    except BaseException:
        if created:
            os.unlink(path)
        raise
    finally:
        if file is None or file.fd >= 0:
            os.close(fd)


def _open(path: str, name: str, readonly: bool) -> tuple[int, bool]:
    """Return the open file, and whether it was made at ``path`` for this."""
    if os.path.isdir(path):
        if readonly:
            raise OSError(errno.EISDIR, os.strerror(errno.EISDIR))
        import tempfile  # which imports every compression there is

        fd, temporary = tempfile.mkstemp(
            prefix=f"guestmap_back_mem.{name.replace('/', '_')}.", dir=path
        )
        point("backing.before-unlink")  # it is empty yet
        os.unlink(temporary)
        return fd, False
    if readonly:
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC), False
    while True:
        try:
            return os.open(path, os.O_RDWR | os.O_CLOEXEC), False
        except FileNotFoundError:
            pass
        try:
            return os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644), True
        except FileExistsError:  # somebody was faster: take theirs
            if os.path.islink(path) and not os.path.exists(path):
                raise


def _sysfs_number(path: str) -> int:
    try:
        return int(Path(path).read_text(encoding="ascii"), 0)
    except (OSError, ValueError):
        return 0
