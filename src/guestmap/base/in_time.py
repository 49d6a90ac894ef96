"""Work that may never end, given up after a time."""

from __future__ import annotations

import os
import signal
import threading
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from guestmap.base.interrupt import wait_for

if TYPE_CHECKING:
    from collections.abc import Callable

_T = TypeVar("_T")


class Overdue(Exception):  # noqa: N818 -- it is what happened, not whose fault
    """The time was over first; the work goes on behind, and nobody waits for it."""


def within(timeout_s: float, work: Callable[[], _T]) -> _T:
    """Return what work returns, or raise what it raises.

    It runs in a thread of its own, which does not hold up the end of the process: a call into C
    that waits for a mute server cannot be broken off in any other way, not even by Ctrl-C.
    Programs that it waits for (libvirt's ssh) are ended when the time is over: none stays behind,
    and the call comes back.

    Raises:
        Overdue: it did not end in time (seconds).
    """
    done: list[_T] = []
    failed: list[BaseException] = []
    over = threading.Event()

    def run() -> None:
        try:
            done.append(work())
        except BaseException as error:  # noqa: BLE001 -- it is raised again for who waits
            failed.append(error)
        finally:
            over.set()

    thread = _Worker(run)
    outer = threading.current_thread()
    if isinstance(outer, _Worker):
        outer.inner = thread
    thread.start()
    try:
        wait_for(over.wait, timeout_s)
    except BaseException:  # Ctrl-C
        thread.end_programs()
        raise
    if failed:
        raise failed[0]
    if not done:
        thread.end_programs()
        raise Overdue
    return done[0]


class _Worker(threading.Thread):
    """A thread that does work; ``inner`` does a part of it that has a time of its own."""

    def __init__(self, run: Callable[[], None]) -> None:
        super().__init__(target=run, name="guestmap-in-time", daemon=True)
        self.inner: _Worker | None = None

    def end_programs(self) -> None:
        """Ask each program to end that was started here and still runs (proc(5), children)."""
        if self.inner is not None:
            self.inner.end_programs()
        with suppress(OSError):  # the thread has ended by now, or the kernel does not tell
            told = Path(f"/proc/self/task/{self.native_id}/children").read_text()
            for each in told.split():
                with suppress(ProcessLookupError):
                    os.kill(int(each), signal.SIGTERM)
