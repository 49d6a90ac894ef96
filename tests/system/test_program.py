"""The program, started as libvirt starts it: sockets inherited, questions asked before it runs."""

from __future__ import annotations

import importlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from guestmap.machine.options.object_schema import OBJECT_KINDS
from guestmap.system.option_table import listing
from guestmap.system.probe.claimed import NEWEST, table_path
from guestmap.system.probe.server import read_table
from guestmap.system.run import run
from tests.support.processes import popen

pytestmark = pytest.mark.seabios

PROGRAM = [sys.executable, "-m", "guestmap.system"]
_MONITOR = ("-chardev", "socket,id=charmonitor,fd=%d,server=on,wait=off",
            "-mon", "chardev=charmonitor,id=monitor,mode=control")  # fmt: skip


class Talk:
    """A client of the monitor."""

    def __init__(self, connection: socket.socket) -> None:
        self._file = connection.makefile("rwb")
        self.greeting = None

    def ask(self, command: str, /, **arguments: Any) -> Any:
        told = {"execute": command, "arguments": arguments, "id": command}
        self._file.write(json.dumps(told).encode() + b"\r\n")
        self._file.flush()
        return self.answer(command)

    def answer(self, command: str) -> Any:
        for line in self._file:
            answer = json.loads(line)
            if answer.get("id") == command:
                return answer.get("return", answer.get("error"))
        raise AssertionError("the monitor has gone")


@contextmanager
def started(*words: str, folder: Path) -> Iterator[tuple[Talk, subprocess.Popen[bytes]]]:
    """Start it with a monitor that was connected, and spoken to, before the program runs."""
    with socket.socket(socket.AF_UNIX) as listener, socket.socket(socket.AF_UNIX) as client:
        listener.bind(str(folder / "monitor"))
        listener.listen(1)
        client.settimeout(60)
        client.connect(str(folder / "monitor"))
        client.sendall(b'{"execute":"qmp_capabilities","id":"qmp_capabilities"}\r\n')
        number = listener.fileno()
        monitor = [each % number if "%d" in each else each for each in _MONITOR]
        process = popen([*PROGRAM, "-nodefaults", *monitor, *words], pass_fds=[number])
        try:
            talk = Talk(client)
            assert talk.answer("qmp_capabilities") == {}
            yield talk, process
        finally:
            process.terminate()
            process.wait(60)


def test_a_machine_on_an_inherited_monitor(tmp_path):
    key = tmp_path / "key"
    key.write_bytes(b"secret")
    words = (
        "-S", "-smp", "2",
        "-object", f'{{"qom-type":"secret","id":"masterKey0","format":"raw","file":"{key}"}}',
        "-chardev", "pty,id=charserial0", "-device", "isa-serial,chardev=charserial0,id=s",
    )  # fmt: skip
    with started(*words, folder=tmp_path) as (talk, process):
        assert talk.ask("query-status")["status"] == "prelaunch"
        assert len(talk.ask("query-cpus-fast")) == 2
        objects = {each["name"]: each["type"] for each in talk.ask("qom-list", path="/objects")}
        assert objects["masterKey0"] == "child<secret>"
        chardevs = {each["label"]: each for each in talk.ask("query-chardev")}
        assert chardevs["charmonitor"]["filename"] == f"unix:{tmp_path}/monitor,server=on"
        kind, path = chardevs["charserial0"]["filename"].split(":")
        assert kind == "pty"
        assert Path(path).is_char_device()
        assert talk.ask("quit") == {}
        assert process.wait(60) == 0
    assert (tmp_path / "monitor").exists()  # it is not the program's


def _type(fd: int, data: bytes) -> None:
    os.write(fd, data)


def test_what_the_guest_says_comes_out_of_the_pty_and_socket(tmp_path):
    rom = tmp_path / "echo.bin"
    rom.write_bytes(_echo())
    for chardev in ("pty,id=c", f"socket,id=c,path={tmp_path}/serial,server=on,wait=off"):
        words = ("-S", "-bios", str(rom), "-chardev", chardev, "-device", "isa-serial,chardev=c")
        with started(*words, folder=tmp_path) as (talk, _process):
            (tmp_path / "monitor").unlink()
            name = next(e["filename"] for e in talk.ask("query-chardev") if e["label"] == "c")
            with _opened(name, tmp_path) as fd:
                assert talk.ask("cont") == {}
                _type(fd, b"hello")
                heard = b""
                while len(heard) < 5:
                    heard += os.read(fd, 100)
                assert heard == b"hello"


@contextmanager
def _opened(name: str, folder: Path) -> Iterator[int]:
    if name.startswith("pty:"):
        fd = os.open(name.removeprefix("pty:"), os.O_RDWR | os.O_NOCTTY)
        try:
            yield fd
        finally:
            os.close(fd)
        return
    assert name == f"disconnected:unix:{folder}/serial,server=on"
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(folder / "serial"))
        client.settimeout(60)
        client.setblocking(True)
        yield client.fileno()


