"""The standard streams: nothing foreign leaves through them, and their end decides nothing.

A command is never broken off by who reads its words. Where the reader of a pipe goes, the disk is
full, or there is no standard output at all, what cannot be written is dropped, the command does its
work to the end, and its exit status is settled then, see :data:`STATUSES`.
"""

from __future__ import annotations

import errno
import io
import os
import select
import sys
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, TextIO, cast

from guestmap.base import printable_lines

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

FAILURE = 2
"""Exit status for an error that has a reason; 1 is for a comparison that differs."""

INTERRUPTED = 130
"""Exit status after Ctrl-C, as shells have it: 128 + SIGINT."""

STATUSES: dict[int, str] = {
    0: "done; for a comparison: nothing differs, or there is nothing to warn of",
    1: "done, and what is compared differs (diff, conform), or lint found what it fails on",
    FAILURE: "an error, which stderr names in one line; standard output that cannot be written too",
    INTERRUPTED: "broken off with Ctrl-C",
}
"""How every command ends; those that plug have more, see :mod:`guestmap.cli.plug_exits`.

A reader who has seen enough (``| head``) changes no status. Where standard output cannot be written
for another reason, 0 and 1 become 2, but for commands that change a machine: theirs say what is so
with it now.
"""


class Outlet(io.TextIOBase):
    """A text stream whose failures are kept instead of raised; what comes after one is dropped.

    Args:
        inner: where to; None: the program was started without this stream.

    Attributes:
        failure: why nothing can be written any more; None while it can.
    """

    def __init__(self, inner: TextIO | None) -> None:
        self._inner = inner
        self.failure: OSError | None = None
        self.buffer = _Bytes(self)

    @property
    def encoding(self) -> str:  # type: ignore[override]
        """How text becomes bytes."""
        return getattr(self._inner, "encoding", None) or "utf-8"

    @property
    def refusal(self) -> OSError | None:
        """Why nothing can be written; None, too, of a reader that has seen enough."""
        failure = self.failure
        return None if failure is not None and failure.errno == errno.EPIPE else failure

    def isatty(self) -> bool:
        """Tell whether this is a terminal."""
        return self._inner is not None and self._inner.isatty()

    def fileno(self) -> int:
        """Return the file descriptor.

        Raises:
            OSError: there is none.
        """
        if self._inner is None:
            raise io.UnsupportedOperation("fileno")
        return self._inner.fileno()

    def writable(self) -> bool:
        """Tell that one may write."""
        return True

    def write(self, text: str) -> int:
        """Write, with stand-ins for what the encoding cannot hold."""
        held = text.encode(self.encoding, "backslashreplace").decode(self.encoding)
        self.attempt(lambda inner: inner.write(held))
        return len(text)

    def flush(self) -> None:
        """Send on what was written."""
        if self._inner is not None:
            self.attempt(lambda inner: inner.flush())

    def close(self) -> None:
        """Do nothing: the stream is the whole program's, and no end of ours is its end."""

    def attempt(self, doing: Callable[[TextIO], object]) -> None:
        """Do something with the stream, unless it failed before."""
        if self.failure is not None:
            return
        try:
            doing(self._inner or _absent())
        except OSError as error:
            self.failure = error
            self._give_up()

    def look(self) -> None:
        """Notice a reader that has gone, before anything more is written."""
        self.attempt(_refuse_without_reader)

    def _give_up(self) -> None:
        """Have what is still in the buffer go nowhere: Python flushes once more as it ends."""
        with suppress(OSError, ValueError):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self.fileno())
            os.close(nowhere)


def _absent() -> TextIO:
    raise OSError(errno.EBADF, os.strerror(errno.EBADF))


def _refuse_without_reader(stream: TextIO) -> None:
    looking = select.poll()
    with suppress(io.UnsupportedOperation):  # it is no file
        looking.register(stream.fileno(), 0)
        if any(told & select.POLLERR for _, told in looking.poll(0)):
            raise BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE))


class VisibleOutlet(Outlet):
    """An outlet that shows foreign text as data.

    Attributes:
        rich_proxied_file: where rich writes: its own colours pass there, and text only after a
            :func:`guestmap.cli.console.console` made it printable.
    """

    def __init__(self, below: Outlet) -> None:
        super().__init__(cast("TextIO", below))
        self.buffer = below.buffer
        self.rich_proxied_file = below

    def write(self, text: str) -> int:
        """Write lines, each made printable."""
        return super().write(printable_lines(text))


class _Bytes:
    """An outlet as a binary stream, for what is bytes already: a guest's serial port."""

    def __init__(self, outlet: Outlet) -> None:
        self._outlet = outlet

    def write(self, data: bytes) -> int:
        self._outlet.attempt(lambda inner: inner.buffer.write(data))
        return len(data)

    def flush(self) -> None:
        self._outlet.attempt(lambda inner: inner.buffer.flush())


class Streams:
    """Standard output and error of one run of the program."""

    def __init__(self) -> None:
        self.out = Outlet(cast("TextIO | None", sys.stdout))
        self.err = Outlet(cast("TextIO | None", sys.stderr))

    def settle(self, status: int, *, changes: bool) -> int:
        """Return how the program ends, after the last words were written.

        Args:
            status: what the command says.
            changes: the command changes a machine, and its status says what is so now.
        """
        self.out.flush()
        refusal = self.out.refusal
        if refusal is not None:
            print(f"guestmap: cannot write the output ({refusal.strerror})", file=sys.stderr)
            if status in (0, 1) and not changes:
                status = FAILURE
        self.err.flush()
        return status


@contextmanager
def standard_streams() -> Iterator[Streams]:
    """Replace the standard streams for the time of a ``with``."""
    before: tuple[Any, Any, Any] = (sys.stdin, sys.stdout, sys.stderr)
    fill_descriptors()
    streams = Streams()
    with open(os.devnull, encoding="utf-8") as nothing:
        sys.stdin = before[0] or nothing
        sys.stdout = cast("TextIO", VisibleOutlet(streams.out))
        sys.stderr = cast("TextIO", VisibleOutlet(streams.err))
        try:
            yield streams
        finally:
            sys.stdin, sys.stdout, sys.stderr = before


def fill_descriptors() -> None:
    """Take the places of standard streams that are closed, lest a file or a socket gets them."""
    while (fd := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass
    os.close(fd)


def is_lost() -> bool:
    """Tell whether what is printed reaches nobody: for commands that would print for ever."""
    outlet = _outlet()
    if outlet is None:
        return False
    outlet.look()
    return outlet.failure is not None


def is_refused() -> bool:
    """Tell whether what was printed went nowhere, and not since its reader had seen enough."""
    outlet = _outlet()
    return outlet is not None and outlet.refusal is not None


def _outlet() -> Outlet | None:
    """Return standard output as :func:`standard_streams` made it, or None."""
    return getattr(sys.stdout, "rich_proxied_file", None)


def is_terminal() -> bool:
    """Tell whether stdin is a terminal whose keys are ours: we run in its foreground."""
    try:
        return os.isatty(0) and os.tcgetpgrp(0) == os.getpgrp()
    except OSError:
        return False
