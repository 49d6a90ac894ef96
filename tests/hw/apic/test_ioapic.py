"""The I/O APIC: its windows, its inputs, and both against QEMU's."""

from __future__ import annotations

import random

import pytest

from guestmap.hw.apic.ioapic import IoApic
from guestmap.hw.apic.message import DeliveryMode, InterruptMessage
from guestmap.memory import AddressSpace
from tests.support.bus import memory_of, random_accesses
from tests.support.qemu import Qemu

BASE = 0xFEC00000
MASKED, LEVEL, LOGICAL = 1 << 16, 1 << 15, 1 << 11
REMOTE_IRR = 1 << 14


class Machine:
    """An I/O APIC on a bus, and what it has sent."""

    def __init__(self) -> None:
        self.sent: list[InterruptMessage] = []
        self.ioapic = IoApic(self.sent.append)
        self.space: AddressSpace = memory_of(self.ioapic)

    def read(self, register: int) -> int:
        self.space.store(BASE, 4, register)
        return self.space.load(BASE + 0x10, 4)

    def write(self, register: int, value: int) -> None:
        self.space.store(BASE, 4, register)
        self.space.store(BASE + 0x10, 4, value)

    def program(self, pin: int, low: int, high: int = 0) -> None:
        self.write(0x11 + 2 * pin, high)
        self.write(0x10 + 2 * pin, low)


@pytest.fixture
def machine() -> Machine:
    return Machine()


def test_every_entry_is_masked_after_reset(machine: Machine) -> None:
    machine.program(5, 0x45, 0x07000000)
    machine.write(0, 0x0F000000)
    machine.ioapic.reset()
    assert machine.read(0) == 0
    assert [machine.read(0x10 + i) for i in range(48)] == [MASKED, 0] * 24


def test_an_edge_is_sent_once(machine: Machine) -> None:
    machine.program(5, 0x45 | LOGICAL, 0x07000000)
    line = machine.ioapic.inputs[5]
    line.set(True)
    line.set(False)
    assert machine.sent == [InterruptMessage(7, True, DeliveryMode.FIXED, 0x45, False)]
    line.set(True)
    assert len(machine.sent) == 2


def test_an_edge_that_meets_a_masked_entry_is_lost(machine: Machine) -> None:
    machine.program(5, 0x45 | MASKED)
    machine.ioapic.inputs[5].set(True)
    machine.program(5, 0x45)
    assert machine.sent == []


def test_a_level_that_meets_a_masked_entry_waits(machine: Machine) -> None:
    machine.program(5, 0x45 | MASKED | LEVEL)
    machine.ioapic.inputs[5].set(True)
    assert machine.sent == []
    machine.program(5, 0x45 | LEVEL)
    assert [message.vector for message in machine.sent] == [0x45]


def test_a_level_is_sent_again_after_its_eoi_only(machine: Machine) -> None:
    machine.program(9, 0x59 | LEVEL)
    line = machine.ioapic.inputs[9]
    line.set(True)
    line.set(False)
    line.set(True)
    assert len(machine.sent) == 1
    assert machine.read(0x10 + 18) & REMOTE_IRR
    machine.ioapic.end_of_interrupt(0x58)
    assert len(machine.sent) == 1
    machine.ioapic.end_of_interrupt(0x59)
    assert len(machine.sent) == 2
    line.set(False)
    machine.space.store(BASE + 0x40, 4, 0x59)  # the same, through the EOI register
    assert len(machine.sent) == 2
    assert not machine.read(0x10 + 18) & REMOTE_IRR


def test_the_isa_timer_arrives_at_pin_2(machine: Machine) -> None:
    machine.program(0, 0x40)
    machine.program(2, 0x42)
    machine.ioapic.inputs[0].set(True)
    assert [message.vector for message in machine.sent] == [0x42]


def test_an_extint_entry_sends_the_pics_vector(machine: Machine) -> None:
    machine.ioapic.pic_acknowledge = lambda: 0x08
    machine.program(3, 7 << 8 | 0x45)
    machine.ioapic.inputs[3].set(True)
    assert machine.sent == [InterruptMessage(0, False, DeliveryMode.EXT_INT, 0x08, False)]


def test_inputs_that_are_not_there(machine: Machine) -> None:
    for line in (-1, 24, 1000):
        machine.ioapic.set_irq(line, True)
    assert machine.ioapic.irr == 0


def test_no_access_raises(machine: Machine) -> None:
    rng = random.Random(7)
    accesses = random_accesses(machine.ioapic.regions[0], rng, 20_000)
    for is_write, offset, size, value in accesses:
        if is_write:
            machine.space.store(BASE + offset, size, value)
            machine.ioapic.set_irq(rng.randrange(24), bool(value & 1))
        else:
            assert 0 <= machine.space.load(BASE + offset, size) < 1 << 8 * size


@pytest.mark.qemu
@pytest.mark.parametrize("seed", range(3))
def test_random_traffic_is_answered_as_qemu_does(machine: Machine, seed: int) -> None:
    rng = random.Random(seed)
    space = machine.space
    with Qemu("-m", "16M") as qemu:

        def store(offset: int, size: int, value: int) -> None:
            qemu.store(BASE + offset, size, value)
            space.store(BASE + offset, size, value)

        def entries() -> tuple[list[int], list[int]]:
            ours, commands = [], []
            for register in (0, 1, 2, 3, *range(0x10, 0x41)):
                commands += [f"writel {BASE:#x} {register}", f"readl {BASE + 0x10:#x}"]
                ours.append(machine.read(register))
            return ours, [int(reply, 16) for reply in qemu.qtest_many(commands)[1::2]]

        for step in range(300):
            what = rng.random()
            if what < 0.5:
                store(0, 4, rng.choice([0, 1, 2, 3, *range(0x10, 0x41), 0xFF]))
                entry = rng.getrandbits(8) | rng.choice([0, LEVEL]) | rng.choice([0, 1, 7]) << 8
                store(0x10, 4, rng.choice([rng.getrandbits(32), entry, MASKED]))
            elif what < 0.6:
                size = rng.choice([1, 2, 4, 8])
                store(rng.randrange(0x400), size, rng.getrandbits(8 * size))
            elif what < 0.7:
                store(0x40, 4, rng.choice(machine.ioapic.redirection) & 0xFF)
            else:
                line, level = rng.randrange(24), rng.random() < 0.6
                path = "/machine/i440fx/ioapic unnamed-gpio-in"
                qemu.qtest(f"set_irq_in {path} {line} {int(level)}")
                machine.ioapic.set_irq(line, level)
            ours, theirs = entries()
            assert ours == theirs, f"step {step}"
            offset, size = rng.randrange(0x1000), rng.choice([1, 2, 4, 8])
            assert space.load(BASE + offset, size) == qemu.load(BASE + offset, size)
