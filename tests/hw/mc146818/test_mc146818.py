"""The clock chip: time of day, alarm, update and periodic interrupts, and its memory.

Expected values follow the Motorola MC146818A data sheet.
"""

from __future__ import annotations

import calendar

import pytest

from guestmap.base import IrqLine
from guestmap.hw.mc146818 import Mc146818
from tests.hw.device_traffic import RTC_EPOCH_NS, Bench
from tests.support.bus import ports_of
from tests.support.clocks import BusyClock

SECOND = 10**9
SECONDS, SECONDS_ALARM, MINUTES, MINUTES_ALARM, HOURS, HOURS_ALARM = range(6)
WEEKDAY, DAY, MONTH, YEAR, A, B, C, D, CENTURY = 6, 7, 8, 9, 10, 11, 12, 13, 0x32
SET, PIE, AIE, UIE, BINARY, HOURS_24 = 0x80, 0x40, 0x20, 0x10, 0x04, 0x02
IRQF, PF, AF, UF = 0x80, 0x40, 0x20, 0x10
UIP = 0x80
ANY = 0xC0


class Rtc(Bench):
    """A chip set to 2021-03-04 05:06:07, a Thursday."""

    def __init__(self, epoch_ns: int = RTC_EPOCH_NS) -> None:
        super().__init__()
        self.irq = self.line(8)
        self.chip = Mc146818(self.clock, self.irq, epoch_ns=epoch_ns)
        self.place(self.chip)

    def __getitem__(self, index: int) -> int:
        self.outb(0x70, index)
        return self.inb(0x71)

    def __setitem__(self, index: int, value: int) -> None:
        self.outb(0x70, index)
        self.outb(0x71, value)

    def time(self) -> tuple[int, ...]:
        return tuple(self[i] for i in (CENTURY, YEAR, MONTH, DAY, HOURS, MINUTES, SECONDS))

    def set_alarm(self, hour: int, minute: int, second: int) -> None:
        self[HOURS_ALARM], self[MINUTES_ALARM], self[SECONDS_ALARM] = hour, minute, second


@pytest.fixture
def rtc() -> Rtc:
    return Rtc()


def test_the_time_is_the_epoch_plus_the_clock(rtc: Rtc) -> None:
    assert rtc.time() == (0x20, 0x21, 0x03, 0x04, 0x05, 0x06, 0x07)
    assert rtc[WEEKDAY] == 5  # Thursday, Sunday being 1
    rtc.clock.advance(3600 * 24 * SECOND - 1)
    assert rtc[SECONDS] == 0x06
    rtc.clock.advance(1)
    assert rtc.time() == (0x20, 0x21, 0x03, 0x05, 0x05, 0x06, 0x07)


def test_registers_at_power_on(rtc: Rtc) -> None:
    assert (rtc[A], rtc[B], rtc[C], rtc[D]) == (0x26, 0x02, 0x00, 0x80)
    assert rtc.inb(0x70) == 0xFF


def test_binary_and_12_hour_formats(rtc: Rtc) -> None:
    rtc.clock.advance(14 * 3600 * SECOND)  # 19:06:07
    rtc[B] = 0
    assert rtc[HOURS] == 0x87
    rtc[B] = BINARY
    assert (rtc[HOURS], rtc[YEAR], rtc[CENTURY]) == (0x87, 21, 20)
    rtc[B] = BINARY | HOURS_24
    assert rtc[HOURS] == 19


@pytest.mark.parametrize(("hour", "register"), [(0, 0x12), (11, 0x11), (12, 0x92), (23, 0x91)])
def test_noon_and_midnight_are_12(hour: int, register: int) -> None:
    rtc = Rtc(calendar.timegm((2024, 2, 29, hour, 0, 0)) * SECOND)
    rtc[B] = 0
    assert rtc[HOURS] == register
    rtc[HOURS] = register
    rtc[B] = HOURS_24
    assert rtc[HOURS] == int(str(hour), 16)


