"""Threads that hand back what they return or raise, and waiting for a state without sleeping."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from typing import Any

import pytest

from guestmap.rcu import Rcu

PATIENCE_S = 30.0

Spawn = Callable[..., "Future[Any]"]


@pytest.fixture
def rcu() -> Iterator[Rcu]:
    domain = Rcu("test")
    yield domain
    domain.close()


@pytest.fixture
def spawn() -> Iterator[Spawn]:
    """Run a function in a new thread; its future is done before the thread's locals die."""
    threads: list[threading.Thread] = []

    def start(func: Callable[..., Any], *args: object) -> Future[Any]:
        future: Future[Any] = Future()

        def run() -> None:
            try:
                future.set_result(func(*args))
            except BaseException as error:  # noqa: BLE001 - handed to whoever takes the result
                future.set_exception(error)

        # One that has ended keeps its stack until somebody joins it.
        ended = [each for each in threads if not each.is_alive()]
        for each in ended:
            each.join()
            threads.remove(each)
        threads.append(threading.Thread(target=run, daemon=True))
        threads[-1].start()
        return future

    yield start
    for thread in threads:
        thread.join(PATIENCE_S)
        assert not thread.is_alive()


@pytest.fixture
def eventually() -> Callable[[Callable[[], bool]], None]:
    """Return when the predicate holds; fail when it does not come to hold."""

    def wait(predicate: Callable[[], bool]) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while not predicate():
            assert time.monotonic() < deadline, "the awaited state never came"
            time.sleep(0)

    return wait


@pytest.fixture
def fast_switching() -> Iterator[None]:
    """Let the interpreter change threads as often as it can."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(interval)
