"""Work that may never end, given up after a time."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

_T = TypeVar("_T")


class Overdue(Exception):  # noqa: N818 -- it is what happened, not whose fault
    """The time was over first; the work goes on behind, and nobody waits for it."""


def within(timeout_s: float, work: Callable[[], _T]) -> _T:
    """Return what work returns, or raise what it raises.

    It runs in a thread of its own, which does not hold up the end of the process: a call into C
    that waits for a mute server cannot be broken off in any other way. Programs that it waits for
    (libvirt's ssh) are ended when the time is over: none stays behind, and the call comes back.

    Raises:
        Overdue: it did not end in time (seconds).
    """
    done: list[_T] = []
    failed: list[BaseException] = []

    def run() -> None:
        try:
            done.append(work())
        except BaseException as error:  # noqa: BLE001 -- it is raised again for who waits
            failed.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(timeout_s)
    if failed:
        raise failed[0]
    if not done:
        _end_programs_of(thread)
        raise Overdue
    return done[0]


def _end_programs_of(thread: threading.Thread) -> None:
    """Ask each program to end that a thread has started and that still runs (proc(5), children)."""
    with suppress(OSError):  # the thread has ended by now, or the kernel does not tell
        told = Path(f"/proc/self/task/{thread.native_id}/children").read_text()
        for each in told.split():
            with suppress(ProcessLookupError):
                os.kill(int(each), signal.SIGTERM)
