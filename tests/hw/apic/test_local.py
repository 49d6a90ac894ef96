"""Local APICs: priority, the PIC's wire, the timer, and who gets a message."""

from __future__ import annotations

import random

import pytest

from guestmap.base import ManualClock
from guestmap.hw.apic.bus import ApicBus
from guestmap.hw.apic.local import LocalApic
from guestmap.hw.apic.message import DeliveryMode, InterruptMessage
from guestmap.hw.apic.timer import LapicTimer
from guestmap.memory import AddressSpace
from tests.support.bus import memory_of, random_accesses
from tests.support.clocks import BusyClock

PAGE = 0xFEE00000
ID, VERSION, TPR, PPR, EOI, LDR, DFR, SVR = 0x20, 0x30, 0x80, 0xA0, 0xB0, 0xD0, 0xE0, 0xF0
TMR, ICR, ICR_HIGH, LVT_TIMER, LINT0 = 0x180, 0x300, 0x310, 0x320, 0x350
INITIAL_COUNT, CURRENT_COUNT, DIVIDE = 0x380, 0x390, 0x3E0
ENABLED = 0x1FF
EXT_INT, MASKED, PERIODIC, LEVEL = 7 << 8, 1 << 16, 1 << 17, 1 << 15


class Machine:
    """Some CPUs' APICs on a bus; the first CPU makes the accesses."""

    def __init__(self, apic_ids: tuple[int, ...] = (0,)) -> None:
        self.clock = ManualClock()
        self.bus = ApicBus(self.clock, apic_ids)
        self.bus.current = 0
        self.space: AddressSpace = memory_of(self.bus)
        self.apic: LocalApic = self.bus.apics[0]

    def read(self, register: int) -> int:
        return self.space.load(PAGE + register, 4)

    def write(self, register: int, value: int) -> None:
        self.space.store(PAGE + register, 4, value)

    def enable(self) -> None:
        for cpu in range(len(self.bus.apics)):
            self.bus.current = cpu
            self.write(SVR, ENABLED)
        self.bus.current = 0

    def pending(self) -> list[int]:
        """Which CPUs have an interrupt to take."""
        return [apic.cpu for apic in self.bus.apics if apic.intr.level]


@pytest.fixture
def machine() -> Machine:
    machine = Machine()
    machine.enable()
    return machine


def no_pic() -> int:
    raise AssertionError("the PIC was asked")


def fixed(vector: int, *, level: bool = False) -> InterruptMessage:
    return InterruptMessage(0, False, DeliveryMode.FIXED, vector, level)


# Taking interrupts


def test_the_highest_vector_comes_first_and_hides_its_own_class(machine: Machine) -> None:
    for vector in (0x31, 0x52, 0x58, 0x61):
        machine.bus.deliver(fixed(vector))
    assert machine.apic.acknowledge(no_pic) == 0x61
    assert machine.read(PPR) == 0x60
    assert not machine.apic.intr.level
    machine.write(EOI, 0)
    assert machine.apic.intr.level
    assert machine.apic.acknowledge(no_pic) == 0x58
    assert not machine.apic.intr.level
    machine.write(EOI, 0)
    assert machine.apic.acknowledge(no_pic) == 0x52


def test_task_priority_holds_back(machine: Machine) -> None:
    machine.write(TPR, 0x50)
    machine.bus.deliver(fixed(0x5F))
    assert not machine.apic.intr.level
    machine.write(TPR, 0x4F)
    assert machine.apic.intr.level


def test_an_interrupt_that_lost_to_a_new_priority_is_spurious(machine: Machine) -> None:
    machine.write(SVR, 0x1EF)
    machine.bus.deliver(fixed(0x51))
    machine.write(TPR, 0xF0)
    assert machine.apic.acknowledge(no_pic) == 0xEF
    machine.write(TPR, 0)
    assert machine.apic.acknowledge(no_pic) == 0x51


def test_nothing_pending_is_nothing(machine: Machine) -> None:
    assert machine.apic.acknowledge(no_pic) is None


def test_a_disabled_apic_keeps_what_arrives_for_later() -> None:
    machine = Machine()
    machine.bus.deliver(fixed(0x41))
    assert not machine.apic.intr.level
    machine.write(SVR, ENABLED)
    assert machine.apic.intr.level


