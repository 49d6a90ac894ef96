"""Deferred reclaim: callbacks that run, in order, after a grace period, in a thread of their own.

QEMU's reclaimer waits up to 50 ms for more callbacks before it begins a grace period, so that one
grace period serves many (util/rcu.c). Freed memory then lags behind, which is seen from outside.
Here nothing waits: the reclaimer takes whatever is queued, and what arrives while it waits for
readers or runs callbacks is the next batch. Batches grow by themselves under load.

The thread starts with the first callback. Locks here are re-entrant and the queue is one that
destructors may use, because :meth:`Reclaimer.call` is called from ``__del__`` and weak-reference
callbacks, which interrupt any code, this module's too.
"""

from __future__ import annotations

import contextlib
import sys
import threading
from collections.abc import Callable
from queue import SimpleQueue

from guestmap.base import HostError, StateError

Callback = tuple[Callable[..., object], tuple[object, ...]]


class Reclaimer:
    """One queue of callbacks and the thread that runs them.

    Attributes:
        queued: how many callbacks were ever queued.
        ran: how many of those have run, or raised.
        failed: how many raised.
        batches: how many grace periods they took.
    """

    def __init__(self, wait_for_readers: Callable[[], None], name: str) -> None:
        self._wait_for_readers = wait_for_readers
        self._name = name
        self._queue: SimpleQueue[Callback | None] = SimpleQueue()
        self._changed = threading.Condition()  # over a re-entrant lock
        self._thread: threading.Thread | None = None
        self._closed = False
        self.queued = 0
        self.ran = 0
        self.failed = 0
        self.batches = 0

    def is_current_thread(self) -> bool:
        """Return whether the caller is a callback."""
        return threading.current_thread() is self._thread

    def call(self, func: Callable[..., object], args: tuple[object, ...]) -> None:
        """Queue ``func(*args)``.

        Raises:
            StateError: the reclaimer is closed, and the caller is not one of its last callbacks.
            HostError: the host refused a thread; the callback stays queued for the next start.
        """
        with self._changed:
            if self._closed and not self.is_current_thread():
                raise StateError(
                    f"{self._name} is closed and takes no callback ({func!r}): "
                    "defer before close(), or synchronize() and call it yourself"
                )
            self._queue.put((func, args))
            self.queued += 1
            if self._thread is None:
                self._start()

    def drain(self) -> None:
        """Return when everything that was queued before has run."""
        with self._changed:
            target = self.queued
            self._changed.wait_for(lambda: self.ran >= target)

    def stop(self) -> None:
        """Take no more callbacks; the thread ends when it has run those it has. Does not wait."""
        with self._changed:
            self._closed = True
            self._queue.put(None)

    def join(self) -> None:
        """Wait until a stopped thread has ended."""
        if self._thread is not None:
            self._thread.join()

    def _start(self) -> None:
        thread = threading.Thread(target=self._run, name=f"{self._name}-reclaimer", daemon=True)
        if self._thread is not None:
            return  # a destructor that ran since the caller looked was faster
        self._thread = thread
        try:
            thread.start()
        except RuntimeError as error:
            self._thread = None
            raise HostError(
                f"{self._name}: no thread for the reclaimer ({error})", call="pthread_create"
            ) from error

    def _run(self) -> None:
        stopping = False
        while not (stopping and self._queue.empty()):
            # The only consumer: what qsize() counts is there to take. Never wait for more.
            taken = [self._queue.get()] + [self._queue.get() for _ in range(self._queue.qsize())]
            batch = [callback for callback in taken if callback is not None]
            stopping = stopping or len(batch) < len(taken)
            if batch:
                self._wait_for_readers()
                self.batches += 1
            for func, args in batch:
                self._invoke(func, args)

    def _invoke(self, func: Callable[..., object], args: tuple[object, ...]) -> None:
        failed = False
        try:
            func(*args)
        except BaseException:  # noqa: BLE001 - SystemExit too must not end the reclaimer
            failed = True
            self._report_failure()
        with self._changed:
            self.failed += failed
            self.ran += 1
            self._changed.notify_all()

    def _report_failure(self) -> None:
        """Hand the exception to ``threading.excepthook``, as if it had ended the thread."""
        kind, error, trace = sys.exc_info()
        assert kind is not None
        with contextlib.suppress(Exception):  # a hook that raises has no one left to tell
            threading.excepthook(
                threading.ExceptHookArgs((kind, error, trace, threading.current_thread()))
            )
