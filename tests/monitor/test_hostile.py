"""Clients that mean no good: the server stays, and so does the machine."""

import json
import os
import resource
import socket
import struct
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from guestmap.monitor import MonitorServer
from tests.support.fake_machine import FakeMachine
from tests.support.qmp_socket import QmpSocket

_WORDS = (
    b'{"execute":"qmp_capabilities"}', b'{"execute":"query-name"}', b'{"execute":"query-status"}',
    b'"', b"{", b"}", b"[", b"]", b":", b",", b"\\", b"\xff", b"'", b"\0", b"\xed\xa0\x80",
    b"1e999", b'{"execute":"object-add","arguments":{', b'"qom-type":"memory-backend-ram"', b"-",
    b"%p",
    b'{"execute":"qom-get","arguments":{"path":"/thing","property":"value"}}', b'"id":{"a":[1]}',
)  # fmt: skip


@pytest.fixture(scope="module")
def machine() -> FakeMachine:
    return FakeMachine()


@pytest.fixture(scope="module")
def server(machine: FakeMachine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    folder = tmp_path_factory.mktemp("hostile")
    with MonitorServer(machine, [f"unix:{folder / 'q'}", "tcp::0"]) as server:
        yield server


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.sampled_from(_WORDS) | st.binary(max_size=30), max_size=40), st.booleans())
def test_any_bytes_are_answered_and_the_next_request_too(
    machine: FakeMachine, server: MonitorServer, pieces: list[bytes], negotiate: bool
) -> None:
    with QmpSocket(server.addresses[0], negotiate=negotiate) as client:
        for piece in pieces:
            client.send(piece)
        # 0xFF ends whatever was open (QEMU's way to recover a connection).
        client.send(b'\xff{"execute": "query-name", "id": "the end"}')
        while (reply := client.reply()).get("id") != "the end":
            assert set(reply) <= {"return", "error", "id"}
    assert all(each[0] == "object-add" for each in machine.manage.asked)
    assert machine.state == "running"


def test_a_half_message_waits_for_its_other_half(server: MonitorServer) -> None:
    request = b'{"execute": "query-status", "id": "\xc3\xa9"}'
    with QmpSocket(server.addresses[0]) as client:
        for index in range(len(request)):
            client.send(request[index : index + 1])
        assert client.line().endswith(b'"id": "\\u00e9"}\r\n')


def test_deep_nesting_and_long_strings_are_bounded(server: MonitorServer) -> None:
    with QmpSocket(server.addresses[0]) as client:
        client.send(b"[" * 1025 + b"\xff")
        assert "nesting" in client.reply()["error"]["desc"]
        client.send(b'{"execute": "' + b"x" * (8 << 20) + b'"}')
        text = client.reply()["error"]["desc"]
        while "has not been found" not in text:
            text = client.reply()["error"]["desc"]
        assert len(text) > 8 << 20


def test_many_come_and_go_at_once(server: MonitorServer) -> None:
    for round_ in range(200):
        client = QmpSocket(server.addresses[round_ % 2], negotiate=False)
        client.send(b'{"execute": "qmp_capabilities"}{"execute": "query-qmp-schema"}'[: round_ + 1])
        if round_ % 3 == 0:  # a reset instead of an orderly end
            client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.close()
    with QmpSocket(server.addresses[1]) as client:
        assert client.ask("query-name") == {}


def test_there_is_a_number_of_clients_that_is_enough(
    server: MonitorServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("guestmap.monitor.hub.MAX_CLIENTS", 3)
    first = [QmpSocket(server.addresses[0]) for _ in range(3)]
    path = server.addresses[0].path
    with socket.socket(socket.AF_UNIX) as one_too_many:
        one_too_many.settimeout(30)
        one_too_many.connect(path)
        assert one_too_many.recv(100) == b""
    first.pop().close()
    assert first[0].ask("query-name") == {}
    while True:  # the server may not have heard of the end yet
        try:
            with QmpSocket(server.addresses[0]) as other:
                assert other.ask("query-name") == {}
            break
        except (json.JSONDecodeError, AssertionError, ConnectionError):
            continue
    for client in first:
        client.close()


def test_who_asks_much_and_goes_fills_no_log(
    server: MonitorServer, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(10):
        client = QmpSocket(server.addresses[0])
        client.send(b"}" * 20_000)
        client.close()
    with QmpSocket(server.addresses[0]) as modest:
        assert modest.ask("query-name") == {}
    assert caplog.records == []


def test_without_a_file_descriptor_those_who_are_there_are_served_and_others_wait(
    server: MonitorServer, caplog: pytest.LogCaptureFixture
) -> None:
    path = server.addresses[0].path
    waiting = [socket.socket(socket.AF_UNIX) for _ in range(40)]
    with QmpSocket(server.addresses[0]) as modest:
        spare = os.open("/dev/null", os.O_RDONLY)
        os.close(spare)  # the lowest that is free; from here on none is
        before = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (spare, before[1]))
        try:
            for each in waiting:
                each.connect(path)
            for _ in range(50):
                assert modest.ask("query-name") == {}
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, before)
        assert len(caplog.records) <= 1
        for each in waiting:
            each.settimeout(30)
            assert each.recv(5) == b'{"QMP'
            each.close()


def test_replies_that_nobody_reads_are_bounded_over_all_clients(
    server: MonitorServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("guestmap.monitor.hub.MAX_HELD", 24 << 20)
    clients = [QmpSocket(server.addresses[0]) for _ in range(6)]
    with QmpSocket(server.addresses[0]) as modest:
        for client in clients:  # the reply is larger still: each character becomes six
            client.send(b'{"execute": "query-name", "id": "' + b"\xc2\x80" * (1 << 20) + b'"}')
            assert modest.ask("query-name") == {}
        ended = 0
        for client in clients:
            received = 0
            try:
                while received < 6 << 20 and (data := client.socket.recv(1 << 20)):
                    received += len(data)
            except ConnectionResetError:
                pass
            ended += received < 6 << 20
            client.close()
        assert 0 < ended < 6
        assert modest.ask("query-name") == {}


def test_who_never_ends_a_message_is_let_go_when_it_is_too_much(
    server: MonitorServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("guestmap.monitor.hub.MAX_HELD", 1 << 20)
    with QmpSocket(server.addresses[0]) as endless, QmpSocket(server.addresses[0]) as modest:
        modest.send(b'{"execute": "query-')
        endless.send(b'{"execute": "')
        with pytest.raises((BrokenPipeError, ConnectionResetError)):
            endless.send(b"a" * (64 << 20))
        modest.send(b'name"}')
        assert modest.reply() == {"return": {}}
