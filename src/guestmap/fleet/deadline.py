"""Work that may never end, given up after a time."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

_T = TypeVar("_T")


class Overdue(Exception):  # noqa: N818 -- it is what happened, not whose fault
    """The time was over first; the work goes on behind, and nobody waits for it."""


def within(timeout_s: float, work: Callable[[], _T]) -> _T:
    """Return what work returns, or raise what it raises.

    It runs in a thread of its own, which does not hold up the end of the process: a call into C
    that waits for a mute server cannot be broken off in any other way.

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
        raise Overdue
    return done[0]
