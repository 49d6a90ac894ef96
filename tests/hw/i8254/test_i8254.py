"""The interval timer and port 61h, held to the Intel 8254 data sheet (and QEMU's choices)."""

from __future__ import annotations

import pytest

from guestmap.hw.i8254 import FREQUENCY_HZ, I8254
from guestmap.hw.pcspk import PcSpeaker
from tests.hw.device_traffic import Bench
from tests.support.clocks import BusyClock

SECOND = 10**9


def after_ticks(ticks: int) -> int:
    """Return the nanoseconds in which the counter is clocked ``ticks`` times."""
    return -(-ticks * SECOND // FREQUENCY_HZ)


class Timer(Bench):
    def __init__(self) -> None:
        super().__init__()
        self.edges: list[tuple[int, bool]] = []
        self.irq = self.line(0)
        self.irq.connect(lambda level: self.edges.append((self.clock.now_ns(), level)))
        self.pit = I8254(self.clock, self.irq)
        self.place(self.pit, PcSpeaker(self.pit))

    def program(self, counter: int, mode: int, count: int) -> None:
        self.outb(0x43, counter << 6 | 0x30 | mode << 1)
        self.outb(0x40 + counter, count & 0xFF)
        self.outb(0x40 + counter, count >> 8)

    def latched(self, counter: int) -> int:
        self.outb(0x43, counter << 6)
        return self.inb(0x40 + counter) | self.inb(0x40 + counter) << 8

    def status(self, counter: int) -> int:
        self.outb(0x43, 0xE0 | 2 << counter)
        return self.inb(0x40 + counter)

    def rising(self) -> int:
        return sum(level for _, level in self.edges)


@pytest.fixture
def timer() -> Timer:
    return Timer()


@pytest.mark.parametrize(
    ("mode", "ticks", "value"),
    [(0, 300, 700), (0, 1010, 0xFFF6), (1, 300, 700), (2, 300, 700), (2, 1300, 700),
     (3, 300, 400), (3, 500, 1000), (3, 1300, 400), (4, 300, 700), (5, 300, 700)],
)  # fmt: skip
def test_a_counter_counts_down(timer: Timer, mode: int, ticks: int, value: int) -> None:
    timer.outb(0x61, 0x01)
    timer.program(2, mode, 1000)
    timer.clock.advance(after_ticks(ticks))
    assert timer.latched(2) == value


@pytest.mark.parametrize(
    ("mode", "levels"),
    [(0, (0, 0, 1, 1)), (1, (1, 1, 0, 0)), (2, (0, 0, 1, 0)), (3, (1, 0, 1, 1)),
     (4, (0, 0, 1, 0))],
)  # fmt: skip
def test_the_output_follows_the_mode(timer: Timer, mode: int, levels: tuple[int, ...]) -> None:
    timer.program(2, mode, 1000)
    seen = []
    for ticks in (1, 999, 1000, 1001):
        timer.clock.advance(after_ticks(ticks) - timer.clock.now_ns())
        seen.append(timer.status(2) >> 7)
        assert timer.inb(0x61) >> 5 & 1 == seen[-1]
    assert tuple(seen) == levels


def test_a_latch_holds_until_it_is_read(timer: Timer) -> None:
    timer.program(0, 2, 0x1234)
    timer.outb(0x43, 0x00)
    timer.clock.advance(after_ticks(0x200))
    assert timer.inb(0x40) | timer.inb(0x40) << 8 == 0x1234
    assert timer.inb(0x40) | timer.inb(0x40) << 8 == 0x1034


def test_access_modes_read_and_write_one_byte(timer: Timer) -> None:
    timer.outb(0x43, 0x94)  # counter 2, low byte, mode 2
    timer.outb(0x42, 0x80)
    assert (timer.inb(0x42), timer.inb(0x42)) == (0x80, 0x80)
    timer.outb(0x43, 0xA4)  # high byte
    timer.outb(0x42, 0x12)
    assert (timer.inb(0x42), timer.inb(0x42)) == (0x12, 0x12)


def test_read_back_gives_status_then_count(timer: Timer) -> None:
    timer.program(0, 2, 0x4321)
    timer.outb(0x43, 0xC2)
    assert timer.inb(0x40) == 0x34  # both bytes, mode 2, output low
    assert timer.inb(0x40) | timer.inb(0x40) << 8 == 0x4321


def test_bcd_is_reported_and_counts_binary_as_in_qemu(timer: Timer) -> None:
    timer.outb(0x43, 0xB5)
    timer.outb(0x42, 0x00)
    timer.outb(0x42, 0x10)
    timer.clock.advance(after_ticks(1))
    assert timer.status(2) & 1
    assert timer.latched(2) == 0x0FFF


def test_counter_0_interrupts_18_times_a_second_after_reset(timer: Timer) -> None:
    timer.clock.advance(SECOND)
    assert timer.rising() == 18


def test_mode_2_pulses_once_a_period(timer: Timer) -> None:
    timer.program(0, 2, 11932)  # 100 Hz
    timer.edges.clear()
    timer.clock.advance(SECOND)
    assert timer.rising() == 99
    assert timer.edges[0] == (after_ticks(11932), True)


def test_mode_0_interrupts_once(timer: Timer) -> None:
    timer.program(0, 0, 1193)
    timer.edges.clear()
    timer.clock.advance(SECOND)
    assert timer.edges == [(after_ticks(1193), True)]


def test_mode_3_is_a_square_wave(timer: Timer) -> None:
    timer.program(0, 3, 1000)
    timer.edges.clear()
    timer.clock.advance(after_ticks(2000))
    assert timer.edges == [
        (after_ticks(500), False), (after_ticks(1000), True),
        (after_ticks(1500), False), (after_ticks(2000), True),
    ]  # fmt: skip


def test_the_hpet_can_take_the_line(timer: Timer) -> None:
    timer.pit.set_irq_enabled(False)
    timer.edges.clear()
    timer.clock.advance(SECOND)
    timer.program(0, 2, 100)
    assert timer.edges == []
    timer.pit.set_irq_enabled(True)
    timer.clock.advance(SECOND)
    assert timer.rising()


@pytest.mark.parametrize("mode", [2, 3])
def test_a_fast_counter_leaves_time_for_others(mode: int) -> None:
    bench = Bench()
    clock = BusyClock(look_ns=20_000)
    pit = I8254(clock, bench.line(0))
    bench.place(pit)
    bench.outb(0x43, 0x10 | mode << 1)
    bench.outb(0x40, 2)
    for _ in range(100):
        assert clock.run_due() < 10


def test_a_late_timer_drops_what_is_too_old() -> None:
    """Edges of the last second are made up for, one by one; older ones are not."""
    timer = Timer()
    timer.program(0, 2, 11932)  # 100 Hz
    timer.edges.clear()
    timer.clock.jump(3600 * SECOND)
    timer.clock.advance(SECOND)
    assert 100 <= timer.rising() <= 102
    timer.clock.jump(SECOND // 2)
    timer.clock.advance(SECOND // 2)
    assert 199 <= timer.rising() <= 202


@pytest.mark.parametrize("count", [1, 2])
def test_a_shot_that_is_over_by_the_second_look_at_the_clock_fires(count: int) -> None:
    """A count is a microsecond, and so may be the way from one look to the next."""
    bench, clock, rises = Bench(), BusyClock(look_ns=2_000), []
    irq = bench.line(0)
    irq.connect(rises.append)
    bench.place(I8254(clock, irq))
    for shots in range(1, 4):
        bench.outb(0x43, 0x10)  # counter 0, low byte, mode 0
        bench.outb(0x40, count)
        clock.pass_time(SECOND)
        assert rises.count(True) == shots


@pytest.mark.parametrize("high", [0, 0x12])
def test_a_count_of_0_is_65536(timer: Timer, high: int) -> None:
    timer.program(0, 0, high << 8)
    timer.edges.clear()
    timer.clock.advance(SECOND)
    assert timer.edges == [(after_ticks(high << 8 or 65536), True)]


@pytest.mark.parametrize("mode", range(6))
@pytest.mark.parametrize("number", [0, 2])
def test_a_rising_gate_restarts_what_the_data_sheet_says(
    timer: Timer, number: int, mode: int
) -> None:
    passed = 200 if mode == 3 else 100
    timer.pit.set_gate(number, True)
    timer.program(number, mode, 1000)
    for level, expected in ((True, 1000 - passed), (False, 1000 - passed)):
        if level:
            timer.clock.advance(after_ticks(100))
        timer.pit.set_gate(number, level)
        assert timer.latched(number) == expected  # no edge, and a falling one
    timer.pit.set_gate(number, True)
    restarts = mode in (1, 2, 3, 5)
    assert timer.latched(number) == (1000 if restarts else 1000 - passed)


@pytest.mark.parametrize("mode", [0, 1, 2, 3, 4, 5])
def test_the_interrupt_follows_a_restart_by_the_gate(timer: Timer, mode: int) -> None:
    timer.program(0, mode, 1000)
    timer.pit.set_gate(0, False)
    timer.clock.advance(after_ticks(600))
    began = timer.clock.now_ns()
    timer.edges.clear()
    timer.pit.set_gate(0, True)
    timer.clock.advance(after_ticks(1100))
    changes = [at - began for at, _ in timer.edges if at > began]
    ticks = {0: 400, 1: 1000, 2: 1000, 3: 500, 4: 400, 5: 1000}[mode]
    assert abs(changes[0] - after_ticks(ticks)) <= 838 * 2


def test_the_gate_of_the_speaker_restarts_counter_2(timer: Timer) -> None:
    timer.program(2, 3, 1000)
    timer.clock.advance(after_ticks(100))
    timer.outb(0x61, 0x03)
    assert timer.latched(2) == 1000
    assert timer.inb(0x61) & 0x03 == 0x03


def test_the_refresh_bit_toggles_with_each_read(timer: Timer) -> None:
    bits = [timer.inb(0x61) & 0x10 for _ in range(4)]
    assert bits in ([0x10, 0, 0x10, 0], [0, 0x10, 0, 0x10])


def test_reset_lets_all_counters_run_from_65536(timer: Timer) -> None:
    timer.program(0, 0, 10)
    timer.program(2, 0, 10)
    timer.clock.advance(SECOND)
    timer.pit.reset()
    timer.clock.advance(after_ticks(100))
    assert (timer.latched(0), timer.latched(2)) == (65536 - 200, 65536 - 200)
    assert timer.inb(0x61) & 1 == 0


@pytest.mark.parametrize("restored", [False, True])
def test_whoever_takes_the_interrupt_over_drives_a_line(timer: Timer, restored: bool) -> None:
    timer.program(0, 2, 1000)
    timer.pit.irq_enable.set(False)
    timer.clock.advance(SECOND)
    assert timer.rising() == 0
    if restored:
        other = Timer()
        other.clock.advance(SECOND)
        other.pit.load(timer.pit.save())
        timer = other
        timer.edges.clear()
    timer.pit.irq_enable.set(True)
    timer.clock.advance(after_ticks(1000))
    assert timer.rising() == 1
