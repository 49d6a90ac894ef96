"""The floppy controller without drives: how a guest finds out.

Random command traffic is held to QEMU elsewhere; here are the conversations that guests have.
"""

from __future__ import annotations

import pytest

from guestmap.hw.fdc import Fdc
from guestmap.hw.fdc.commands import COMMANDS, INVALID, find_command
from tests.hw.device_traffic import Bench

DOR, TAPE, STATUS, FIFO, CONTROL = 0x3F2, 0x3F3, 0x3F4, 0x3F5, 0x3F7
READY, TO_HOST, BUSY = 0x80, 0x40, 0x10


class Floppy(Bench):
    def __init__(self) -> None:
        super().__init__()
        self.irq = self.line(6)
        self.fdc = Fdc(self.clock, self.irq)
        self.place(self.fdc)

    def command(self, *values: int) -> list[int]:
        """Send a command and return its result."""
        for value in values:
            assert self.inb(STATUS) & (READY | TO_HOST) == READY
            self.outb(FIFO, value)
        return self.result()

    def result(self) -> list[int]:
        result = []
        while self.inb(STATUS) & (READY | TO_HOST) == READY | TO_HOST:
            result.append(self.inb(FIFO))
        return result

    def reset(self) -> None:
        self.outb(DOR, 0x00)
        self.outb(DOR, 0x0C)
        for drive in range(4):
            assert self.command(0x08) == [0xC0 + drive, 0]


@pytest.fixture
def floppy() -> Floppy:
    floppy = Floppy()
    floppy.reset()
    return floppy


def test_registers_after_reset() -> None:
    floppy = Floppy()
    assert [floppy.inb(port) for port in (0x3F1, DOR, TAPE, STATUS, FIFO, CONTROL)] == [
        0xC0, 0x0C, 0x00, 0x80, 0x00, 0x80,
    ]  # fmt: skip
    assert floppy.inb(0x3F0) == 0xFF


def test_leaving_reset_interrupts_and_each_drive_tells() -> None:
    floppy = Floppy()
    floppy.outb(DOR, 0x00)
    assert not floppy.irq.level
    floppy.outb(DOR, 0x0C)
    assert floppy.irq.level
    assert floppy.command(0x08) == [0xC0, 0]
    assert not floppy.irq.level
    assert [floppy.command(0x08)[0] for _ in range(4)] == [0xC1, 0xC2, 0xC3, 0x80]


@pytest.mark.parametrize("reset", [0x80, 0x40])
def test_the_data_rate_register_can_reset(floppy: Floppy, reset: int) -> None:
    floppy.outb(STATUS, reset)
    assert floppy.irq.level
    assert floppy.command(0x08) == [0xC0, 0]


def test_it_is_an_82078_of_a_kind(floppy: Floppy) -> None:
    assert floppy.command(0x10) == [0x90]
    assert floppy.command(0x18) == [0x41]


def test_recalibrate_finds_track_0(floppy: Floppy) -> None:
    assert floppy.command(0x07, 0x01) == []
    assert floppy.irq.level
    assert floppy.command(0x08) == [0x21, 0]
    assert floppy.command(0x08) == [0x80]


def test_a_read_ends_at_once(floppy: Floppy) -> None:
    for value in (0xE6, 0x00, 0x02, 0x01, 0x03, 0x02, 0x12, 0x1B):
        floppy.outb(FIFO, value)
        assert floppy.inb(STATUS) == READY | BUSY
    floppy.outb(FIFO, 0xFF)
    assert floppy.irq.level
    assert floppy.inb(STATUS) == READY | TO_HOST | BUSY
    assert floppy.result() == [0x40, 0, 0, 2, 1, 3, 2]
    assert not floppy.irq.level


def test_read_id_takes_its_time(floppy: Floppy) -> None:
    assert floppy.command(0x4A, 0x04) == []
    assert floppy.inb(STATUS) == BUSY
    floppy.clock.advance(19_999_999)
    assert not floppy.irq.level
    floppy.clock.advance(1)
    assert floppy.irq.level
    assert floppy.result() == [0x04, 0, 0, 0, 1, 0, 2]


def test_read_id_at_another_rate_finds_no_mark(floppy: Floppy) -> None:
    floppy.outb(CONTROL, 0x02)
    floppy.command(0x4A, 0x00)
    floppy.clock.advance(20_000_000)
    assert floppy.result()[:2] == [0x40, 0x01]


def test_a_reset_ends_read_id(floppy: Floppy) -> None:
    floppy.command(0x4A, 0x00)
    floppy.reset()
    floppy.clock.advance(10**9)
    assert not floppy.irq.level


def test_sense_drive_shows_an_empty_bay(floppy: Floppy) -> None:
    assert floppy.command(0x04, 0x05) == [0x7D]


def test_settings_can_be_dumped(floppy: Floppy) -> None:
    floppy.command(0x03, 0xDF, 0x03)
    floppy.command(0x13, 0x00, 0x57, 0x08)
    assert floppy.command(0x94) == [0x10]
    assert floppy.command(0x0E) == [0, 0, 0, 0, 0x0D, 0x02, 0, 0x80, 0x57, 0x08]


def test_an_unknown_command_says_so(floppy: Floppy) -> None:
    assert floppy.command(0x1F) == [0x80]
    assert not floppy.irq.level


def test_nothing_works_while_it_is_held_in_reset(floppy: Floppy) -> None:
    floppy.outb(DOR, 0x00)
    floppy.outb(FIFO, 0x10)
    floppy.outb(TAPE, 0x04)
    assert floppy.inb(TAPE) == 0
    assert floppy.inb(FIFO) == 0
    assert floppy.inb(STATUS) == READY


def test_the_table_of_commands_has_no_ambiguity() -> None:
    for byte in range(256):
        matches = [c for c in COMMANDS if byte & c.mask == c.value]
        assert len(matches) <= 1
        assert find_command(byte) == (matches[0] if matches else INVALID)
