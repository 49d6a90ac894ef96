"""Who listens where, and who connects there."""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
from typing import TYPE_CHECKING

import pytest

from guestmap.base import HostError
from guestmap.monitor import MonitorServer, TcpAddress, UnixAddress, listening
from guestmap.monitor.listening import Listener
from tests.support.fake_machine import FakeMachine
from tests.support.qmp_socket import QmpSocket

if TYPE_CHECKING:
    from pathlib import Path


def test_of_many_that_find_a_socket_left_behind_at_once_one_gets_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "qmp"
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(path))
    unlink = os.unlink

    def slowly(where: str) -> None:
        time.sleep(0.05)  # all have seen by then that nobody answers
        unlink(where)

    monkeypatch.setattr(listening.os, "unlink", slowly)
    start = threading.Barrier(4)
    won: list[Listener] = []
    refused: list[HostError] = []

    def run() -> None:
        start.wait()
        try:
            won.append(Listener(UnixAddress(str(path))))
        except HostError as error:
            refused.append(error)

    threads = [threading.Thread(target=run) for _ in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))
    assert (len(won), len(refused)) == (1, 3)
    assert all("somebody does already" in str(each) for each in refused)
    won[0].close()


def test_a_second_machine_is_refused_and_the_first_is_still_asked(tmp_path: Path) -> None:
    where = [f"unix:{tmp_path / 'qmp'}"]
    with MonitorServer(FakeMachine(), where) as first:
        with pytest.raises(HostError, match="somebody does already"):
            MonitorServer(FakeMachine(), where).start()
        with QmpSocket(first.addresses[0]) as client:
            assert client.ask("query-name") == {}


def test_it_is_noted_which_process_of_whom_connects(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    server = MonitorServer(FakeMachine(), [f"unix:{tmp_path / 'qmp'}"])
    with server, caplog.at_level(logging.INFO), QmpSocket(server.addresses[0]) as client:
        client.ask("query-name")
    (record,) = caplog.records
    assert record.levelno == logging.INFO, "nothing is said aloud of one's own"
    said = f"process {os.getpid()} of user {os.getuid()}, group {os.getgid()} connects"
    assert record.getMessage() == f"{tmp_path / 'qmp'}: {said}"


def test_another_users_first_is_noted_aloud(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr("guestmap.monitor.accepting.os.geteuid", lambda: os.getuid() + 1)
        with MonitorServer(FakeMachine(), [f"unix:{tmp_path / 'qmp'}"]) as server:
            for _ in range(2):
                with QmpSocket(server.addresses[0]) as client:
                    client.ask("query-name")
    assert [each.levelno for each in caplog.records] == [logging.WARNING]


@pytest.mark.parametrize("host", ["a..b", "a" * 64, "no\x1b[2J\u202e"])
def test_a_name_that_no_host_can_have_is_refused(host: str) -> None:
    with pytest.raises(HostError, match=r"cannot listen at .*: no host can have that name"):
        Listener(TcpAddress(host, 0))
