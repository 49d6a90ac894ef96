"""Standard output that may go away: a pipe whose reader leaves, a full disk, none at all.

Whoever reads our words decides nothing of what is done. What can no longer be written is dropped,
the work goes on to its end, and the exit status is that of the work.
"""

from __future__ import annotations

import errno
import io
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TextIO

FAILURE = 2

CHANGING = frozenset({"plug", "unplug", "resize"})
"""Commands that change a machine: their status tells what was done, whoever reads their words."""


class Outlet(io.FileIO):
    """A file descriptor whose errors are kept, and not raised; it is not closed with the object.

    Attributes:
        error: the first error; nothing is written after it.
    """

    def __init__(self, descriptor: int) -> None:
        super().__init__(descriptor, "w", closefd=False)
        self.error: OSError | None = None

    def write(self, data: object, /) -> int:
        """Write, or drop what cannot be written; a terminal that is slow raises as ever."""
        if self.error is None:
            try:
                return super().write(data)  # type: ignore[arg-type]
            except BlockingIOError:
                raise
            except OSError as error:
                self.error = error
        return memoryview(data).nbytes  # type: ignore[arg-type]


def run_to_the_end(work: Callable[[], object], *, changes_something: bool) -> int:
    """Run a program's work, whoever reads its output, and return its exit status.

    Args:
        work: ends by returning, or with SystemExit.
        changes_something: its status tells what was done, and stays so where the words are lost;
            else output that could not be written is an error.
    """
    with _outlets() as output:
        try:
            work()
            status = 0
        except SystemExit as ended:
            if isinstance(ended.code, str):
                print(ended.code, file=sys.stderr)
            status = 1 if isinstance(ended.code, str) else ended.code or 0
        sys.stdout.flush()
        error = output.error if output is not None else None
        if error is None or error.errno == errno.EPIPE:
            return status  # whoever read it has seen enough
        print(f"guestmap: the output could not be written: {error.strerror}", file=sys.stderr)
        return status if changes_something else max(status, FAILURE)


def is_read() -> bool:
    """Tell whether there is still somebody to write to: work without end stops where not."""
    buffer = getattr(sys.stdout, "buffer", None)
    raw = getattr(buffer, "raw", buffer)
    return not (isinstance(raw, Outlet) and raw.error is not None)


@contextmanager
def _outlets() -> Iterator[Outlet | None]:
    """Put outlets where standard output and errors are, and yield the one of the output."""
    before = sys.stdout, sys.stderr
    sys.stdout, output = _outlet_of(before[0])
    sys.stderr, _ = _outlet_of(before[1])
    try:
        yield output
    finally:
        sys.stdout, sys.stderr = before


def _outlet_of(stream: TextIO | None) -> tuple[TextIO, Outlet | None]:
    """Return a stream with an outlet below; one that is no file is left as it is."""
    if stream is None:
        return open(os.devnull, "w", encoding="utf-8"), None
    buffer = getattr(stream, "buffer", None)
    raw = getattr(buffer, "raw", buffer)
    if type(raw) is not io.FileIO:
        return stream, None
    outlet = Outlet(raw.fileno())
    text = io.TextIOWrapper(
        outlet if raw is buffer else io.BufferedWriter(outlet),  # unbuffered, where that is wanted
        write_through=raw is buffer,
        encoding=stream.encoding,
        errors=stream.errors,
        line_buffering=getattr(stream, "line_buffering", False),
    )
    return text, outlet
