"""Processes that have a mark in their environment.

As a program, ``marked.py PROCESS MARK``, it waits for the end of a process and kills whatever has
the mark. It imports nothing but the library: it is started with each run of the tests.
"""

from __future__ import annotations

import os
import select
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import suppress


def marked(mark: str) -> Iterator[int]:
    """Yield the numbers of those that we may look into; a mark is ``NAME=VALUE``."""
    for each in filter(str.isdigit, os.listdir("/proc")):
        with suppress(OSError), open(f"/proc/{each}/environ", "rb") as file:  # it may have ended
            if mark.encode() in file.read().split(b"\0"):
                yield int(each)


def _end_after(process: int, mark: str) -> None:
    with suppress(ProcessLookupError):
        select.select([os.pidfd_open(process)], [], [])
    for _ in range(20):  # what is ended may just have started another
        found = [*marked(mark)]
        for number in found:
            with suppress(OSError):
                os.kill(number, signal.SIGKILL)
        if not found:
            break
        time.sleep(0.05)


if __name__ == "__main__":
    _end_after(int(sys.argv[1]), sys.argv[2])
