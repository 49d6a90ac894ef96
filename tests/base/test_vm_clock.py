"""A clock that stands while the machine does, on a host's time that tests move."""

from __future__ import annotations

import pytest

from guestmap.base import HostClock, ManualClock, PeriodicTimer, StateError, VmClock


class Host:
    """The host's monotonic time."""

    def __init__(self) -> None:
        self.now_ns = 5_000_000

    def __call__(self) -> int:
        return self.now_ns


@pytest.fixture
def host() -> Host:
    return Host()


@pytest.fixture
def clock(host: Host) -> VmClock:
    return VmClock(host)


def test_time_passes_from_start_to_stop_only(host: Host, clock: VmClock) -> None:
    steps = (  # what is done, then 100 ns of the host's, and the clock's reading after them
        (None, 0), (clock.stop, 0), (clock.start, 100), (clock.start, 200), (clock.stop, 200),
        (clock.stop, 200), (None, 200), (clock.start, 300),
    )  # fmt: skip
    for number, (act, reading) in enumerate(steps, 1):
        if act is not None:
            act()
        host.now_ns += 100
        assert clock.now_ns() == reading
        assert clock.running is (reading in {100, 300} or number == 4)
        assert clock.host.now_ns() == 100 * number


def test_timers_keep_their_distance_over_a_pause(host: Host, clock: VmClock) -> None:
    fired: list[int] = []
    for deadline in (150, 300):
        clock.timer(lambda: fired.append(clock.now_ns())).arm(deadline)
    clock.start()
    for pause in (1_000, 3_000):
        host.now_ns += 100
        clock.stop()
        host.now_ns += pause
        assert clock.run_due() == 0
        clock.start()
        assert clock.run_due() == 0
        host.now_ns += 50
        assert clock.run_due() == 1
    assert fired == [150, 300]
    assert clock.next_deadline_ns() is None


def test_what_is_due_as_it_stops_fires_when_it_starts(host: Host, clock: VmClock) -> None:
    fired: list[int] = []
    clock.start()
    clock.timer(lambda: fired.append(clock.now_ns())).arm(100)
    host.now_ns += 100
    clock.stop()
    assert (clock.run_due(), fired) == (0, [])
    clock.start()
    assert (clock.run_due(), fired) == (1, [100])


def test_a_periodic_timer_makes_up_for_nothing_after_a_pause(host: Host, clock: VmClock) -> None:
    fired: list[int] = []

    def event(due_ns: int) -> int:
        fired.append(clock.now_ns())
        return due_ns + 100

    PeriodicTimer(clock, event, min_gap_ns=1, max_lag_ns=10_000).start(100)
    for _ in range(3):
        clock.start()
        host.now_ns += 100
        clock.run_due()
        clock.stop()
        host.now_ns += 1_000
    assert fired == [100, 200, 300]


def test_the_hosts_timers_count_the_pause(host: Host, clock: VmClock) -> None:
    fired: list[str] = []
    clock.start()
    clock.timer(lambda: fired.append("machine")).arm(300)
    clock.host.timer(lambda: fired.append("host")).arm(200)
    assert clock.next_deadline_ns() == 200
    host.now_ns += 100
    clock.stop()
    host.now_ns += 50
    clock.start()
    assert clock.next_deadline_ns() == 150  # 50 ns from now, at 200 ns of the host's
    host.now_ns += 50
    assert (clock.run_due(), fired) == (1, ["host"])
    assert clock.next_deadline_ns() == 300
    host.now_ns += 150
    assert (clock.run_due(), fired) == (1, ["host", "machine"])


def test_the_hosts_timers_fire_though_the_machine_stands(host: Host, clock: VmClock) -> None:
    fired: list[int] = []
    clock.host.timer(lambda: fired.append(clock.host.now_ns())).arm(200)
    host.now_ns += 300
    assert (clock.run_due(), fired) == (1, [300])


def test_who_waits_is_told_of_deadlines_in_the_machines_time(host: Host, clock: VmClock) -> None:
    """And of the earliest as the clock starts: while it stood, nobody could know when to wake."""
    told: list[int] = []
    clock.on_schedule = told.append
    clock.start()
    assert told == []
    host.now_ns += 40
    clock.stop()
    host.now_ns += 60
    clock.timer(lambda: None).arm(500)
    clock.host.timer(lambda: None).arm(130)
    assert told == [500, 70]
    clock.start()
    assert told == [500, 70, 70]
    clock.start()
    assert told == [500, 70, 70]


@pytest.mark.parametrize("make", [HostClock, ManualClock])
def test_other_clocks_do_not_mind(make: type[HostClock | ManualClock]) -> None:
    clock = make()
    assert clock.host is clock
    clock.stop()
    assert clock.running
    clock.timer(lambda: None).arm(0)
    assert clock.run_due() == 1


def test_a_time_that_was_saved_is_gone_on_from(host: Host, clock: VmClock) -> None:
    clock.start()
    with pytest.raises(StateError, match="stop it first"):
        clock.restore(7_000)
    clock.stop()
    host_ns = clock.host.now_ns()
    clock.restore(7_000)
    host.now_ns += 50
    assert clock.now_ns() == 7_000
    assert clock.host.now_ns() == host_ns + 50  # the host's own goes on
    fired: list[int] = []
    clock.timer(lambda: fired.append(clock.now_ns())).arm(7_100)
    clock.start()
    for reading, count in ((7_099, 0), (7_100, 1)):
        host.now_ns += reading - clock.now_ns()
        assert clock.run_due() == count
    assert fired == [7_100]


def test_a_clock_that_cannot_be_set_says_so(host: Host) -> None:
    with pytest.raises(StateError, match="HostClock cannot be set"):
        HostClock(host).restore(1)
    manual = ManualClock(5)
    manual.restore(1_000)
    assert manual.now_ns() == 1_000
