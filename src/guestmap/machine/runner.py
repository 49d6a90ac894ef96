"""Who runs a machine: a caller of ``run()``, or a thread of its own. Never both."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import Enum, auto

from guestmap.base import StateError
from guestmap.base.interrupt import wait_for


class _Use(Enum):
    """What a runner is used for."""

    FREE = auto()
    CALLER = auto()
    THREAD = auto()
    CLOSED = auto()


class Runner:
    """Lends a machine to one who runs it at a time, or runs it in a thread until its end."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._use = _Use.FREE
        self._thread: threading.Thread | None = None
        self._ended = threading.Event()  # Thread.join(), interrupted, forgets the thread
        self._failure: BaseException | None = None

    @contextmanager
    def lent(self) -> Iterator[None]:
        """Have the machine be run by the caller.

        Raises:
            StateError: it is run already, or closed.
        """
        with self._lock:
            if self._thread is not None:
                raise StateError("the machine runs in a thread of its own: use cont()")
            self._refuse()
            self._use = _Use.CALLER
        try:
            yield
        finally:
            with self._lock:
                self._use = _Use.FREE

    def start(self, work: Callable[[], None]) -> None:
        """Do ``work`` in a thread; what it raises is for :meth:`wait`.

        Raises:
            StateError: it is run already, was started before, or is closed.
        """

        def run() -> None:
            try:
                work()
            except BaseException as error:  # noqa: BLE001 - wait() hands it on
                self._failure = error
            finally:
                self._ended.set()

        with self._lock:
            if self._thread is not None:
                raise StateError("the machine was started before")
            self._refuse()
            thread = threading.Thread(target=run, name="guestmap-machine", daemon=True)
            thread.start()
            self._use, self._thread = _Use.THREAD, thread

    def _refuse(self) -> None:
        if self._use is _Use.CLOSED:
            raise StateError("the machine is closed")
        if self._use is _Use.CALLER:
            raise StateError("the machine runs already")

    @property
    def thread_id(self) -> int | None:
        """The host's number of the thread; None before it was started."""
        return self._thread.native_id if self._thread is not None else None

    def wait(self, timeout_s: float | None = None) -> bool:
        """Wait until the thread has ended; False where that takes longer.

        Raises:
            BaseException: whatever the work raised.
        """
        longest_s = math.inf if timeout_s is None else timeout_s
        if self._thread is not None and not wait_for(self._ended.wait, longest_s):
            return False
        if self._failure is not None:
            raise self._failure
        return True

    def close(self, end: Callable[[], None]) -> None:
        """Lend and start nothing any more; ``end`` makes the thread end, which is waited for.

        Raises:
            StateError: a caller runs the machine.
        """
        with self._lock:
            if self._use is _Use.CALLER:
                raise StateError("the machine runs: stop() it first")
            self._use = _Use.CLOSED
        if self._thread is None:
            return
        if not self._ended.is_set():
            end()
            self._ended.wait()
        self._thread.join()
