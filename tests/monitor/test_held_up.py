"""Clients that send much: what is kept for them, and what is made of it, is bounded."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING

import pytest

from guestmap.base import MIB
from guestmap.monitor import MonitorServer, UnixAddress
from guestmap.monitor.hub import LIMITS, MAX_HELD
from guestmap.qmp import Limits
from tests.support.fake_machine import FakeMachine
from tests.support.processes import popen
from tests.support.qmp_socket import QmpSocket

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def server(tmp_path: Path) -> Iterator[MonitorServer]:
    with MonitorServer(FakeMachine(), [f"unix:{tmp_path / 'q'}"]) as server:
        yield server


def test_a_million_elements_are_too_many_and_two_megabytes_are_not() -> None:
    assert 2 * 500_000 < LIMITS.tokens < 2 * 1_000_000
    assert LIMITS.message_bytes == Limits().message_bytes <= MAX_HELD


def test_too_many_elements_are_refused_once_and_the_next_request_is_answered(
    server: MonitorServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("guestmap.monitor.hub.LIMITS", Limits(tokens=10_000))
    with QmpSocket(server.addresses[0]) as client:
        client.send(b'{"execute": "query-name", "id": [' + b"1," * 50_000 + b"1]}")
        assert client.reply()["error"]["desc"] == "JSON token count limit exceeded"
        assert client.ask("query-name") == {}


def test_a_long_id_comes_back_as_it_was(server: MonitorServer) -> None:
    with QmpSocket(server.addresses[0]) as client:
        sent = (
            b'{"a": ["x' + b"y" * 5000 + b'", null, 1.5, {}, []], "b": [' + b"1, " * 5000 + b"1]}"
        )
        client.send(b'{"execute": "query-name", "id": ' + sent + b"}")
        assert client.line() == b'{"return": {}, "id": ' + sent + b"}\r\n"


@pytest.mark.long
def test_open_strings_silent_and_deaf_clients_take_no_more_than_150_mib(tmp_path: Path) -> None:
    path = tmp_path / "q"
    command = [sys.executable, "-m", "guestmap", "boot", "--qmp", f"unix:{path}", "-q"]
    with popen(command) as process, ExitStack() as stack:
        stack.callback(process.kill)
        modest = stack.enter_context(connected(path, process))
        before = resident(process.pid)
        silent = [stack.enter_context(socket.socket(socket.AF_UNIX)) for _ in range(200)]
        for each in silent:
            each.connect(str(path))
        most = before
        asks = b'{"execute": "qmp_capabilities"}' + b'{"execute": "query-qmp-schema"}' * 2000
        for _ in range(20):
            deaf = stack.enter_context(socket.socket(socket.AF_UNIX))
            deaf.connect(str(path))
            deaf.setblocking(False)
            with suppress(BlockingIOError):
                deaf.send(asks)
            modest.ask("query-status")
            most = max(most, resident(process.pid))
        for _ in range(10):
            endless = stack.enter_context(socket.socket(socket.AF_UNIX))
            endless.connect(str(path))
            endless.settimeout(30)
            send(endless, b'{"execute": "' + bytes(40 * MIB).replace(b"\0", b"x"))
            modest.ask("query-status")
            most = max(most, resident(process.pid))
        assert most - before < 150 * MIB


def connected(path: Path, process: subprocess.Popen[bytes]) -> QmpSocket:
    """Return a client of a machine that has just been started."""
    while not path.exists():
        assert process.poll() is None
        os.sched_yield()
    return QmpSocket(UnixAddress(str(path)))


def send(connection: socket.socket, data: bytes) -> None:
    """Send until it is through, or the connection is ended: another one may be let go, too."""
    with suppress(BrokenPipeError, ConnectionResetError):
        connection.sendall(data)


def resident(pid: int) -> int:
    """Return the most memory that a process has had so far, in bytes."""
    with open(f"/proc/{pid}/status") as status:
        line = next(line for line in status if line.startswith("VmHWM"))
    return int(line.split()[1]) << 10
