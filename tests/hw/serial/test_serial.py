"""The serial port, held to the PC16550D data sheet."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from guestmap.hw.serial import Serial16550
from tests.hw.device_traffic import Bench

DATA, IER, IIR, LCR, MCR, LSR, MSR, SCR = range(0x3F8, 0x400)
FCR = IIR
CHARACTER_NS = 10 * 10**9 // 9600


class Port(Bench):
    def __init__(self) -> None:
        super().__init__()
        self.sent = bytearray()
        self.irq = self.line(4)
        self.uart = Serial16550(self.clock, self.irq, sink=self.sent.append)
        self.place(self.uart)


Action = Callable[[Port], object]


@pytest.fixture
def port() -> Port:
    return Port()


def _fill(port: Port) -> None:
    port.uart.receive(bytes(16))


def _loop(port: Port) -> None:
    port.outb(MCR, 0x10)


def test_registers_after_reset(port: Port) -> None:
    values = [port.inb(register) for register in (IER, IIR, LCR, MCR, LSR, MSR, SCR)]
    assert values == [0x00, 0x01, 0x00, 0x08, 0x60, 0xB0, 0x00]


def test_what_is_written_is_sent(port: Port) -> None:
    for byte in b"hello":
        assert port.inb(LSR) & 0x20
        port.outb(DATA, byte)
    assert port.sent == b"hello"


def test_the_divisor_hides_behind_the_latch_bit(port: Port) -> None:
    port.outb(LCR, 0x83)
    assert (port.inb(DATA), port.inb(IER)) == (12, 0)
    port.outb(DATA, 0x34)
    port.outb(IER, 0x12)
    assert (port.inb(DATA), port.inb(IER)) == (0x34, 0x12)
    port.outb(LCR, 0x03)
    assert port.inb(IER) == 0
    assert port.sent == b""


def test_an_empty_transmitter_interrupts_once_per_byte(port: Port) -> None:
    port.outb(IER, 0x02)
    assert port.irq.level
    assert port.inb(IIR) == 0x02
    assert not port.irq.level
    assert port.inb(IIR) == 0x01
    port.outb(DATA, 0x41)
    assert port.inb(IIR) == 0x02


def test_a_received_byte_interrupts_until_it_is_read(port: Port) -> None:
    port.outb(IER, 0x01)
    port.uart.receive(b"A")
    assert port.irq.level
    assert (port.inb(IIR), port.inb(LSR)) == (0x04, 0x61)
    assert port.inb(DATA) == 0x41
    assert not port.irq.level
    assert port.inb(LSR) == 0x60


def test_without_fifo_the_second_byte_overruns_the_first(port: Port) -> None:
    port.outb(IER, 0x04)
    port.uart.receive(b"AB")
    assert port.inb(IIR) == 0x06
    assert port.inb(LSR) == 0x63
    assert not port.irq.level
    assert port.inb(DATA) == 0x42


def test_the_fifo_interrupts_at_its_trigger_level(port: Port) -> None:
    port.outb(FCR, 0x41)  # 4 bytes
    port.outb(IER, 0x01)
    port.uart.receive(b"ABC")
    assert not port.irq.level
    port.uart.receive(b"D")
    assert port.inb(IIR) == 0xC4
    assert bytes(port.inb(DATA) for _ in range(4)) == b"ABCD"
    assert port.inb(IIR) == 0xC1


@pytest.mark.parametrize(("fcr", "trigger"), [(0x01, 1), (0x41, 4), (0x81, 8), (0xC1, 14)])
def test_the_trigger_levels_of_the_fifo(port: Port, fcr: int, trigger: int) -> None:
    """PC16550D data sheet, table of FCR bits 7 and 6."""
    port.outb(FCR, fcr)
    port.outb(IER, 0x01)
    for count in range(1, 17):
        port.uart.receive(b"x")
        assert port.irq.level is (count >= trigger)
        assert port.inb(IIR) == (0xC4 if count >= trigger else 0xC1)
    for left in range(15, -1, -1):
        port.inb(DATA)
        assert port.irq.level is (left >= trigger)


def test_a_fifo_that_is_left_alone_times_out(port: Port) -> None:
    port.outb(LCR, 0x03)
    port.outb(FCR, 0xC1)  # 14 bytes
    port.outb(IER, 0x01)
    port.uart.receive(b"A")
    port.clock.advance(4 * CHARACTER_NS - 1000)
    assert not port.irq.level
    port.clock.advance(2000)
    assert port.inb(IIR) == 0xCC
    assert port.inb(DATA) == 0x41
    assert not port.irq.level


def test_a_full_fifo_keeps_its_bytes(port: Port) -> None:
    port.outb(FCR, 0x01)
    assert port.uart.room == 16
    port.uart.receive(bytes(range(20)))
    assert port.uart.room == 0
    assert port.inb(LSR) == 0x63
    assert [port.inb(DATA) for _ in range(17)] == [*range(16), 0]


def test_switching_the_fifo_empties_it(port: Port) -> None:
    port.outb(FCR, 0x01)
    port.uart.receive(b"AB")
    port.outb(FCR, 0x00)
    assert port.inb(LSR) == 0x60
    assert port.inb(IIR) & 0xC0 == 0


def test_clearing_the_receiver_alone(port: Port) -> None:
    port.outb(FCR, 0x01)
    port.uart.receive(b"AB")
    port.outb(FCR, 0x03)
    assert port.inb(LSR) == 0x60
    assert port.inb(DATA) == 0


@pytest.mark.parametrize(
    "fifo", [pytest.param(True, id="fifo"), pytest.param(False, id="one byte")]
)
def test_bytes_that_wait_come_as_the_guest_makes_room(port: Port, fifo: bool) -> None:
    waiting = bytearray(range(40))

    def give() -> None:
        data = bytes(waiting[: port.uart.room])
        del waiting[: len(data)]
        port.uart.receive(data)

    port.uart.on_room = give
    if fifo:
        port.outb(FCR, 0x01)
    else:
        give()
    got = []
    while port.inb(LSR) & 1:
        got.append(port.inb(DATA))
    assert got == list(range(40))


@pytest.mark.parametrize(
    ("take_room", "make_room", "room"),
    [
        pytest.param(_fill, lambda port: port.outb(FCR, 0x03), 16, id="receiver cleared"),
        pytest.param(_loop, lambda port: port.outb(MCR, 0x00), 16, id="loopback left"),
        pytest.param(_fill, lambda port: port.uart.reset(), 1, id="reset"),
    ],
)
def test_room_is_told_of(port: Port, take_room: Action, make_room: Action, room: int) -> None:
    port.outb(FCR, 0x01)
    take_room(port)
    assert port.uart.room == 0
    told: list[int] = []
    port.uart.on_room = lambda: told.append(port.uart.room)
    make_room(port)
    assert told == [room]


def test_loopback_cuts_the_wire(port: Port) -> None:
    port.outb(MCR, 0x1F)
    port.outb(DATA, 0x5A)
    port.uart.receive(b"Z")
    assert port.sent == b""
    assert port.uart.room == 0
    assert port.inb(DATA) == 0x5A
    assert port.inb(MSR) == 0xF0
    port.outb(MCR, 0x12)
    assert port.inb(MSR) == 0x10  # RTS comes back as CTS


def test_scratch_keeps_a_byte(port: Port) -> None:
    port.outb(SCR, 0xA5)
    assert port.inb(SCR) == 0xA5


def test_a_divisor_of_zero_does_no_harm(port: Port) -> None:
    port.outb(LCR, 0x80)
    port.outb(DATA, 0)
    port.outb(IER, 0)
    port.outb(LCR, 0x03)
    port.outb(FCR, 0x01)
    port.uart.receive(b"A")
    assert port.inb(DATA) == 0x41


def test_reset_goes_back(port: Port) -> None:
    port.outb(FCR, 0x01)
    port.outb(IER, 0x0F)
    port.outb(LCR, 0x83)
    port.uart.receive(b"A")
    port.uart.reset()
    assert not port.irq.level
    assert [port.inb(r) for r in (IER, IIR, LCR, MCR, LSR)] == [0x00, 0x01, 0x00, 0x08, 0x60]
    assert port.clock.next_deadline_ns() is None
