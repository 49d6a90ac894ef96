"""A picture that another process's ``screendump`` wrote, through a file that is ours alone."""

from __future__ import annotations

import os
import re
import stat
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, NamedTuple, Self

from guestmap.base import HostError, PeerError

if TYPE_CHECKING:
    from guestmap.qmp.client import Monitor

_PPM = re.compile(rb"P6\n([1-9]\d{0,4}) ([1-9]\d{0,4})\n255\n")
_LONGEST_HEAD = 64
_MOST_DOTS = 1 << 24


class DumpedScreen(NamedTuple):
    """What a screen shows: dots across and down, and red, green and blue of each, 8 bits each."""

    width: int
    height: int
    rgb: bytes


class DumpFile:
    """The file, in a folder that nobody else may enter; a context manager that takes it away.

    A PPM is asked for: every QEMU writes it, and is soon done. To pack a PNG takes four times as
    long (QEMU 7.2, 720 by 400 dots: 18 ms of its processor time, not 5), and its guest waits.

    Args:
        monitor: of the machine.
    """

    def __init__(self, monitor: Monitor) -> None:
        self._monitor = monitor
        self.source = monitor.source

    def __enter__(self) -> Self:
        self._folder = TemporaryDirectory(prefix="guestmap-screen-", ignore_cleanup_errors=True)
        self._path = Path(self._folder.name) / "screen.ppm"
        self._path.touch(mode=0o600)  # who writes it does not choose who may read it
        return self

    def __exit__(self, *_error: object) -> None:
        self._folder.cleanup()

    def take(self) -> DumpedScreen:
        """Have the machine write what its screen shows, and read it.

        Raises:
            CommandError: it has no screen, or cannot write there.
            PeerError: it wrote something else, or does not answer as QMP promises.
            HostError: the file cannot be read.
        """
        self._monitor.query("screendump", filename=str(self._path))
        try:
            content = _content(self._path)
        except OSError as error:
            raise HostError(
                f"cannot read the picture that {self.source} wrote ({error.strerror})",
                call="open",
            ) from error
        picture = _read(content)
        if picture is None:
            raise PeerError(f"{self.source}: what screendump wrote is no picture")
        return picture


def _content(path: Path) -> bytes:
    """Return a regular file's content, or the first bytes of one that is too long."""
    number = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with open(number, "rb") as file:
        if not stat.S_ISREG(os.fstat(number).st_mode):
            return b""
        content = file.read(_LONGEST_HEAD + 3 * _MOST_DOTS + 1)
    with suppress(OSError):
        os.truncate(path, 0)  # a picture is seen once
    return content


def _read(content: bytes) -> DumpedScreen | None:
    head = _PPM.match(content[:_LONGEST_HEAD])
    if head is None:
        return None
    width, height = int(head[1]), int(head[2])
    rgb = content[head.end() :]
    if width * height > _MOST_DOTS or len(rgb) != 3 * width * height:
        return None
    return DumpedScreen(width, height, rgb)