def test_setting_the_time_stops_the_clock_while_it_lasts(rtc: Rtc) -> None:
    rtc.clock.advance(SECOND // 4)
    rtc[B] = SET | HOURS_24
    for register, value in ((CENTURY, 0x20), (YEAR, 0x24), (MONTH, 0x02), (DAY, 0x28),
                            (HOURS, 0x23), (MINUTES, 0x59), (SECONDS, 0x59)):  # fmt: skip
        rtc[register] = value
    rtc.clock.advance(10 * SECOND)
    assert rtc[SECONDS] == 0x59
    rtc[B] = HOURS_24
    rtc.clock.advance(SECOND * 3 // 4)
    assert rtc.time() == (0x20, 0x24, 0x02, 0x29, 0x00, 0x00, 0x00)


def test_the_first_update_after_a_divider_reset_comes_in_half_a_second(rtc: Rtc) -> None:
    rtc[A] = 0x66
    rtc[SECONDS] = 0x30
    rtc.clock.advance(5 * SECOND)
    assert rtc[SECONDS] == 0x30
    rtc[A] = 0x26
    rtc.clock.advance(SECOND // 2 - 1)
    assert rtc[SECONDS] == 0x30
    rtc.clock.advance(1)
    assert rtc[SECONDS] == 0x31


def test_uip_is_up_244_microseconds_before_the_update(rtc: Rtc) -> None:
    rtc.clock.advance(SECOND - 244_141)
    assert not rtc[A] & UIP
    rtc.clock.advance(1)
    assert rtc[A] & UIP
    rtc.clock.advance(244_140)
    assert not rtc[A] & UIP
    rtc[B] = SET | HOURS_24
    rtc.clock.advance(SECOND - 1000)
    assert not rtc[A] & UIP


def test_the_update_interrupt_comes_each_second(rtc: Rtc) -> None:
    rtc[B] = UIE | HOURS_24
    for _ in range(3):
        rtc.clock.advance(SECOND - 1)
        assert not rtc.irq.level
        rtc.clock.advance(1)
        assert rtc.irq.level
        assert rtc[C] == IRQF | UF
        assert not rtc.irq.level


def test_flags_come_up_without_interrupts_too(rtc: Rtc) -> None:
    rtc.clock.advance(SECOND)
    assert not rtc.irq.level
    assert rtc[C] == UF
    assert rtc[C] == 0


def test_enabling_an_interrupt_whose_flag_is_up_interrupts_at_once(rtc: Rtc) -> None:
    rtc.clock.advance(SECOND)
    rtc[B] = UIE | HOURS_24
    assert rtc.irq.level
    assert rtc[C] == IRQF | UF


@pytest.mark.parametrize(
    ("alarm", "seconds"),
    [((0x05, 0x06, 0x08), 1), ((0x05, 0x06, 0x07), 86_400), ((0x05, 0x06, 0x06), 86_399),
     ((0x06, 0x00, 0x00), 3233), ((ANY, 0x06, 0x07), 3600), ((ANY, 0x05, 0x00), 3533),
     ((ANY, ANY, 0x07), 60), ((ANY, ANY, 0x06), 59), ((ANY, ANY, ANY), 1),
     ((0x06, ANY, ANY), 3233), ((0x05, 0x07, ANY), 53), ((0xFF, 0x06, ANY), 1)],
)  # fmt: skip
def test_the_alarm_comes_when_every_field_matches(
    rtc: Rtc, alarm: tuple[int, int, int], seconds: int
) -> None:
    rtc.set_alarm(*alarm)
    rtc[B] = AIE | HOURS_24
    rtc.clock.advance(seconds * SECOND - 1)
    assert not rtc.irq.level
    rtc.clock.advance(1)
    assert rtc.irq.level
    assert rtc[C] & (IRQF | AF) == IRQF | AF


def test_an_alarm_in_the_afternoon(rtc: Rtc) -> None:
    rtc[B] = AIE
    rtc.set_alarm(0x81, 0x00, 0x00)  # 1 p.m.
    rtc.clock.advance(((13 - 5) * 3600 - 6 * 60 - 7) * SECOND)
    assert rtc[HOURS] == 0x81
    assert rtc.irq.level


def test_an_idle_clock_stops_its_timer(rtc: Rtc) -> None:
    rtc.set_alarm(ANY, ANY, ANY)
    rtc.clock.advance(2 * SECOND)
    assert rtc.clock.next_deadline_ns() is None


@pytest.mark.parametrize(("rate", "hertz"), [(1, 256), (2, 128), (6, 1024), (15, 2)])
def test_the_periodic_interrupt_has_its_rate(rtc: Rtc, rate: int, hertz: int) -> None:
    rtc[A] = 0x20 | rate
    rtc[B] = PIE | HOURS_24
    count = 0

    def on_irq(level: bool) -> None:
        nonlocal count
        if level:
            count += 1
            assert rtc[C] & PF

    rtc.irq.connect(on_irq)
    rtc.clock.advance(2 * SECOND + 10**5)
    assert count == 2 * hertz


def test_periodic_interrupts_of_the_last_second_are_made_up_for(rtc: Rtc) -> None:
    rises: list[bool] = []
    rtc.irq.connect(lambda level: rises.append(level) if level and rtc[C] & PF else None)
    rtc[A] = 0x20 | 9  # 128 Hz
    rtc[B] = PIE | HOURS_24
    rtc.clock.jump(3600 * SECOND)
    rtc.clock.advance(SECOND)
    assert len(rises) in (128, 129)
    rtc.clock.jump(SECOND // 2)
    rtc.clock.advance(SECOND // 2)
    assert len(rises) in range(2 * 128, 2 * 128 + 3)


def test_rate_0_means_no_periodic_interrupt(rtc: Rtc) -> None:
    rtc[B] = PIE | HOURS_24
    rtc[A] = 0x20
    rtc.clock.advance(SECOND)
    assert not rtc[C] & PF


def test_the_memory_keeps_bytes_and_ignores_the_nmi_bit(rtc: Rtc) -> None:
    rtc.chip.set_cmos(0x34, 0x12)
    rtc.outb(0x70, 0x80 | 0x34)
    assert rtc.inb(0x71) == 0x12
    rtc.outb(0x71, 0x99)
    assert rtc[0x34] == 0x99
    assert rtc.chip.cmos[0x34] == 0x99


def test_index_37h_is_the_century_too(rtc: Rtc) -> None:
    assert rtc[0x37] == 0x20
    rtc[0x37] = 0x19
    assert rtc[CENTURY] == 0x19


def test_c_and_d_are_read_only(rtc: Rtc) -> None:
    rtc[C] = rtc[D] = 0x55
    assert (rtc[C], rtc[D]) == (0x00, 0x80)


def test_reset_disables_interrupts_and_keeps_the_time(rtc: Rtc) -> None:
    rtc[B] = PIE | AIE | UIE | HOURS_24
    rtc[0x0F], rtc[0x40] = 0x05, 0x77
    rtc.clock.advance(5 * SECOND)
    rtc.chip.reset()
    assert not rtc.irq.level
    assert (rtc[B], rtc[C], rtc[0x0F], rtc[0x40]) == (UIE | HOURS_24, 0, 0, 0x77)
    assert rtc[SECONDS] == 0x12
    rtc[0x0F] = 0xFE
    rtc.chip.reset()
    assert rtc[0x0F] == 0xFE  # set by firmware before it suspends to RAM


def test_the_time_property_is_the_guests_time(rtc: Rtc) -> None:
    rtc[YEAR] = 0x30
    assert rtc.chip.time[:3] == (2030, 3, 4)
    assert rtc.chip.time.seconds_since_1970() == calendar.timegm((2030, 3, 4, 5, 6, 7))


@pytest.mark.parametrize(("rate", "ticks"), [(0, 0), (1, 128), (2, 256), (3, 4), (15, 16384)])
def test_a_period_that_is_over_by_the_second_look_at_the_clock_interrupts(
    rate: int, ticks: int
) -> None:
    """A busy host takes a millisecond from look to look; the shortest period is 122 us."""
    clock, line, rises = BusyClock(look_ns=1_000_000), IrqLine(), []
    line.connect(rises.append)
    space = ports_of(Mc146818(clock, line, epoch_ns=RTC_EPOCH_NS))

    def put(register: int, value: int) -> None:
        space.store(0x70, 1, register)
        space.store(0x71, 1, value)

    put(A, 0x20 | rate)
    put(B, PIE | HOURS_24)
    for shots in range(1, 4):
        clock.pass_time(ticks * SECOND // 32768 + 1)
        assert rises.count(True) == (shots if ticks else 0)
        space.store(0x70, 1, C)
        assert bool(space.load(0x71, 1) & PF) == bool(ticks)
