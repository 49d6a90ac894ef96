"""How the thread that runs a CPU is woken, with a CPU that does nothing."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from guestmap.accel.doorbell import Doorbell
from guestmap.base import HostClock, ManualClock, VmClock

DEADLINE_S = 30
MILLISECOND = 1_000_000


class Cpu:
    """Counts how often it is called to leave, and leaves when told by the test."""

    def __init__(self, clock: HostClock | ManualClock) -> None:
        self.clock = clock
        self.calls = threading.Semaphore(0)
        self.bell = Doorbell(clock, self.calls.release)

    def called(self) -> bool:
        return self.calls.acquire(timeout=DEADLINE_S)

    def never_called(self) -> bool:
        return not self.calls.acquire(blocking=False)


@pytest.fixture
def cpu() -> Iterator[Cpu]:
    cpu = Cpu(HostClock())
    cpu.bell.open()
    yield cpu
    cpu.bell.shut()


def test_only_a_cpu_that_is_inside_is_called_to_leave(cpu: Cpu) -> None:
    cpu.bell.ring()
    assert cpu.never_called()
    assert not cpu.bell.enter()  # it was rung before
    cpu.bell.answer()
    assert cpu.bell.enter()
    cpu.bell.ring()
    assert cpu.called()
    cpu.bell.left()
    cpu.bell.answer()
    while not cpu.never_called():
        pass
    cpu.bell.ring()
    assert cpu.never_called()


def test_the_call_is_repeated_until_the_cpu_has_left(cpu: Cpu) -> None:
    """One that was just being entered has missed the first."""
    cpu.bell.answer()
    assert cpu.bell.enter()
    cpu.bell.ring()
    for _ in range(5):
        assert cpu.called()
    cpu.bell.left()


def test_a_sleeper_wakes_when_somebody_rings_or_has_rung(cpu: Cpu) -> None:
    cpu.bell.ring()
    cpu.bell.sleep()
    cpu.bell.answer()
    ringer = threading.Timer(0.01, cpu.bell.ring)
    ringer.start()
    cpu.bell.sleep()
    ringer.join()


@pytest.mark.parametrize("inside", [True, False])
@pytest.mark.parametrize("late", [True, False])
def test_a_timer_that_is_due_rings(cpu: Cpu, inside: bool, late: bool) -> None:
    """Also one that is armed for earlier than all others while the alarm sleeps."""
    cpu.bell.answer()
    cpu.clock.timer(lambda: None).arm(1 << 62)
    if inside:
        assert cpu.bell.enter()
    timer = cpu.clock.timer(lambda: None)
    timer.arm(0 if late else cpu.clock.now_ns() + 5 * MILLISECOND)
    if inside:
        assert cpu.called()
        cpu.bell.left()
    else:
        cpu.bell.sleep()
    assert timer.deadline_ns is not None
    assert cpu.clock.now_ns() >= timer.deadline_ns
    assert cpu.clock.run_due() == 1


def test_timers_ring_again_each_time_that_the_cpu_has_answered(cpu: Cpu) -> None:
    for _ in range(20):
        cpu.clock.timer(lambda: None).arm(cpu.clock.now_ns() + MILLISECOND // 5)
        cpu.bell.answer()
        cpu.bell.sleep()
        assert cpu.clock.run_due() <= 1
        cpu.clock.run_due()


def test_what_must_be_tried_again_rings_soon_without_a_timer(cpu: Cpu) -> None:
    cpu.bell.answer()
    assert cpu.bell.enter(again=True)
    assert cpu.called()
    cpu.bell.left()
    cpu.bell.answer()
    assert cpu.bell.enter()
    cpu.bell.left()


def test_a_clock_of_ones_own_rings_through_what_its_timers_do() -> None:
    cpu = Cpu(ManualClock())
    cpu.bell.open()
    cpu.clock.timer(cpu.bell.ring).arm(10)
    cpu.bell.answer()
    assert cpu.bell.enter()
    assert cpu.never_called()
    cpu.clock.advance(10)  # type: ignore[union-attr]
    assert cpu.called()
    cpu.bell.left()
    cpu.bell.shut()


def test_the_clock_is_left_as_it_was_found() -> None:
    clock = HostClock()
    told: list[int] = []
    clock.on_schedule = told.append
    cpu = Cpu(clock)
    for round_ in (1, 2):
        cpu.bell.open()
        assert any(t.name == "guestmap-alarm" for t in threading.enumerate())
        clock.timer(lambda: None).arm((1 << 62) + round_)
        cpu.bell.shut()
        assert told[-1] == (1 << 62) + round_
    clock.timer(lambda: None).arm(1 << 61)
    assert told == [(1 << 62) + 1, (1 << 62) + 2, 1 << 61]
    assert not any(t.name == "guestmap-alarm" for t in threading.enumerate())


def test_a_clock_that_starts_while_the_alarm_waits_rings() -> None:
    """Until then nothing is due, however long the host waits; then the wait is the timer's."""
    clock = VmClock()
    clock.timer(lambda: None).arm(MILLISECOND)
    cpu = Cpu(clock)
    cpu.bell.open()
    try:
        cpu.bell.answer()
        assert cpu.bell.enter()
        assert cpu.never_called()
        clock.start()
        assert cpu.called()
    finally:
        cpu.bell.shut()
