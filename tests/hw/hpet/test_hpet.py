"""The HPET: counter and comparators against the specification, registers against QEMU's."""

from __future__ import annotations

import random

import pytest

from guestmap.base import IrqLine, ManualClock
from guestmap.hw.hpet import Hpet
from guestmap.memory import AddressSpace
from tests.support.bus import memory_of, random_accesses
from tests.support.clocks import BusyClock
from tests.support.qemu import Qemu

BASE = 0xFED00000
CAPABILITY, CONFIG, STATUS, COUNTER = 0x00, 0x10, 0x20, 0xF0
ENABLE, LEGACY = 1, 2
LEVEL, INTERRUPT, PERIODIC, SET_VALUE, BITS_32, MESSAGE = 2, 4, 8, 0x40, 0x100, 0x4000
ROUTE_2 = 2 << 9


def timer(number: int) -> int:
    return 0x100 + 0x20 * number


class Machine:
    """An HPET on a bus, its clock, its lines, and the edges that came out of it."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.lines = [IrqLine() for _ in range(24)]
        self.rises: list[tuple[int, int]] = []
        for number, line in enumerate(self.lines):
            line.connect(lambda level, number=number: self._changed(number, level))
        self.messages: list[tuple[int, int]] = []
        self.hpet = Hpet(self.clock, self.lines, lambda *msi: self.messages.append(msi))
        self.space: AddressSpace = memory_of(self.hpet)

    def _changed(self, number: int, level: bool) -> None:
        if level:
            self.rises.append((number, self.clock.now_ns()))

    def read(self, offset: int, size: int = 4) -> int:
        return self.space.load(BASE + offset, size)

    def write(self, offset: int, value: int, size: int = 4) -> None:
        self.space.store(BASE + offset, size, value)


@pytest.fixture
def machine() -> Machine:
    return Machine()


def test_the_capability_says_100_mhz_and_three_timers(machine: Machine) -> None:
    value = machine.read(CAPABILITY, 8)
    assert value >> 32 == 10_000_000  # femtoseconds
    assert (value >> 8 & 0x1F) + 1 == 3
    assert value >> 16 & 0xFFFF == 0x8086


def test_the_counter_counts_while_it_is_enabled(machine: Machine) -> None:
    machine.clock.advance(1000)
    assert machine.read(COUNTER, 8) == 0
    machine.write(COUNTER, 5)
    machine.write(CONFIG, ENABLE)
    machine.clock.advance(1230)
    assert machine.read(COUNTER, 8) == 5 + 123
    machine.write(CONFIG, 0)
    machine.clock.advance(5000)
    assert machine.read(COUNTER, 8) == 5 + 123
    machine.write(CONFIG, ENABLE)
    machine.clock.advance(10)
    assert machine.read(COUNTER, 8) == 5 + 124


def test_the_counter_has_64_bits(machine: Machine) -> None:
    machine.write(COUNTER, 0xFFFFFFFF, 4)
    machine.write(CONFIG, ENABLE)
    machine.clock.advance(20)
    assert machine.read(COUNTER, 8) == 0x1_0000_0001
    assert machine.read(COUNTER + 4) == 1


def test_one_shot(machine: Machine) -> None:
    machine.write(CONFIG, ENABLE)
    machine.write(timer(0), INTERRUPT | ROUTE_2)
    machine.write(timer(0) + 8, 1000, 8)
    machine.clock.advance(100_000)
    assert machine.rises == [(2, 10_000)]


@pytest.mark.parametrize("ahead", [0, 1, 2, 99])
@pytest.mark.parametrize("bits", [0, BITS_32])
def test_a_comparator_that_the_counter_has_passed_by_the_second_look_fires(
    ahead: int, bits: int
) -> None:
    clock, line, rises = BusyClock(look_ns=1000), IrqLine(), []
    line.connect(rises.append)
    hpet = Hpet(clock, [IrqLine(), IrqLine(), line])
    space = memory_of(hpet)
    space.store(BASE + CONFIG, 4, ENABLE)
    space.store(BASE + timer(0), 4, INTERRUPT | ROUTE_2 | bits)
    space.store(BASE + timer(0) + 12, 4, 0)
    for shots in range(1, 4):
        now = space.load(BASE + COUNTER, 4)
        space.store(BASE + timer(0) + 8, 4, now + ahead)
        clock.pass_time(100_000_000)
        assert rises.count(True) == shots


def test_arming_a_comparator_again_and_again_fires_once(machine: Machine) -> None:
    machine.write(CONFIG, ENABLE)
    machine.write(timer(0), INTERRUPT | ROUTE_2)
    for number in range(10_000):
        machine.write(timer(0) + 8, 1_000_000 + number)
        machine.write(timer(0) + 12, 0)
    machine.clock.advance(10 * 2_000_000)
    assert machine.rises == [(2, 10 * 1_009_999)]


def test_periods_that_a_late_timer_missed_are_one_interrupt(machine: Machine) -> None:
    machine.write(timer(0), INTERRUPT | PERIODIC | SET_VALUE | BITS_32 | ROUTE_2)
    machine.write(timer(0) + 8, 10_000)
    machine.write(timer(0) + 8, 10_000)
    machine.write(CONFIG, ENABLE)
    machine.clock.jump(1_050_000)  # ten and a half periods of 100 us
    assert machine.rises == [(2, 1_050_000)]
    assert machine.read(timer(0) + 8) == 110_000
    machine.clock.advance(60_000)
    assert machine.rises[1:] == [(2, 1_100_000)]


def test_a_timer_that_may_not_interrupt_does_not(machine: Machine) -> None:
    machine.write(CONFIG, ENABLE)
    machine.write(timer(0), ROUTE_2)
    machine.write(timer(0) + 8, 1000, 8)
    machine.clock.advance(100_000)
    assert machine.rises == []


def test_periodic(machine: Machine) -> None:
    machine.write(timer(1), INTERRUPT | PERIODIC | SET_VALUE | BITS_32 | ROUTE_2)
    machine.write(timer(1) + 8, 10_000)  # the first match, and with SET_VALUE gone, the period
    machine.write(timer(1) + 8, 5_000)
    machine.write(CONFIG, ENABLE)
    machine.clock.advance(260_000)
    assert machine.rises == [(2, 100_000), (2, 150_000), (2, 200_000), (2, 250_000)]


def test_a_period_too_short_for_the_host_is_stretched(machine: Machine) -> None:
    machine.write(timer(0), INTERRUPT | PERIODIC | SET_VALUE | BITS_32 | ROUTE_2)
    machine.write(timer(0) + 8, 1)
    machine.write(CONFIG, ENABLE)
    machine.clock.advance(1_000_000)
    assert 1 <= len(machine.rises) <= 50


def test_a_32_bit_timer_matches_the_low_half_and_the_wrap(machine: Machine) -> None:
    machine.write(COUNTER, 0xFFFFF000)
    machine.write(timer(0), INTERRUPT | BITS_32 | ROUTE_2)
    machine.write(CONFIG, ENABLE)
    machine.write(timer(0) + 8, 0x1000)
    machine.clock.advance(10 * 0x3000)
    assert machine.rises == [(2, 10 * 0xFFF), (2, 10 * 0x2000)]


def test_a_level_stays_until_its_status_bit_is_written(machine: Machine) -> None:
    machine.write(CONFIG, ENABLE)
    machine.write(timer(2), INTERRUPT | LEVEL | ROUTE_2)
    machine.write(timer(2) + 8, 100, 8)
    machine.clock.advance(1000)
    assert machine.lines[2].level
    assert machine.read(STATUS) == 1 << 2
    machine.write(STATUS, 0b011)
    assert machine.lines[2].level
    machine.write(STATUS, 0b100)
    assert not machine.lines[2].level
    assert machine.read(STATUS) == 0


def test_messages_go_where_the_message_register_says(machine: Machine) -> None:
    machine.write(CONFIG, ENABLE)
    machine.write(timer(0), INTERRUPT | MESSAGE)
    machine.write(timer(0) + 0x10, 0x4042)
    machine.write(timer(0) + 0x14, 0xFEE01000)
    machine.write(timer(0) + 8, 100, 8)
    machine.clock.advance(1000)
    assert machine.messages == [(0xFEE01000, 0x4042)]
    assert machine.rises == []


def test_legacy_replacement_takes_the_lines_of_pit_and_rtc(machine: Machine) -> None:
    hpet = machine.hpet
    hpet.rtc_input.set(True)
    assert machine.lines[8].level
    machine.write(CONFIG, ENABLE | LEGACY)
    assert not machine.lines[8].level
    assert not hpet.pit_enabled.level
    hpet.pit_input.set(True)
    assert not machine.lines[0].level
    for number in (0, 1):
        machine.write(timer(number), INTERRUPT)
        machine.write(timer(number) + 8, 100 + machine.read(COUNTER), 8)
    machine.rises.clear()
    machine.clock.advance(1000)
    assert machine.rises == [(0, 1000), (8, 1000)]
    machine.write(CONFIG, ENABLE)
    assert machine.lines[8].level
    assert hpet.pit_enabled.level


def test_routes_to_lines_that_are_not_there_go_nowhere(machine: Machine) -> None:
    machine.write(CONFIG, ENABLE)
    machine.write(timer(0), INTERRUPT | 31 << 9)
    machine.write(timer(0) + 8, 100, 8)
    machine.clock.advance(1000)
    assert machine.rises == []


def test_reset_stops_everything(machine: Machine) -> None:
    machine.write(CONFIG, ENABLE | LEGACY)
    machine.write(timer(2), INTERRUPT | LEVEL | ROUTE_2)
    machine.write(timer(2) + 8, 100, 8)
    machine.clock.advance(1000)
    machine.hpet.reset()
    assert not machine.lines[2].level
    assert machine.hpet.pit_enabled.level
    assert machine.read(COUNTER, 8) == 0
    assert machine.clock.next_deadline_ns() is None


def test_no_access_raises(machine: Machine) -> None:
    rng = random.Random(3)
    for is_write, offset, size, value in random_accesses(machine.hpet.regions[0], rng, 20_000):
        if rng.random() < 0.5:
            offset = rng.choice([CONFIG, COUNTER, *range(0x100, 0x180, 4)])
        if is_write:
            machine.write(offset, value, size)
            machine.clock.advance(rng.choice([0, 10, 1000, 100_000]))
        else:
            assert 0 <= machine.read(offset, size) < 1 << 8 * size


@pytest.mark.qemu
@pytest.mark.qemu_7_2("its timer's registers")
@pytest.mark.parametrize("seed", range(4))
def test_random_traffic_is_answered_as_qemu_does(machine: Machine, seed: int) -> None:
    rng = random.Random(seed)
    registers = [0, 4, CONFIG, CONFIG, CONFIG + 4, STATUS, COUNTER, COUNTER + 4]
    registers += [*range(0x100, 0x180, 4)] * 2
    everything = [f"readl {BASE + offset:#x}" for offset in range(0, 0x400, 4)]
    with Qemu("-m", "16M") as qemu:
        for step in range(300):
            if rng.random() < 0.02:
                qemu.qmp("system_reset")
                qemu.wait_event("RESET")
                machine.hpet.reset()
            else:
                offset = rng.choice([*registers, rng.randrange(0x400)])
                size = rng.choice([4, 4, 4, 4, 8, 1, 2])
                value = rng.getrandbits(rng.choice([3, 7, 15, 64])) & (1 << 8 * size) - 1
                qemu.store(BASE + offset, size, value)
                machine.write(offset, value, size)
            theirs = [int(reply, 16) for reply in qemu.qtest_many(everything)]
            assert [machine.read(offset) for offset in range(0, 0x400, 4)] == theirs, f"step {step}"
