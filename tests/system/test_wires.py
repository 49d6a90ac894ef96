"""The other end of a serial port: what the guest sends comes out whole, however late it is read."""

from __future__ import annotations

import os
import random
import socket
import threading
import time
import tty
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from guestmap.base import ManualClock
from guestmap.hw.serial import Serial16550
from guestmap.monitor.address import UnixAddress
from guestmap.monitor.listening import Listener
from guestmap.monitor.serial_socket import SerialSocket
from guestmap.system.wires import Pty
from tests.hw.device_traffic import Bench

DATA = 0x3F8
MANY = random.Random(5).randbytes(100_000)
"""More than a socket (a few hundred single bytes) or a terminal (4 KiB) has room for."""


class Port(Bench):
    """A port, and a guest that is played by the test."""

    def __init__(self) -> None:
        super().__init__()
        self.uart = Serial16550(ManualClock(), self.line(4))
        self.place(self.uart)
        self.vm = cast("Any", SimpleNamespace(exclusive=nullcontext))

    def sends(self, data: bytes) -> None:
        for byte in data:
            self.outb(DATA, byte)


Reader = Callable[[int], bytes]
"""Reads at most so many bytes; b"" at the end."""
Made = tuple[Port, "Pty | SerialSocket", Reader]


def _until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def _socket(folder: Path) -> Iterator[Made]:
    port = Port()
    wire = SerialSocket(port.vm, port.uart, Listener(UnixAddress(str(folder / "serial"))))
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(folder / "serial"))
        _until(lambda: wire.endpoint().is_connected)
        yield port, wire, client.recv


def _pty(folder: Path) -> Iterator[Made]:
    port = Port()
    wire = Pty(port.vm, port.uart, "serial0")
    opened = os.open(wire.path, os.O_RDWR | os.O_NOCTTY)
    tty.setraw(opened)
    yield port, wire, lambda most: os.read(opened, most)
    os.close(opened)


@pytest.fixture(params=[_socket, _pty])
def made(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Made]:
    yield from request.param(tmp_path)


def _read(read: Reader, count: int) -> bytes:
    found = bytearray()
    while len(found) < count:
        some = read(count - len(found))
        assert some, found
        found += some
    return bytes(found)


def test_nothing_is_lost_when_it_is_read_late(made: Made) -> None:
    port, wire, read = made
    port.sends(MANY)
    assert _read(read, len(MANY)) == MANY
    port.sends(b"and more")
    assert _read(read, 8) == b"and more"
    wire.close()


def test_last_words_reach_who_still_reads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("guestmap.monitor.serial_backlog.LAST_WORDS_S", 60)
    for port, wire, read in _socket(tmp_path):
        port.sends(MANY)
        end = threading.Thread(target=wire.close)
        end.start()
        assert _read(read, len(MANY)) == MANY
        assert read(1) == b""
        end.join()
        port.sends(b"nobody is there any more")


def test_what_one_client_did_not_take_is_not_for_the_next(tmp_path: Path) -> None:
    port, path = Port(), str(tmp_path / "serial")
    wire = SerialSocket(port.vm, port.uart, Listener(UnixAddress(path)))
    with socket.socket(socket.AF_UNIX) as first:
        first.connect(path)
        _until(lambda: wire.endpoint().is_connected)
        port.sends(MANY)
        first.shutdown(socket.SHUT_WR)
        _until(lambda: not wire.endpoint().is_connected)
    port.sends(b"to nobody")
    with socket.socket(socket.AF_UNIX) as second:
        second.connect(path)
        _until(lambda: wire.endpoint().is_connected)
        port.sends(b"hello")
        assert _read(second.recv, 5) == b"hello"
    wire.close()


def test_who_never_reads_holds_nobody_up(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    most = 10_000
    monkeypatch.setattr("guestmap.monitor.serial_backlog.MOST_BYTES", most)
    port, wire, read = made
    port.sends(MANY)
    assert _read(read, most) == MANY[:most]
    wire.close()