def _echo() -> bytes:
    """Return firmware that sends back each byte that comes to its serial port."""
    loop = bytes((
        0xBA, 0xFD, 0x03,  # mov dx, 0x3fd
        0xEC,              # in al, dx
        0xA8, 0x01,        # test al, 1
        0x74, 0xFB,        # jz the in
        0xBA, 0xF8, 0x03,  # mov dx, 0x3f8
        0xEC,              # in al, dx
        0xEE,              # out dx, al
        0xEB, 0xF1,        # jmp the start
    ))  # fmt: skip
    jump = b"\xea\x00\x00\x00\xf0"  # jmp f000:0000
    return loop.ljust(0xFFF0, b"\xf4") + jump.ljust(16, b"\0")


def test_in_the_background_with_a_pid_file(tmp_path):
    words = ["-machine", "none", "-S", "-qmp", f"unix:{tmp_path}/s,server=on,wait=off",
             "-pidfile", str(tmp_path / "p"), "-daemonize"]  # fmt: skip
    done = subprocess.run([*PROGRAM, *words], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    number = int((tmp_path / "p").read_text())
    try:
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(tmp_path / "s"))  # at once: the monitor answers
            client.settimeout(60)
            talk = Talk(client)
            client.sendall(b'{"execute":"qmp_capabilities","id":"qmp_capabilities"}\r\n')
            assert talk.answer("qmp_capabilities") == {}
            os.kill(number, signal.SIGTERM)
            deadline = time.monotonic() + 60
            while (tmp_path / "p").exists():
                assert time.monotonic() < deadline
                time.sleep(0.01)
    finally:
        with suppress(ProcessLookupError):
            os.kill(number, signal.SIGKILL)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("-device", "qxl"), "-device qxl: device qxl is not modelled"),
        (("-chardev", "socket,id=c,fd=0,server=on,wait=off", "-mon", "chardev=c,mode=control"),
         "descriptor 0 is no socket"),
        (("-chardev", f"socket,id=c,fd={2**64},server=on,wait=off", "-mon", "c,mode=control"),
         f"descriptor {2**64} is no socket: no number is so large"),
        (("-bios", "/no/such", "-daemonize"), "/no/such"),
        (("-pidfile", "/no/such/pid", "-daemonize"), "cannot create PID file"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_one_line_on_stderr(words, said):
    done = subprocess.run(
        [*PROGRAM, "-nodefaults", *words], capture_output=True, text=True, check=False,
        stdin=subprocess.DEVNULL,
    )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr.startswith("guestmap-system-x86_64: ")
    assert said in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("word", ["-h", "-help", "--help"])
def test_the_options_are_listed(word, capsys):
    assert run([word]) == 0
    out = capsys.readouterr().out
    assert out.startswith("usage: guestmap-system-x86_64 [options]\n")
    assert out.endswith(listing())


def test_the_version_is_told(capsys):
    assert run(["-version"]) == 0
    assert capsys.readouterr().out.startswith("guestmap-system-x86_64: guestmap ")


def _claimed_machines() -> list[str]:
    answers = read_table(table_path(NEWEST).read_bytes())[1]
    told = json.loads(answers[b'{"execute":"query-machines"'] + b"}")["return"]
    return [name for each in told for name in (each["name"], each.get("alias")) if name]


@pytest.mark.parametrize("name", _claimed_machines())
def test_each_machine_that_is_claimed_starts(name, tmp_path):
    rom = tmp_path / "echo.bin"
    rom.write_bytes(_echo())
    firmware = () if name == "none" else ("-bios", str(rom), "-cpu", "qemu64", "-accel", "tcg")
    with started("-S", "-machine", name, *firmware, folder=tmp_path) as (talk, _process):
        assert talk.ask("query-status")["status"] == "prelaunch"
        if firmware:
            assert talk.ask("cont") == {}
            assert talk.ask("query-status")["status"] == "running"


def test_each_object_that_is_claimed_can_be_made(tmp_path):
    with started("-S", "-machine", "none", folder=tmp_path) as (talk, _process):
        for kind in OBJECT_KINDS:
            more = {"data": "x"} if kind == "secret" else {"size": 4096}
            more |= {"mem-path": str(tmp_path / "ram")} if kind.endswith("file") else {}
            assert talk.ask("object-add", **{"qom-type": kind, "id": kind}, **more) == {}, kind


def test_it_is_installed_under_its_name():
    text = (Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8")
    scripts = tomllib.loads(text)["project"]["scripts"]
    module, _, name = scripts["guestmap-system-x86_64"].partition(":")
    assert callable(getattr(importlib.import_module(module), name))
