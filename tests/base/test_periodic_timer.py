from __future__ import annotations

import pytest

from guestmap.base import ManualClock, PeriodicTimer
from tests.support.clocks import BusyClock


class Metronome:
    """Events at every multiple of a period."""

    def __init__(self, period: int, *, min_gap_ns: int = 0, max_lag_ns: int = 0) -> None:
        self.clock = ManualClock()
        self.period: int | None = period
        self.events: list[tuple[int, int]] = []
        self.timer = PeriodicTimer(
            self.clock, self._event, min_gap_ns=min_gap_ns, max_lag_ns=max_lag_ns
        )
        self.timer.start(period)

    def _event(self, due_ns: int) -> int | None:
        self.events.append((self.clock.now_ns(), due_ns))
        return None if self.period is None else (due_ns // self.period + 1) * self.period


def test_events_come_when_they_are_due() -> None:
    each = Metronome(10)
    each.clock.advance(35)
    assert each.events == [(10, 10), (20, 20), (30, 30)]


def test_the_last_event_says_so() -> None:
    each = Metronome(10)
    each.clock.advance(10)
    each.period = None
    each.clock.advance(100)
    assert each.events == [(10, 10), (20, 20)]
    assert each.clock.next_deadline_ns() is None


@pytest.mark.parametrize("due", [None, 70])
def test_it_can_be_started_anew_and_stopped(due: int | None) -> None:
    each = Metronome(50)
    each.timer.start(due)
    assert each.clock.next_deadline_ns() == due
    each.timer.stop()
    assert each.clock.next_deadline_ns() is None
    each.clock.advance(100)
    assert each.events == []


def test_no_two_events_come_closer_than_the_gap() -> None:
    each = Metronome(10, min_gap_ns=25, max_lag_ns=1000)
    each.clock.advance(70)
    assert each.events == [(10, 10), (35, 20), (60, 30)]  # each one, only later


@pytest.mark.parametrize(("lag", "first"), [(0, 10), (1_010, 10), (1_011, 1_021)])
def test_what_is_too_late_is_not_made_up_for(lag: int, first: int) -> None:
    each = Metronome(10, max_lag_ns=1_010)
    each.clock.jump(10 + lag)
    assert each.events[0] == (10 + lag, first)


def test_by_default_all_that_were_missed_are_one() -> None:
    each = Metronome(10)
    each.clock.jump(95)
    assert each.events == [(95, 95)]
    assert each.clock.next_deadline_ns() == 100


def test_an_event_that_takes_longer_than_its_period_leaves_time_for_others() -> None:
    clock = BusyClock(look_ns=100)
    timer = PeriodicTimer(clock, lambda due: due + 1, min_gap_ns=1000)
    timer.start(0)
    assert [clock.run_due() for _ in range(50)].count(1) in range(5, 50)
    assert clock.run_due() <= 1
