import json
import os
import socket
import stat
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from guestmap.base import HostError, StateError
from guestmap.monitor import MonitorServer, TcpAddress, UnixAddress
from tests.support.fake_machine import FakeMachine
from tests.support.qmp_socket import QmpSocket


@pytest.fixture
def machine() -> FakeMachine:
    return FakeMachine()


@pytest.fixture
def server(machine: FakeMachine, tmp_path: Path) -> Any:
    with MonitorServer(machine, [f"unix:{tmp_path / 'qmp'}"]) as server:
        yield server


def connect(server: MonitorServer, **options: Any) -> QmpSocket:
    return QmpSocket(server.addresses[0], **options)


def lines_until_the_end(client: QmpSocket) -> list[bytes]:
    lines = []
    with suppress(ConnectionError):
        while line := client.line():
            lines.append(line)
    return lines


def is_listening(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            return False
    return True


# -- sockets ---------------------------------------------------------------------------------------


def test_types_are_looked_up_before_anybody_asks_for_one(
    server: MonitorServer, machine: FakeMachine
) -> None:
    with connect(server) as client:
        client.execute("query-status")
    assert machine.manage.types_are_looked_up


def test_greets_negotiates_and_answers(server: MonitorServer) -> None:
    with connect(server, negotiate=False) as client:
        greeting = json.loads(client.greeting)["QMP"]
        assert greeting["version"]["qemu"] == {"micro": 0, "minor": 2, "major": 7}
        assert greeting["capabilities"] == ["oob"]
        assert client.error("query-status")[0] == "CommandNotFound"
        client.ask("qmp_capabilities")
        assert client.ask("query-status") == {
            "status": "running",
            "singlestep": False,
            "running": True,
        }


def test_unix_socket_is_for_its_owner_and_goes_in_the_end(
    machine: FakeMachine, tmp_path: Path
) -> None:
    path = tmp_path / "qmp"
    old = os.umask(0)
    try:
        server = MonitorServer(machine, [f"unix:{path},server=on,wait=off"])
        server.start()
    finally:
        os.umask(old)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    server.close()
    server.close()
    assert not path.exists()


def test_a_socket_left_behind_is_replaced(machine: FakeMachine, tmp_path: Path) -> None:
    path = tmp_path / "qmp"
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(path))
    with MonitorServer(machine, [UnixAddress(str(path))]) as server, connect(server) as client:
        assert client.ask("query-name") == {}


@pytest.mark.parametrize("what", ["file", "server"])
def test_what_is_not_left_behind_stays(machine: FakeMachine, tmp_path: Path, what: str) -> None:
    path = tmp_path / "qmp"
    other = socket.socket(socket.AF_UNIX)
    if what == "file":
        path.write_text("mine")
    else:
        other.bind(str(path))
        other.listen()
    with other, pytest.raises(HostError, match=r"cannot listen at unix:.*in use"):
        MonitorServer(machine, ["tcp::0", f"unix:{path}"]).start()
    assert path.exists()


def test_a_socket_that_another_took_over_is_left_alone(
    machine: FakeMachine, tmp_path: Path
) -> None:
    path = tmp_path / "qmp"
    with MonitorServer(machine, [f"unix:{path}"]):
        path.unlink()
        path.write_text("another's")
    assert path.read_text() == "another's"


def test_tcp_is_loopback_unless_told_and_both_serve(machine: FakeMachine, tmp_path: Path) -> None:
    with MonitorServer(machine, ["tcp::0", f"unix:{tmp_path / 'qmp'}"]) as server:
        tcp, unix = server.addresses
        assert isinstance(tcp, TcpAddress)
        assert tcp.host == "127.0.0.1"
        with QmpSocket(tcp) as one, QmpSocket(unix) as two:
            assert (
                one.ask("query-chardev")
                == two.ask("query-chardev")
                == [
                    {
                        "frontend-open": True,
                        "filename": f"{tcp},server=on",
                        "label": "compat_monitor0",
                    },
                    {
                        "frontend-open": True,
                        "filename": f"{unix},server=on",
                        "label": "compat_monitor1",
                    },
                ]
            )


def test_may_be_started_once(server: MonitorServer) -> None:
    with pytest.raises(StateError):
        server.start()


# -- several clients -------------------------------------------------------------------------------


