"""The interrupt controller pair: initialization, priorities, ends of interrupt, acknowledge.

Expected values follow the Intel 8259A data sheet; random traffic is held to QEMU elsewhere.
"""

from __future__ import annotations

import pytest

from guestmap.hw.i8259 import I8259Pair
from tests.hw.device_traffic import Bench

MASTER, SLAVE = 0x20, 0xA0
EOI, SPECIFIC_EOI, ROTATE_ON_EOI = 0x20, 0x60, 0xA0
READ_IRR, READ_ISR, POLL, SPECIAL_MASK, NO_SPECIAL_MASK = 0x0A, 0x0B, 0x0C, 0x68, 0x48


class Pc(Bench):
    """A pair that a BIOS has set up: vectors 08h and 70h, nothing masked."""

    def __init__(self, *, icw4: int = 0x01) -> None:
        super().__init__()
        self.pair = I8259Pair()
        self.place(*self.pair.chips)
        for port, vector, cascade in ((MASTER, 0x08, 0x04), (SLAVE, 0x70, 0x02)):
            self.outb(port, 0x11)
            for word in (vector, cascade, icw4, 0x00):
                self.outb(port + 1, word)

    def raise_irq(self, *numbers: int) -> None:
        for number in numbers:
            self.pair.irq[number].set(True)

    def isr(self, port: int) -> int:
        self.outb(port, READ_ISR)
        return self.inb(port)

    def irr(self, port: int) -> int:
        self.outb(port, READ_IRR)
        return self.inb(port)


@pytest.fixture
def pc() -> Pc:
    return Pc()


def test_a_request_raises_intr_and_the_acknowledge_gives_its_vector(pc: Pc) -> None:
    assert not pc.pair.pending
    pc.raise_irq(1)
    assert pc.pair.pending
    assert pc.pair.intr.level
    assert pc.pair.acknowledge() == 0x09
    assert not pc.pair.pending
    assert (pc.isr(MASTER), pc.irr(MASTER)) == (0x02, 0x00)


def test_lower_lines_wait_for_the_end_of_interrupt(pc: Pc) -> None:
    pc.raise_irq(3)
    assert pc.pair.acknowledge() == 0x0B
    pc.raise_irq(4)
    assert not pc.pair.pending
    pc.raise_irq(0)
    assert pc.pair.acknowledge() == 0x08
    pc.outb(MASTER, EOI)
    assert pc.isr(MASTER) == 0x08
    assert not pc.pair.pending
    pc.outb(MASTER, EOI)
    assert pc.pair.acknowledge() == 0x0C


def test_a_masked_line_is_remembered(pc: Pc) -> None:
    pc.outb(MASTER + 1, 0x20)
    pc.raise_irq(5)
    assert not pc.pair.pending
    assert pc.irr(MASTER) == 0x20
    pc.outb(MASTER + 1, 0x00)
    assert pc.pair.acknowledge() == 0x0D


def test_an_edge_counts_once(pc: Pc) -> None:
    pc.raise_irq(5)
    pc.pair.acknowledge()
    pc.outb(MASTER, EOI)
    assert not pc.pair.pending
    pc.pair.irq[5].set(False)
    pc.raise_irq(5)
    assert pc.pair.pending


def test_a_level_triggered_line_asks_until_it_drops(pc: Pc) -> None:
    pc.outb(0x4D0, 0x20)
    pc.raise_irq(5)
    pc.pair.acknowledge()
    pc.outb(MASTER, EOI)
    assert pc.pair.acknowledge() == 0x0D
    pc.pair.irq[5].set(False)
    pc.outb(MASTER, EOI)
    assert not pc.pair.pending


def test_lines_that_are_always_edge_triggered_stay_so(pc: Pc) -> None:
    pc.outb(0x4D0, 0xFF)
    pc.outb(0x4D1, 0xFF)
    assert (pc.inb(0x4D0), pc.inb(0x4D1)) == (0xF8, 0xDE)


def test_the_second_chip_goes_through_line_2(pc: Pc) -> None:
    pc.raise_irq(12)
    assert pc.irr(MASTER) == 0x04
    assert pc.pair.acknowledge() == 0x74
    assert (pc.isr(MASTER), pc.isr(SLAVE)) == (0x04, 0x10)
    pc.raise_irq(3)
    assert not pc.pair.pending
    pc.outb(SLAVE, EOI)
    pc.outb(MASTER, EOI)
    assert pc.pair.acknowledge() == 0x0B


