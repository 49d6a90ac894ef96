"""Ctrl-C and the other wishes for an end: noted at once, obeyed where nothing is left half done."""

from __future__ import annotations

import math
import signal
import threading
import time
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType, TracebackType

_LOOK_S = 0.5

ENDINGS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""Ctrl-C, kill(1), and a terminal that was closed."""


def wait_for(waited: Callable[[float], bool], timeout_s: float = math.inf) -> bool:
    """Wait for long, and yet hear of a signal whenever it comes; return whether the wait is over.

    CPython looks whether there was a signal and then sleeps; one that comes between the two is
    noted, and wakes nobody. So it has to look again now and then.

    Args:
        waited: waits for so many seconds at most, and returns whether the wait is over.
        timeout_s: seconds after which nobody waits any more.
    """
    end_s = time.monotonic() + timeout_s
    while not waited(min(_LOOK_S, max(0.0, end_s - time.monotonic()))):
        if time.monotonic() >= end_s:
            return False
    return True


class Deferral:
    """Notes the first signal inside its block instead of ending there; the second ends it.

    A signal that is ignored stays so (nohup, jobs of a shell in the background). In another thread
    than the main one nothing is done: signals do not come there.

    Attributes:
        number: of the signal that came; 0: none did.
    """

    def __init__(self) -> None:
        self.number = 0
        self._before: dict[signal.Signals, Any] = {}

    @property
    def requested(self) -> bool:
        """Whether there was one."""
        return self.number != 0

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            for each in ENDINGS:
                if signal.getsignal(each) not in (signal.SIG_IGN, None):
                    self._before[each] = signal.signal(each, self._note)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        while self._before:
            signal.signal(*self._before.popitem())

    def obey(self) -> None:
        """Raise what was deferred, if anything was.

        Raises:
            KeyboardInterrupt: whichever signal it was.
        """
        if self.requested:
            raise KeyboardInterrupt

    def _note(self, number: int, frame: FrameType | None) -> None:
        del frame
        self.obey()
        self.number = number
