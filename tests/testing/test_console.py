"""The console: lines are matched in order, and what is missing is told with all that was said."""

from __future__ import annotations

import socket
import threading

import pytest

from guestmap.base import ManualClock
from guestmap.hw.serial import Serial16550
from guestmap.testing.guests import ConsoleError, SerialConsole
from tests.hw.device_traffic import Bench


class Case:
    def __init__(self) -> None:
        self.sent: list[bytes] = []
        self.closed = 0
        self.console = SerialConsole(self.sent.append, self._close)

    def _close(self) -> None:
        self.closed += 1


@pytest.fixture
def case() -> Case:
    return Case()


def test_a_line_is_expected_once_and_in_order(case: Case) -> None:
    case.console.receive(b"one 1\ntwo 2\nnoise\none 3\n")
    assert case.console.expect(r"one (\d)")[1] == "1"
    assert case.console.expect(r"one (\d)")[1] == "3"
    with pytest.raises(ConsoleError):
        case.console.expect(r"two (\d)", timeout=0)


def test_lines_come_in_pieces(case: Case) -> None:
    for byte in b"first\r\nsec":
        case.console.receive(bytes([byte]))
    assert case.console.lines == ("first",)
    case.console.receive(b"ond\n\nthird")
    assert case.console.lines == ("first", "second", "")


def test_a_pattern_is_for_a_whole_line(case: Case) -> None:
    case.console.receive(b"guest: ready slots=42\n")
    with pytest.raises(ConsoleError):
        case.console.expect("ready", timeout=0)
    with pytest.raises(ConsoleError):
        case.console.expect("guest: ready slots=4", timeout=0)
    assert case.console.expect(r"guest: ready slots=(\d+)")[1] == "42"


def test_a_line_that_is_not_there_passes_over_none(case: Case) -> None:
    case.console.receive(b"one\n")
    with pytest.raises(ConsoleError):
        case.console.expect("two", timeout=0)
    assert case.console.expect("one")


def test_an_error_tells_everything_that_was_said(case: Case) -> None:
    case.console.receive(b"one\ntwo\npart")
    with pytest.raises(ConsoleError) as failure:
        case.console.expect("three", timeout=0)
    assert str(failure.value) == (
        "no line fits 'three': 0 seconds are over. The guest said:"
        "\n  one\n  two\n  part (no line end)"
    )


def test_an_ended_wire_ends_the_wait(case: Case) -> None:
    case.console.receive(b"last words\n")
    case.console.end("it fell over")
    case.console.end("and again")
    assert case.console.expect("last words")
    with pytest.raises(ConsoleError, match="no line fits 'more': it fell over"):
        case.console.expect("more")


def test_a_line_from_another_thread_wakes_who_waits(case: Case) -> None:
    threading.Timer(0.01, case.console.receive, [b"hello\n"]).start()
    assert case.console.expect("hello")


def test_commands_end_with_a_newline(case: Case) -> None:
    case.console.receive(b"pong\n")
    assert case.console.ask("ping", "pong")
    assert case.sent == [b"ping\n"]


def test_a_console_is_closed_once(case: Case) -> None:
    with case.console:
        case.console.close()
    assert case.closed == 1
    with pytest.raises(ConsoleError, match="the console is closed"):
        case.console.expect("anything")


def test_over_a_socket() -> None:
    ours, guest = socket.socketpair()
    with SerialConsole.over_socket(ours) as console, guest:
        guest.sendall(b"ready\n")
        assert console.expect("ready")
        console.send("go")
        assert guest.recv(16) == b"go\n"
        guest.shutdown(socket.SHUT_RDWR)
        with pytest.raises(ConsoleError, match="the wire was closed"):
            console.expect("more")
    assert ours.fileno() == -1


class Machine(Bench):
    """A serial port, and a guest that is played by the test."""

    def __init__(self) -> None:
        super().__init__()
        self.port = Serial16550(ManualClock(), self.line(4))
        self.place(self.port)
        self.outb(0x3FA, 0x01)

    def typed(self) -> bytes:
        """Read everything that came."""
        read = bytearray()
        while self.inb(0x3FD) & 1:
            read.append(self.inb(0x3F8))
        return bytes(read)


def test_on_a_port_nothing_is_lost() -> None:
    machine = Machine()
    console = SerialConsole.on_port(machine.port)
    for byte in b"hello\n":
        machine.outb(0x3F8, byte)
    assert console.expect("hello")
    command = "a line that is longer than the sixteen bytes of the port"
    console.send(command)
    console.send("and one more")
    assert machine.typed() == f"{command}\nand one more\n".encode()


def test_a_closed_console_gives_the_port_back() -> None:
    machine = Machine()
    sent = bytearray()
    machine.port.sink = sent.append
    with SerialConsole.on_port(machine.port) as console:
        console.send("more than sixteen bytes")
        machine.outb(0x3F8, 0x41)
    machine.outb(0x3F8, 0x42)
    assert sent == b"B"
    assert machine.typed() == b"more than sixtee"


def test_a_port_is_given_bytes_only_while_the_machine_waits() -> None:
    machine = Machine()
    inside: list[bool] = []

    class Exclusive:
        def __enter__(self) -> None:
            inside.append(machine.port.room == 16)

        def __exit__(self, *_error: object) -> None:
            inside.append(machine.port.room == 13)

    console = SerialConsole.on_port(machine.port, Exclusive)
    console.send("go")
    assert inside == [True, True]
