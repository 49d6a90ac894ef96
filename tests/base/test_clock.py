from __future__ import annotations

import threading
import tracemalloc

import pytest

from guestmap.base import HostClock, ManualClock, Timer


def test_ticks_of_a_frequency() -> None:
    clock = ManualClock(999_999_999)
    assert clock.ticks(3_579_545) == 3_579_544
    clock.advance(1)
    assert clock.ticks(3_579_545) == 3_579_545
    assert clock.ticks(1_193_182) == 1_193_182


def test_timers_fire_at_their_own_time_the_earliest_first() -> None:
    clock = ManualClock()
    fired: list[tuple[str, int]] = []
    for name, deadline in (("late", 30), ("early", 10), ("later", 50)):
        clock.timer(lambda name=name: fired.append((name, clock.now_ns()))).arm(deadline)  # type: ignore[misc]
    clock.advance(40)
    assert fired == [("early", 10), ("late", 30)]
    assert (clock.now_ns(), clock.next_deadline_ns()) == (40, 50)


def test_equal_deadlines_fire_in_the_order_they_were_armed() -> None:
    clock = ManualClock()
    fired: list[int] = []
    timers = [clock.timer(lambda n=n: fired.append(n)) for n in range(3)]  # type: ignore[misc]
    for number in (2, 0, 1):
        timers[number].arm(5)
    clock.advance(5)
    assert fired == [2, 0, 1]


def test_a_timer_fires_once_and_only_for_its_last_deadline() -> None:
    clock = ManualClock()
    fired: list[int] = []
    timer = clock.timer(lambda: fired.append(clock.now_ns()))
    timer.arm(10)
    timer.arm(20)
    assert (timer.deadline_ns, clock.next_deadline_ns()) == (20, 20)
    clock.advance(100)
    assert fired == [20]
    assert timer.deadline_ns is None
    timer.arm(150)
    timer.cancel()
    assert timer.deadline_ns is None
    clock.advance(100)
    assert fired == [20]
    assert clock.next_deadline_ns() is None


def test_a_timer_may_arm_itself_again() -> None:
    clock = ManualClock()
    fired: list[int] = []

    def tick() -> None:
        fired.append(clock.now_ns())
        timer.arm(clock.now_ns() + 10)

    timer: Timer = clock.timer(tick)
    timer.arm(10)
    clock.advance(35)
    assert fired == [10, 20, 30]


def test_run_due_fires_what_is_overdue_and_says_how_much() -> None:
    clock = ManualClock(100)
    fired: list[str] = []
    clock.timer(lambda: fired.append("past")).arm(50)
    clock.timer(lambda: fired.append("now")).arm(100)
    clock.timer(lambda: fired.append("future")).arm(101)
    assert clock.run_due() == 2
    assert fired == ["past", "now"]
    assert clock.run_due() == 0


def test_time_goes_forward_only() -> None:
    clock = ManualClock(10)
    clock.advance(-5)
    assert clock.now_ns() == 10

    def jump() -> None:
        clock.advance(100)

    clock.timer(jump).arm(11)
    clock.advance(5)
    assert clock.now_ns() == 111


@pytest.mark.parametrize("cancels", [False, True])
def test_arming_again_and_again_keeps_nothing_of_before(cancels: bool) -> None:
    clock = ManualClock()
    fired: list[int] = []
    others = [clock.timer(lambda n=n: fired.append(n)) for n in range(40)]  # type: ignore[misc]
    for number, other in enumerate(others):
        other.arm(1000 + number)
    timer = clock.timer(lambda: fired.append(-1))
    tracemalloc.start()
    try:
        for number in range(100_000):
            timer.arm(1 << 60 | number)
            if cancels:
                timer.cancel()
        grown, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert max(grown, peak) < 100_000
    timer.arm(1020)
    clock.advance(2000)
    assert fired == [*range(21), -1, *range(21, 40)]


def test_a_jump_fires_late_what_it_passed() -> None:
    clock = ManualClock()
    fired: list[int] = []
    for deadline in (20, 10, 31):
        clock.timer(lambda: fired.append(clock.now_ns())).arm(deadline)
    clock.jump(30)
    assert fired == [30, 30]


def test_the_host_clock_starts_at_zero_and_tells_of_new_deadlines() -> None:
    clock = HostClock()
    told: list[int] = []
    clock.on_schedule = told.append
    first = clock.now_ns()
    assert 0 <= first <= clock.now_ns()
    fired: list[int] = []
    timer = clock.timer(lambda: fired.append(1))
    timer.arm(first)
    assert told == [first]
    assert clock.run_due() == 1
    assert fired == [1]


def test_who_is_told_of_a_deadline_may_wait_for_a_thread_that_asks_the_clock() -> None:
    clock = HostClock()
    answers: list[int | None] = []

    def told(_deadline_ns: int) -> None:
        other = threading.Thread(target=lambda: answers.append(clock.next_deadline_ns()))
        other.daemon = True
        other.start()
        other.join(10)

    clock.on_schedule = told
    clock.timer(lambda: None).arm(1 << 62)
    assert answers == [1 << 62]


def test_arming_without_somebody_to_tell() -> None:
    clock = HostClock()
    clock.timer(lambda: pytest.fail("not due")).arm(1 << 62)
    assert clock.next_deadline_ns() == 1 << 62
    assert clock.run_due() == 0
