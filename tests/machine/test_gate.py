"""Who has the machine, who waits, and that a turn is never lost."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext

import pytest

from guestmap.machine.gate import Gate

DEADLINE_S = 30


def in_thread(action: Callable[[], object]) -> threading.Thread:
    thread = threading.Thread(target=action, daemon=True)
    thread.start()
    return thread


def ends(thread: threading.Thread) -> bool:
    thread.join(DEADLINE_S)
    return not thread.is_alive()


def take_once(gate: Gate) -> None:
    with gate.exclusive():
        assert gate.held


@contextmanager
def cpu_inside(gate: Gate) -> Iterator[threading.Event]:
    """Have another thread run the CPU until the event is set."""
    inside, leave = threading.Event(), threading.Event()

    def run() -> None:
        with gate:
            inside.set()
            leave.wait(DEADLINE_S)

    cpu = in_thread(run)
    assert inside.wait(DEADLINE_S)
    try:
        yield leave
    finally:
        leave.set()
        assert ends(cpu)


def test_a_turn_that_is_nested_ends_with_the_outermost() -> None:
    gate = Gate()
    assert not gate.held
    with gate.exclusive(), gate.exclusive():
        with gate.exclusive():
            pass
        assert gate.held
        waiter = in_thread(lambda: take_once(gate))
        while not gate._queue:
            pass
        assert gate.held
    assert ends(waiter)
    assert not gate.held


def test_turns_come_in_the_order_of_asking() -> None:
    gate = Gate()
    order: list[int] = []

    def come(number: int) -> None:
        with gate.exclusive():
            order.append(number)

    threads = []
    with gate.exclusive():
        for number in range(5):
            threads.append(in_thread(lambda number=number: come(number)))  # type: ignore[misc]
            while len(gate._queue) <= number:
                pass
    assert all(ends(thread) for thread in threads)
    assert order == [0, 1, 2, 3, 4]


def test_only_a_cpu_that_is_inside_is_rung_for() -> None:
    gate = Gate()
    rings: list[str] = []
    with gate.exclusive():
        gate.ring = lambda: rings.append("for a manager")
        waiter = in_thread(lambda: take_once(gate))
        while not gate._queue:
            pass
    assert ends(waiter)
    assert rings == []
    with cpu_inside(gate) as leave:
        gate.ring = lambda: (rings.append("for the CPU"), leave.set())
        take_once(gate)
    assert rings == ["for the CPU"]


def test_a_cpu_that_gives_way_comes_again_behind_those_who_wait() -> None:
    gate = Gate()
    order: list[str] = []

    def come() -> None:
        with gate.exclusive():
            order.append("manager")

    with gate:
        gate.give_way()  # nobody waits
        waiter = in_thread(come)
        while not gate._queue:
            pass
        gate.give_way()
        order.append("CPU")
        assert gate.held
    assert ends(waiter)
    assert order == ["manager", "CPU"]


def test_a_cpu_that_is_away_leaves_the_machine_to_others() -> None:
    gate = Gate()
    with gate:
        with gate.away():
            assert not gate.held
            assert ends(in_thread(lambda: take_once(gate)))
        assert gate.held


def test_ctrl_c_after_the_turn_has_come_passes_it_on() -> None:
    """The CPU gives way between the place in the queue and the interruption."""
    gate = Gate()
    with cpu_inside(gate) as leave:

        def give_way_and_interrupt() -> None:
            leave.set()
            while gate._queue:  # until the turn is ours
                pass
            raise KeyboardInterrupt

        gate.ring = give_way_and_interrupt
        with pytest.raises(KeyboardInterrupt):
            take_once(gate)
    assert not gate.held
    assert ends(in_thread(lambda: take_once(gate)))


def test_ctrl_c_before_the_turn_has_come_leaves_no_place_in_the_queue() -> None:
    gate = Gate()
    with cpu_inside(gate):

        def interrupt() -> None:
            raise KeyboardInterrupt

        gate.ring = interrupt
        with pytest.raises(KeyboardInterrupt):
            take_once(gate)
        assert not gate._queue
    assert ends(in_thread(lambda: take_once(gate)))


class InterruptedLock:
    """A lock that Ctrl-C strikes at as soon as it is let go."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.strikes = 0

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(self, *_: object) -> None:
        self._lock.release()
        if self.strikes:
            self.strikes -= 1
            raise KeyboardInterrupt


@pytest.mark.parametrize("busy", [True, False])
def test_ctrl_c_right_behind_the_queue_loses_nothing(busy: bool) -> None:
    """Between taking a place (or the turn itself) and the wait for it."""
    gate = Gate()
    mutex = InterruptedLock()
    with cpu_inside(gate) if busy else nullcontext():
        gate._mutex = mutex  # type: ignore[assignment]
        mutex.strikes = 1
        with pytest.raises(KeyboardInterrupt):
            take_once(gate)
        assert not gate._queue
        assert not gate.held
    assert ends(in_thread(lambda: take_once(gate)))
