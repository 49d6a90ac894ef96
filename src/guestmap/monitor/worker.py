"""The thread that carries out what may take long, one job after another."""

from __future__ import annotations

from collections.abc import Callable
from queue import SimpleQueue
from threading import Thread, current_thread

Job = Callable[[], None]


class Worker:
    """One thread, and a queue of jobs in front of it.

    Only the thread that submits may ask :attr:`idle`: then the answer stays true until it submits.
    """

    def __init__(self, name: str) -> None:
        self._jobs: SimpleQueue[Job | None] = SimpleQueue()
        self._submitted = self._finished = 0
        self._thread = Thread(target=self._work, name=name, daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    @property
    def idle(self) -> bool:
        """Whether every job is done."""
        return self._submitted == self._finished

    def submit(self, job: Job) -> None:
        """Carry the job out after those that wait; it must not raise."""
        self._submitted += 1
        self._jobs.put(job)

    def close(self) -> None:
        """Finish what was submitted, and end the thread; from within a job, do not wait for it."""
        self._jobs.put(None)
        if self._thread.is_alive() and self._thread is not current_thread():
            self._thread.join()

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            job()
            self._finished += 1