def test_two_hundred_clients_are_served_and_told(
    machine: FakeMachine, server: MonitorServer
) -> None:
    clients = [connect(server) for _ in range(200)]
    for number, client in enumerate(clients):
        client.send(json.dumps({"execute": "query-name", "id": number}).encode())
    for number, client in enumerate(clients):
        assert client.reply() == {"return": {}, "id": number}
    machine.events.emit("POWERDOWN")
    for client in clients:
        assert client.event("POWERDOWN")["timestamp"]["seconds"] > 1_700_000_000
        client.close()


def test_who_has_not_negotiated_is_told_nothing(
    machine: FakeMachine, server: MonitorServer
) -> None:
    with connect(server, negotiate=False) as quiet, connect(server) as other:
        machine.events.emit("STOP")
        other.event("STOP")
        assert quiet.ask("qmp_capabilities") == {}
        assert quiet.events == []


def test_each_has_a_session_of_its_own(server: MonitorServer) -> None:
    with connect(server) as one, connect(server, negotiate=False) as two:
        one.send(b'{"execute": "query-na')
        assert two.ask("qmp_capabilities") == {}
        one.send(b'me", "id": [1]}')
        assert one.line() == b'{"return": {}, "id": [1]}\r\n'


def test_event_of_a_command_comes_before_its_answer(server: MonitorServer) -> None:
    with connect(server) as client:
        assert client.ask("device_del", id="d0") == {}
        assert [event["event"] for event in client.events] == ["DEVICE_DELETED"]
        assert client.events[0]["data"] == {"device": "d0", "path": "/d0"}


# -- long commands ---------------------------------------------------------------------------------

_SLOW = (
    b'{"execute":"object-add","arguments":'
    b'{"qom-type":"memory-backend-ram","id":"slow","size":4096,"prealloc":true}}'
)


def test_others_are_answered_while_a_command_takes_long(
    machine: FakeMachine, server: MonitorServer
) -> None:
    with connect(server) as slow, connect(server) as other, connect(server) as third:
        slow.send(_SLOW)
        assert machine.manage.begun.wait(10)
        assert other.ask("query-status")["running"]
        assert other.ask("x-guestmap-map")["address_spaces"][0]["name"] == "memory"
        other.send(b'{"execute": "object-del", "arguments": {"id": "x"}, "id": 1}')
        other.send(b'{"execute": "query-name", "id": 2}')  # waits for its turn behind the first
        assert third.ask("query-status")["running"]
        assert machine.manage.asked == []
        machine.manage.go.set()
        assert slow.reply() == {"return": {}}
        assert [event["data"]["done"] for event in slow.events] == [1]
        assert [other.reply()["id"], other.reply()["id"]] == [1, 2]
        assert [each[0] for each in machine.manage.asked] == ["object-add", "object-del"]


def test_out_of_band_overtakes(machine: FakeMachine, server: MonitorServer) -> None:
    with connect(server, negotiate=False) as client:
        client.execute("qmp_capabilities", {"enable": ["oob"]})
        client.send(_SLOW + b'{"execute": "query-name", "id": 1}{"exec-oob":"query-status","id":2}')
        assert client.reply()["id"] == 2
        machine.manage.go.set()
        assert client.reply() == {"return": {}}
        assert client.reply()["id"] == 1


def test_who_leaves_in_the_middle_harms_nobody(machine: FakeMachine, server: MonitorServer) -> None:
    with connect(server) as gone:
        gone.send(_SLOW + b'{"execute": "object-del", "arguments": {"id": "never"}}')
        assert machine.manage.begun.wait(10)
    with connect(server) as other:
        machine.manage.go.set()
        assert other.ask("object-del", id="after") == {}
        assert [each[:2] for each in machine.manage.asked] == [
            ("object-add", "memory-backend-ram"),
            ("object-del", "after"),
        ]


def test_close_waits_for_the_command_and_sends_its_answer(
    machine: FakeMachine, tmp_path: Path
) -> None:
    server = MonitorServer(machine, [f"unix:{tmp_path / 'qmp'}"])
    server.start()
    with connect(server) as client:
        client.send(_SLOW)
        assert machine.manage.begun.wait(10)
        closer = threading.Thread(target=server.close)
        closer.start()
        machine.manage.go.set()
        assert client.reply() == {"return": {}}
        assert client.line() == b""
        closer.join(10)
        assert not closer.is_alive()