def test_the_end_of_a_level_interrupt_is_told(machine: Machine) -> None:
    ended: list[int] = []
    machine.bus.broadcast_eoi = ended.append
    for level in (False, True):
        machine.bus.deliver(fixed(0x45, level=level))
        machine.apic.acknowledge(no_pic)
        machine.write(EOI, 0)
    assert ended == [0x45]


# The PIC


def test_the_pic_is_not_heard_before_firmware_sets_lint0(machine: Machine) -> None:
    machine.bus.set_pic_intr(True)
    assert not machine.apic.intr.level
    machine.write(LINT0, EXT_INT | LEVEL)
    assert machine.apic.accepts_pic
    assert machine.apic.intr.level
    assert machine.apic.acknowledge(lambda: 0x08) == 0x08
    machine.bus.set_pic_intr(False)
    assert not machine.apic.intr.level


def test_the_pic_knows_no_priority(machine: Machine) -> None:
    machine.write(LINT0, EXT_INT)
    machine.write(TPR, 0xFF)
    machine.bus.deliver(fixed(0xF1))
    machine.bus.set_pic_intr(True)
    assert machine.apic.acknowledge(lambda: 0x08) == 0x08


def test_an_apic_that_is_switched_off_lets_the_pic_through() -> None:
    machine = Machine()
    machine.apic.set_base(0xFEE00000)
    machine.bus.set_pic_intr(True)
    assert machine.apic.acknowledge(lambda: 0x0F) == 0x0F
    machine.apic.set_base(0xFEE00800)
    assert not machine.apic.base & 0x800  # off until reset


def test_lint0_may_have_a_vector_of_its_own(machine: Machine) -> None:
    machine.write(LINT0, 0x77)
    machine.bus.set_pic_intr(True)
    assert machine.apic.acknowledge(no_pic) == 0x77
    machine.write(LINT0, EXT_INT | MASKED)
    assert not machine.apic.intr.level


