"""A read section's enter and leave beside a lock's, with more and more threads."""

from __future__ import annotations

import statistics
import threading
import time
from collections.abc import Callable

from benchmarks.table import Row
from guestmap.rcu import Rcu

THREADS = (1, 2, 4, 8)
PAIRS = 10_000
ROUNDS = 15


def rows() -> list[Row]:
    """Return the time of one pair: what a thread waits for, all threads running together."""
    measured = []
    for threads in THREADS:
        times: tuple[list[float], list[float]] = ([], [])
        for _ in range(ROUNDS):
            works = _sections(Rcu("benchmark")), _locks(threading.Lock())
            for each, work in zip(times, works, strict=True):
                each.append(_together(work, threads))
        ours, theirs = map(statistics.median, times)
        note = f"median of {ROUNDS}; aim: 1.1"
        measured.append(Row(f"enter and leave, {threads} threads", ours, theirs, note))
    return measured


def _sections(rcu: Rcu) -> Callable[[], None]:
    def work() -> None:
        section = rcu.read_section()
        for _ in range(PAIRS):
            with section:
                pass

    return work


def _locks(lock: threading.Lock) -> Callable[[], None]:
    def work() -> None:
        for _ in range(PAIRS):
            with lock:
                pass

    return work


def _together(work: Callable[[], None], threads: int) -> float:
    """Return the seconds of one pair, divided among all threads' pairs."""
    start_line = threading.Barrier(threads + 1)

    def run() -> None:
        start_line.wait()
        work()

    runners = [threading.Thread(target=run) for _ in range(threads)]
    for runner in runners:
        runner.start()
    start_line.wait()
    start = time.perf_counter()
    for runner in runners:
        runner.join()
    return (time.perf_counter() - start) / (PAIRS * threads)