def test_a_request_that_is_gone_gives_line_7(pc: Pc) -> None:
    pc.outb(0x4D0, 0x08)
    pc.raise_irq(3)
    pc.pair.irq[3].set(False)
    assert pc.pair.acknowledge() == 0x0F
    assert pc.isr(MASTER) == 0


def test_a_request_that_is_gone_from_the_second_chip_gives_its_line_7(pc: Pc) -> None:
    pc.outb(0x4D1, 0x02)
    pc.raise_irq(9)
    pc.pair.irq[9].set(False)
    assert pc.pair.pending  # line 2 of the first chip is edge-triggered
    assert pc.pair.acknowledge() == 0x77
    assert (pc.isr(MASTER), pc.isr(SLAVE)) == (0x04, 0x00)


def test_a_poll_is_an_acknowledge(pc: Pc) -> None:
    pc.raise_irq(6)
    pc.outb(MASTER, POLL)
    assert pc.inb(MASTER) == 0x86
    assert pc.isr(MASTER) == 0x40
    pc.outb(MASTER, POLL)
    assert pc.inb(MASTER) == 0x00


def test_automatic_end_of_interrupt_leaves_nothing_in_service() -> None:
    pc = Pc(icw4=0x03)
    pc.raise_irq(4)
    assert pc.pair.acknowledge() == 0x0C
    assert pc.isr(MASTER) == 0


def test_rotation_makes_the_served_line_the_last(pc: Pc) -> None:
    pc.raise_irq(3)
    pc.pair.acknowledge()
    pc.outb(MASTER, ROTATE_ON_EOI)
    pc.raise_irq(0, 4)
    assert pc.pair.acknowledge() == 0x0C
    pc.outb(MASTER, EOI)
    assert pc.pair.acknowledge() == 0x08


def test_rotation_works_with_automatic_end_of_interrupt() -> None:
    pc = Pc(icw4=0x03)
    pc.outb(MASTER, 0x80)
    pc.raise_irq(3)
    pc.pair.acknowledge()
    pc.raise_irq(0, 4)
    assert [pc.pair.acknowledge(), pc.pair.acknowledge()] == [0x0C, 0x08]


def test_set_priority_names_the_last_line(pc: Pc) -> None:
    pc.outb(MASTER, 0xC0 | 4)
    pc.raise_irq(0, 5)
    assert pc.pair.acknowledge() == 0x0D


def test_a_specific_end_of_interrupt_names_its_line(pc: Pc) -> None:
    pc.raise_irq(5)
    pc.pair.acknowledge()
    pc.raise_irq(1)
    pc.pair.acknowledge()
    pc.outb(MASTER, SPECIFIC_EOI | 5)
    assert pc.isr(MASTER) == 0x02


def test_special_mask_mode_lets_lower_lines_through(pc: Pc) -> None:
    pc.raise_irq(1)
    pc.pair.acknowledge()
    pc.outb(MASTER + 1, 0x02)
    pc.raise_irq(4)
    assert not pc.pair.pending
    pc.outb(MASTER, SPECIAL_MASK)
    pc.raise_irq(6)  # any change makes the chip look again
    assert pc.pair.acknowledge() == 0x0C
    pc.outb(MASTER, NO_SPECIAL_MASK)
    pc.outb(MASTER, EOI)
    assert pc.isr(MASTER) == 0x10  # the highest one ended, masked or not


def test_icw1_starts_over(pc: Pc) -> None:
    pc.raise_irq(1, 3)
    pc.pair.acknowledge()
    pc.outb(MASTER + 1, 0xF0)
    pc.outb(MASTER, 0x11)
    assert not pc.pair.pending
    for word in (0x20, 0x04, 0x01):
        pc.outb(MASTER + 1, word)
    assert (pc.inb(MASTER + 1), pc.isr(MASTER), pc.irr(MASTER)) == (0, 0, 0)


def test_reset_forgets_everything(pc: Pc) -> None:
    pc.outb(0x4D0, 0x20)
    pc.raise_irq(1, 5, 9)
    pc.pair.acknowledge()
    pc.pair.reset()
    assert not pc.pair.pending
    assert (pc.inb(MASTER), pc.inb(SLAVE), pc.inb(MASTER + 1), pc.inb(0x4D0)) == (0, 0, 0, 0)