def test_close_sends_what_was_answered_and_listens_to_the_machine_no_more(
    machine: FakeMachine, tmp_path: Path
) -> None:
    server = MonitorServer(machine, [f"unix:{tmp_path / 'qmp'}"])
    server.start()
    with connect(server) as client, connect(server) as other:
        client.send(b'{"execute": "query-qmp-schema"}' * 40)  # more than a socket holds
        assert other.ask("query-name") == {}
        closer = threading.Thread(target=server.close)
        closer.start()
        while is_listening(tmp_path / "qmp"):
            pass
        lines = lines_until_the_end(client)
        closer.join(10)
    assert len(lines) > 3
    assert all(line.endswith(b"\r\n") for line in lines)
    assert machine.events._subscribers == ()


def test_quit_is_answered(machine: FakeMachine, server: MonitorServer) -> None:
    with connect(server) as client:
        client.send(b'{"execute": "quit"}')
        assert machine.ended.wait(10)
        server.close()
        assert client.event("SHUTDOWN")["data"]["reason"] == "host-qmp-quit"
        assert client.line() == b'{"return": {}}\r\n'
        assert client.line() == b""


def test_who_has_said_everything_gets_every_answer(server: MonitorServer) -> None:
    with connect(server) as client:
        client.send(b'{"execute": "query-name"}' * 50)
        client.socket.shutdown(socket.SHUT_WR)
        assert [client.line() for _ in range(51)] == [b'{"return": {}}\r\n'] * 50 + [b""]


def test_progress_is_told_now_and_then_and_to_the_end(
    machine: FakeMachine, server: MonitorServer
) -> None:
    with connect(server) as client:
        for done in range(1000):
            data = {"id": "m0", "done": done, "total": 999}
            machine.events.emit("X_GUESTMAP_PREALLOC_PROGRESS", data)
        told = []
        while not told or told[-1] != 999:
            told.append(client.event("X_GUESTMAP_PREALLOC_PROGRESS")["data"]["done"])
        assert told[0] == 0
        assert len(told) < 10


def test_starts_again_after_its_end(machine: FakeMachine, tmp_path: Path) -> None:
    server = MonitorServer(machine, [f"unix:{tmp_path / 'qmp'}"])
    for _ in range(2):
        with server, connect(server) as client:
            assert client.ask("query-name") == {}


# -- hostile clients -------------------------------------------------------------------------------


def test_a_fault_of_ours_is_an_error_and_no_end(
    server: MonitorServer, caplog: pytest.LogCaptureFixture
) -> None:
    with connect(server) as client:
        cls, text = client.error("object-del", id="bug")
        assert (cls, text) == ("GenericError", "internal error: ZeroDivisionError('a bug')")
        assert client.ask("query-name") == {}
    assert "object-del failed" in caplog.text


def test_who_never_reads_events_loses_the_connection_and_nobody_else_does(
    machine: FakeMachine, server: MonitorServer
) -> None:
    deaf, other = connect(server), connect(server)
    long = "x" * 65536
    for _ in range(600):  # 38 MiB; a socket and the server hold less than half of it
        machine.events.emit("DEVICE_DELETED", {"path": long})
        other.event("DEVICE_DELETED")
    assert other.ask("query-name") == {}
    assert len(lines_until_the_end(deaf)) < 400
    deaf.close()
    other.close()


def test_who_asks_and_never_reads_is_not_answered_without_end(server: MonitorServer) -> None:
    with connect(server) as deaf, connect(server) as other:
        deaf.socket.setblocking(False)
        request = b'{"execute": "query-qmp-schema"}' * 100
        sent = 0
        while sent < 10_000_000:
            try:
                sent += deaf.socket.send(request)
            except BlockingIOError:
                break
        assert sent < 10_000_000
        assert other.ask("query-name") == {}


def test_garbage_is_answered_and_forgotten(server: MonitorServer) -> None:
    with connect(server) as client:
        client.send(
            b"\xff\x00[{]}" + b"[" * 5000 + b"\xff" + b'{"execute": "query-name", "id": "end"}'
        )
        while client.reply().get("id") != "end":
            pass