@pytest.mark.parametrize(("entry", "is_level"), [(0x77, False), (0x77 | LEVEL, True)])
def test_lint0_is_an_edge_or_a_level_as_its_entry_says(
    machine: Machine, entry: int, is_level: bool
) -> None:
    """Which it was stands in the trigger mode register (SDM volume 3, "EOI Register")."""
    machine.write(LINT0, entry)
    machine.bus.set_pic_intr(True)
    assert machine.read(TMR + 0x10 * (0x77 // 32)) == is_level << 0x77 % 32


# Time


def test_the_timer_counts_down_in_nanoseconds(machine: Machine) -> None:
    machine.write(DIVIDE, 0b1011)  # by 1
    machine.write(INITIAL_COUNT, 1000)
    machine.clock.advance(300)
    assert machine.read(CURRENT_COUNT) == 700
    machine.clock.advance(5000)
    assert machine.read(CURRENT_COUNT) == 0


@pytest.mark.parametrize(
    ("configuration", "divisor"),
    [(0, 2), (1, 4), (2, 8), (3, 16), (8, 32), (9, 64), (10, 128), (11, 1)],
)
def test_the_divider(machine: Machine, configuration: int, divisor: int) -> None:
    machine.write(DIVIDE, configuration)
    machine.write(INITIAL_COUNT, 1000)
    machine.clock.advance(10 * divisor)
    assert machine.read(CURRENT_COUNT) == 990


def test_one_shot(machine: Machine) -> None:
    machine.write(DIVIDE, 0b1011)
    machine.write(LVT_TIMER, 0x40)
    machine.write(INITIAL_COUNT, 1000)
    machine.clock.advance(1000)
    assert not machine.apic.intr.level
    machine.clock.advance(1)
    assert machine.apic.acknowledge(no_pic) == 0x40
    machine.write(EOI, 0)
    machine.clock.advance(1_000_000)
    assert not machine.apic.intr.level


def test_periodic(machine: Machine) -> None:
    machine.write(DIVIDE, 0b1011)
    machine.write(LVT_TIMER, 0x40 | PERIODIC)
    machine.write(INITIAL_COUNT, 99_999)
    times = []
    for _ in range(350):
        machine.clock.advance(1000)
        if machine.apic.intr.level:
            times.append(machine.clock.now_ns())
            assert machine.apic.acknowledge(no_pic) == 0x40
            machine.write(EOI, 0)
    assert times == [100_000, 200_000, 300_000]
    assert machine.read(CURRENT_COUNT) == 49_999


def test_a_masked_timer_counts_and_says_nothing(machine: Machine) -> None:
    machine.write(LVT_TIMER, 0x40 | MASKED)
    machine.write(INITIAL_COUNT, 1000)
    machine.clock.advance(500)
    assert 0 < machine.read(CURRENT_COUNT) < 1000
    machine.clock.advance(100_000)
    assert not machine.apic.intr.level
    assert machine.clock.next_deadline_ns() is None


def test_a_period_too_short_for_the_host_is_stretched(machine: Machine) -> None:
    fired: list[bool] = []
    machine.apic.intr.connect(fired.append)
    machine.write(LVT_TIMER, 0x40 | PERIODIC)
    machine.write(INITIAL_COUNT, 1)
    for _ in range(10):
        machine.clock.advance(100_000)
        machine.apic.acknowledge(no_pic)
        machine.write(EOI, 0)
    assert 1 < fired.count(True) <= 51


@pytest.mark.parametrize("mode", [0x40, 0x40 | PERIODIC])
@pytest.mark.parametrize(("count", "divide"), [(0, 11), (1, 11), (62, 11), (62, 3), (999, 11)])
def test_a_count_that_is_over_by_the_second_look_at_the_clock_fires(
    count: int, divide: int, mode: int
) -> None:
    """A busy host takes a microsecond from look to look; Linux loads less when it is late."""
    clock, fired = BusyClock(look_ns=1000), []
    timer = LapicTimer(clock, lambda: fired.append(clock.time_ns))
    timer.set_mode(mode)
    timer.set_divide(divide)
    for shots in range(1, 4):
        timer.start(count)
        clock.pass_time(10**9)
        clock.pass_time(10**9)
        assert len(fired) == (0 if not count else 2 * shots if mode & PERIODIC else shots)


def test_a_shot_that_is_due_survives_a_change_of_its_vector_and_no_other(machine: Machine) -> None:
    for entry, comes in ((0x41, True), (0x41 | MASKED, False)):
        machine.write(DIVIDE, 0b1011)
        machine.write(LVT_TIMER, 0x40)
        machine.write(INITIAL_COUNT, 1000)
        machine.bus.apics[0].intr.set(False)
        machine.clock.advance(1000)  # the count is 0; the interrupt comes with the next tick
        machine.write(LVT_TIMER, entry)
        machine.clock.advance(10)
        assert machine.apic.acknowledge(no_pic) == (0x41 if comes else None)
        machine.write(EOI, 0)


def test_unmasking_in_time_lets_a_count_interrupt_and_too_late_does_not(machine: Machine) -> None:
    for wait, comes in ((500, True), (1000, False)):
        machine.write(DIVIDE, 0b1011)
        machine.write(LVT_TIMER, 0x40 | MASKED)
        machine.write(INITIAL_COUNT, 1000)
        machine.clock.advance(wait)
        machine.write(LVT_TIMER, 0x40)
        machine.clock.advance(10_000)
        assert machine.apic.acknowledge(no_pic) == (0x40 if comes else None)
        machine.write(EOI, 0)


# Registers


@pytest.mark.parametrize(
    ("register", "kept"),
    [(ID, 0x89000000), (TPR, 0xEF), (LDR, 0x89000000), (DFR, 0x8FFFFFFF), (SVR, 0x1EF),
     (ICR_HIGH, 0x89ABCDEF), (INITIAL_COUNT, 0x89ABCDEF), (DIVIDE, 0xB), (VERSION, None),
     (PPR, None), (0x90, None), (EOI, None), (0x280, None), (CURRENT_COUNT, None),
     *((0x100 + 0x10 * n, None) for n in range(24)),
     *((LVT_TIMER + 0x10 * n, 0x89ABCDEF) for n in range(6))],
)  # fmt: skip
def test_what_a_register_keeps(register: int, kept: int | None) -> None:
    """Widths of the SDM's figures; as in QEMU local vectors keep every bit."""
    machine = Machine()
    before = machine.read(register)
    machine.write(register, 0x89ABCDEF)
    assert machine.read(register) == (before if kept is None else kept)


# Messages between CPUs


def test_every_cpu_sees_its_own_registers() -> None:
    machine = Machine((0, 2, 5))
    for cpu, apic_id in enumerate((0, 2, 5)):
        machine.bus.current = cpu
        assert machine.read(ID) == apic_id << 24


def test_an_access_by_nobody_reads_0_and_writes_messages_only(machine: Machine) -> None:
    machine.bus.current = None
    assert machine.read(VERSION) == 0
    machine.write(TPR, 0xFF)
    assert machine.apic.tpr == 0
    machine.write(0, 0x51)
    assert machine.apic.acknowledge(no_pic) == 0x51


@pytest.mark.parametrize(
    ("shorthand", "destination", "logical", "receivers"),
    [
        (0, 1, False, [1]),
        (0, 0xFF, False, [0, 1, 2]),
        (0, 9, False, []),
        (0, 0b110, True, [1, 2]),
        (1, 2, False, [0]),
        (2, 2, False, [0, 1, 2]),
        (3, 0, False, [1, 2]),
    ],
)
def test_interprocessor_interrupts(
    shorthand: int, destination: int, logical: bool, receivers: list[int]
) -> None:
    machine = Machine((0, 1, 2))
    machine.enable()
    for cpu in range(3):
        machine.bus.current = cpu
        machine.write(LDR, 1 << 24 + cpu)
    machine.bus.current = 0
    machine.write(ICR_HIGH, destination << 24)
    machine.write(ICR, shorthand << 18 | logical << 11 | 0x44)
    assert machine.pending() == receivers


def test_the_cluster_model() -> None:
    machine = Machine((0, 1, 2))
    machine.enable()
    for cpu, logical_id in enumerate((0x11, 0x12, 0x21)):
        machine.bus.current = cpu
        machine.write(DFR, 0)
        machine.write(LDR, logical_id << 24)
    machine.bus.deliver(InterruptMessage(0x13, True, DeliveryMode.FIXED, 0x44, False))
    assert machine.pending() == [0, 1]


def test_lowest_priority_goes_to_one() -> None:
    machine = Machine((0, 1, 2))
    machine.enable()
    machine.bus.deliver(InterruptMessage(0xFF, False, DeliveryMode.LOWEST_PRIORITY, 0x44, False))
    assert len(machine.pending()) == 1


def test_start_up_init_and_nmi_reach_their_cpu() -> None:
    machine = Machine((0, 1))
    machine.enable()
    events: list[tuple[str, int | bool]] = []
    other = machine.bus.apics[1]
    other.startup = lambda vector: events.append(("startup", vector))
    other.init.connect(lambda level: events.append(("init", level)))
    other.nmi.connect(lambda level: events.append(("nmi", level)))
    machine.write(ICR_HIGH, 1 << 24)
    machine.write(ICR, 5 << 8 | 1 << 14 | LEVEL)  # INIT, assert
    assert other.svr == 0xFF
    machine.write(ICR, 5 << 8 | LEVEL)  # INIT, de-assert: says nothing
    machine.write(ICR, 6 << 8 | 0x9F)
    machine.write(ICR, 4 << 8)
    assert events == [
        ("init", True), ("init", False), ("startup", 0x9F), ("nmi", True), ("nmi", False),
    ]  # fmt: skip


def test_no_access_raises() -> None:
    machine = Machine((0, 1, 2))
    rng = random.Random(5)
    for is_write, offset, size, value in random_accesses(machine.bus.regions[0], rng, 30_000):
        if rng.random() < 0.7:
            offset &= 0x3FF
        machine.bus.current = rng.choice([None, 0, 0, 1, 2, 3, -1])
        if is_write:
            machine.space.store(PAGE + offset, size, value)
            machine.clock.advance(rng.choice([0, 1000]))
        else:
            assert 0 <= machine.space.load(PAGE + offset, size) < 1 << 8 * size
        machine.bus.set_pic_intr(bool(value & 2))
        apic = rng.choice(machine.bus.apics)
        vector = apic.acknowledge(lambda: 0x20)
        assert vector is None or 0 <= vector <= 0xFF
