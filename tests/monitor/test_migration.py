"""A machine that goes through a descriptor into a file, and comes out of it again."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from guestmap.machine import VirtualMachine, config_of
from guestmap.monitor import MonitorServer, UnixAddress
from tests.support.qemu import MACHINE, Qemu
from tests.support.qmp_socket import QmpSocket

pytestmark = pytest.mark.seabios

_ROOM = ["-m", "128M,slots=2,maxmem=1G"]
_DIMM = ["-object", "memory-backend-ram,id=m0,size=128M", "-device", "pc-dimm,id=d0,memdev=m0"]


@contextmanager
def served(folder: Path, name: str, *words: str, awaits: bool = False) -> Iterator[QmpSocket]:
    """Serve a machine that executes nothing, and connect to it."""
    path = folder / name
    config = config_of([*MACHINE, *_ROOM, *words])
    with VirtualMachine(config, engine="none") as vm, MonitorServer(vm, [f"unix:{path}"]):
        vm.awaits_another = awaits
        vm.start(paused=True)
        with QmpSocket(UnixAddress(str(path))) as client:
            yield client


def ask_with(client: QmpSocket, descriptors: list[int], name: str, **arguments: Any) -> Any:
    """Execute a command with descriptors beside it."""
    line = json.dumps({"execute": name, "arguments": arguments}).encode()
    socket.send_fds(client.socket, [line], descriptors)
    return client.reply()


def error(client: QmpSocket, name: str, **arguments: Any) -> str:
    return client.error(name, **arguments)[1]


def statuses(client: QmpSocket) -> list[str]:
    return [e["data"]["status"] for e in client.events if e["event"] == "MIGRATION"]


def give(client: QmpSocket, descriptor: int, name: str) -> Any:
    return ask_with(client, [descriptor], "getfd", fdname=name)


def written(client: QmpSocket, path: Path) -> None:
    with path.open("wb") as file:
        give(client, file.fileno(), "migrate")
    client.ask("migrate", uri="fd:migrate")


def test_a_machine_goes_into_a_file_and_comes_out_of_it(tmp_path: Path) -> None:
    with served(tmp_path, "one", *_DIMM) as client:
        client.ask(
            "migrate-set-capabilities", capabilities=[{"capability": "events", "state": True}]
        )
        assert client.ask("query-migrate") == {}
        written(client, tmp_path / "file")
        assert statuses(client) == ["setup", "active", "completed"]
        told = client.ask("query-migrate")
        assert told["status"] == "completed"
        assert told["ram"]["transferred"] == told["ram"]["total"] >= 256 << 20
    with served(tmp_path, "two", *_DIMM, awaits=True) as client:
        assert client.ask("query-status")["status"] == "inmigrate"
        assert "waits for one that was saved" in error(client, "cont")
        number = os.open(tmp_path / "file", os.O_RDONLY)
        client.ask("migrate-incoming", uri=f"fd:{number}")
        with pytest.raises(OSError, match="Bad file"):
            os.fstat(number)
        assert client.ask("query-status")["status"] == "paused"
        assert "'-incoming' was not specified" in error(client, "migrate-incoming", uri="fd:9")


def test_what_stands_behind_something_else_in_a_file_is_read_from_there(tmp_path: Path) -> None:
    with served(tmp_path, "one") as client:
        written(client, tmp_path / "file")
    content = (tmp_path / "file").read_bytes()
    (tmp_path / "file").write_bytes(b"a manager's own header" + content)
    with served(tmp_path, "two", awaits=True) as client:
        number = os.open(tmp_path / "file", os.O_RDONLY)
        os.lseek(number, -len(content), os.SEEK_END)
        client.ask("migrate-incoming", uri=f"fd:{number}")
        assert client.ask("query-status")["status"] == "paused"


@pytest.mark.parametrize(
    ("content", "said"),
    [(b"", "no saved machine"), (b"QEVM" + bytes(100), "no saved machine"), (None, "other memory")],
    ids=["nothing", "QEMU's", "another machine's"],
)
def test_what_is_no_such_machine_is_refused(
    tmp_path: Path, content: bytes | None, said: str
) -> None:
    path = tmp_path / "file"
    if content is not None:
        path.write_bytes(content)
    else:
        with served(tmp_path, "one", *_DIMM) as client:
            written(client, path)
    with served(tmp_path, "two", awaits=True) as client:
        number = os.open(path, os.O_RDONLY)
        assert said in error(client, "migrate-incoming", uri=f"fd:{number}")
        assert client.ask("query-migrate")["status"] == "failed"
        assert client.ask("query-status")["status"] == "inmigrate"


@pytest.mark.parametrize("number", ["", "a", "-1", str(1 << 31), "9" * 5000])
def test_what_is_no_descriptor_s_number_is_refused(tmp_path: Path, number: str) -> None:
    with served(tmp_path, "one", awaits=True) as client:
        assert error(client, "migrate-incoming", uri=f"fd:{number}").endswith("give fd:NUMBER")


def test_who_does_not_read_makes_it_fail(tmp_path: Path) -> None:
    with served(tmp_path, "one") as client:
        read, write = os.pipe()
        give(client, write, "pipe")
        os.close(write)
        os.close(read)
        assert "cannot write" in error(client, "migrate", uri="fd:pipe")
        assert client.ask("query-migrate") == {"status": "failed"}
        assert client.ask("query-status")["status"] == "prelaunch"
        client.ask("cont")


@pytest.mark.parametrize(
    ("command", "arguments"),
    [
        ("getfd", {"fdname": "a"}),
        ("closefd", {"fdname": "a"}),
        ("migrate-incoming", {"uri": "fd:9"}),
    ],
)
@pytest.mark.parametrize("side", ["ours", pytest.param("qemu", marks=pytest.mark.qemu)])
def test_what_was_not_given_is_refused_in_qemu_s_words(
    tmp_path: Path, side: str, command: str, arguments: dict[str, Any]
) -> None:
    expected = {
        "getfd": "No file descriptor supplied via SCM_RIGHTS",
        "closefd": "File descriptor named 'a' not found",
        "migrate-incoming": "'-incoming' was not specified on the command line",
    }
    with ExitStack() as stack:
        if side == "qemu":
            qemu = stack.enter_context(Qemu())
            said = qemu.request({"execute": command, "arguments": arguments})["error"]["desc"]
        else:
            client = stack.enter_context(served(tmp_path, "one"))
            said = error(client, command, **arguments)
    assert said == expected[command]


def test_a_machine_goes_to_no_other_host(tmp_path: Path) -> None:
    with served(tmp_path, "one") as client:
        assert "to no other host" in error(client, "migrate", uri="tcp:192.0.2.1:4444")


def test_descriptors_are_their_connection_s_own_and_end_with_it(tmp_path: Path) -> None:
    with served(tmp_path, "one") as client, QmpSocket(UnixAddress(str(tmp_path / "one"))) as other:
        read, write = os.pipe()
        ask_with(other, [write], "query-status")
        os.close(write)
        assert "No file descriptor" in error(client, "getfd", fdname="a")
        other.ask("getfd", fdname="a")
        client.ask("closefd", fdname="a")
        assert os.read(read, 1) == b"", "nobody has the other end any more"
        os.close(read)


def test_of_many_descriptors_the_newest_are_kept(tmp_path: Path) -> None:
    with served(tmp_path, "one") as client:
        before = len(os.listdir("/proc/self/fd"))
        for _ in range(30):
            ask_with(client, [0], "query-status")
        assert len(os.listdir("/proc/self/fd")) - before == 16
