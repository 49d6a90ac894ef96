"""What libvirt asks before there is a machine: from the table, and as the monitor says it."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from guestmap.monitor.claim import CLAIMS
from guestmap.system.probe import kvm
from guestmap.system.probe.asking import kvm_table, table
from guestmap.system.probe.claimed import (
    NEWEST,
    UnknownClaimError,
    claimed_by,
    kvm_path,
    table_path,
)
from guestmap.system.probe.line import probe_line
from guestmap.system.probe.questions import questions
from guestmap.system.probe.real import RealMonitor
from guestmap.system.probe.server import read_table

PROGRAM = (sys.executable, "-m", "guestmap.system")
LINE = (
    "-S", "-no-user-config", "-nodefaults", "-nographic", "-machine", "none,accel=kvm:tcg",
    "-qmp", "unix:/s,server=on,wait=off", "-pidfile", "/p", "-daemonize",
)  # fmt: skip


@pytest.mark.parametrize("claim", [each.name for each in CLAIMS])
def test_the_table_is_what_the_monitor_says(claim):
    told = table_path(claim).read_bytes()
    assert told == table(claim), "run .venv/bin/python tools/probe_table.py"


@pytest.mark.parametrize("claim", [each.name for each in CLAIMS])
def test_what_is_told_where_there_is_kvm_is_what_the_monitor_says(claim):
    told = kvm_path(claim).read_bytes()
    assert told == kvm_table(claim), "run .venv/bin/python tools/probe_table.py"
    others = [json.loads(each + b"}")["execute"] for each in read_table(told)[1]]
    assert others == (["query-accelerators"] * (claim == NEWEST)) + ["query-kvm"]


@pytest.mark.parametrize(
    ("program", "claim"),
    [
        ("/usr/bin/guestmap-system-x86_64", "11.1"), ("guestmap-system-x86_64-7.2", "7.2"),
        ("/x86_64-7.2/guestmap-system-x86_64-10.0", "10.0"), ("qemu-system-x86_64", "11.1"),
        ("/x86_64-7.2/__main__.py", "11.1"), ("guestmap-system-x86_64-mine", "11.1"),
    ],
)  # fmt: skip
def test_the_name_of_the_program_says_which_qemu_is_claimed(program, claim):
    assert claimed_by(program) == claim


def test_the_newest_is_claimed_where_nothing_is_said():
    assert CLAIMS[-1].name == NEWEST


@pytest.mark.parametrize("version", ["6.0", "7", "7.2.0", ".."])
def test_a_qemu_that_cannot_be_claimed_is_refused(version):
    with pytest.raises(UnknownClaimError, match=r"may end with -VERSION of 7\.2, 10\.0, 11\.1$"):
        claimed_by(f"/bin/guestmap-system-x86_64-{version}")


@pytest.mark.parametrize("machine", ["none", "none,accel=kvm:tcg", "none,accel=kvm:mshv:tcg"])
def test_a_probe_is_known_by_its_line(machine):
    found = probe_line([*LINE[:5], machine, *LINE[6:]])
    assert found is not None
    assert (found.socket, found.pid_file) == ("/s", "/p")


@pytest.mark.parametrize(
    "words",
    [
        LINE[1:], LINE[:-1], (*LINE, "-m", "1G"), (*LINE, "-qmp", "unix:/t,server=on,wait=off"),
        (*LINE[:5], "pc", *LINE[6:]), (*LINE[:5], "none,accel=kvm", *LINE[6:]),
        (*LINE[:7], "tcp::4444", *LINE[8:]), (*LINE[:7], "unix:/a,b,server=on,wait=off", *LINE[8:]),
    ],
)  # fmt: skip
def test_any_other_line_is_none(words):
    assert probe_line([*words]) is None


def test_nothing_of_the_machine_is_imported():
    code = (
        "import sys; from guestmap.system.probe import server;"
        "print(*sorted(each for each in sys.modules if each.startswith('guestmap')))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.split() == [
        "guestmap", "guestmap.system", "guestmap.system.probe", "guestmap.system.probe.claimed",
        "guestmap.system.probe.kvm", "guestmap.system.probe.line", "guestmap.system.probe.server",
    ]  # fmt: skip


def monitor() -> RealMonitor:
    """What the program should be as, on this host."""
    return RealMonitor(NEWEST, is_kvm=kvm.has_kvm())


@pytest.mark.parametrize(
    ("accelerators", "wanted"),
    [("", False), (",accel=kvm:tcg", True), (",accel=kvm:mshv:tcg", True), (",accel=tcg", False)],
)
def test_kvm_is_looked_for_where_it_is_asked_for_first(accelerators, wanted):
    found = probe_line([*LINE[:5], f"none{accelerators}", *LINE[6:]])
    assert found is not None
    assert found.wants_kvm is wanted


@pytest.mark.parametrize("device", ["/no/such/device", "/dev/null"])
def test_a_device_that_is_no_kvm_is_none(device, monkeypatch):
    monkeypatch.setattr(kvm, "_DEVICE", device)
    assert not kvm.has_kvm()


@contextmanager
def probed(
    folder: Path, command: Sequence[str] = PROGRAM, accel: str = "kvm:tcg"
) -> Iterator[tuple[socket.socket, int]]:
    """Start the program as libvirt does; give a connection, and the number of the process."""
    words = [*LINE[:5], f"none,accel={accel}", LINE[6], f"unix:{folder}/s,server=on,wait=off",
             "-pidfile", f"{folder}/p", LINE[-1]]  # fmt: skip
    done = subprocess.run([*command, *words], check=False)
    assert done.returncode == 0
    number = int((folder / "p").read_text())
    try:
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(60)
            client.connect(str(folder / "s"))
            yield client, number
    finally:
        with suppress(ProcessLookupError):
            os.kill(number, signal.SIGKILL)


def test_each_question_is_answered_as_by_the_monitor(tmp_path):
    with (
        probed(tmp_path) as (client, _),
        client.makefile("rb") as answers,
        monitor() as real,
    ):
        talk = real.conversation()
        assert answers.readline() == talk.greeting
        for number, question in enumerate(questions()):
            line = question + b',"id":"libvirt-%d"}\r\n' % number
            client.sendall(line)
            assert [answers.readline()] == [*talk.replies(line)]


@pytest.mark.parametrize(("accel", "enabled"), [("kvm:tcg", True), ("tcg", False)])
def test_kvm_is_told_of_where_it_is_asked_for_and_there(accel, enabled, tmp_path):
    """From the table, and by the monitor that takes over from it."""
    code = (
        "import sys; from guestmap.system.probe import server; server.has_kvm = lambda: True;"
        "from guestmap.system import main; main()"
    )
    command = (sys.executable, "-c", code)
    with probed(tmp_path, command, accel) as (client, _), client.makefile("rb") as answers:
        answers.readline()
        for number, name in enumerate(("qmp_capabilities", "query-kvm", "query-accelerators")):
            client.sendall(b'{"execute":"%s","id":"%d"}\r\n' % (name.encode(), number))
        client.sendall(b'{ "execute": "query-kvm" }\r\n')
        told = [json.loads(answers.readline())["return"] for _ in range(4)]
    accelerators = ["kvm", "tcg"] if enabled else ["tcg"]
    state = {"enabled": enabled, "present": enabled}
    there = {"enabled": accelerators[0], "present": accelerators}
    assert told == [{}, state, there, state]


def test_what_is_not_in_the_table_the_monitor_is_asked(tmp_path):
    negotiation = b'{"execute":"qmp_capabilities","id":"libvirt-1"}\r\n'
    early = b'{"execute":"query-version","id":"libvirt-0"}\r\n'
    others = (
        b'{"execute":"query-status","id":"libvirt-2"}\r\n'
        b'{ "execute" : "query-target" }\r\n'
        b'{"execute":"query-target","id":"libvirt-3"}\r\n'
        b'{"execute":"query-target","id":"a\\"b"}\r\n{"oops\r\n'
        b'{"execute":"qmp_capabilities","id":"libvirt-4"}\r\n'
    )
    for first in (negotiation, early + negotiation):
        (folder := tmp_path / str(len(first))).mkdir()
        with (
            probed(folder) as (client, _),
            client.makefile("rb") as read,
            monitor() as real,
        ):
            talk = real.conversation()
            assert read.readline() == talk.greeting
            expected = [*talk.replies(first), *talk.replies(others)]
            client.sendall(first + others)
            assert [read.readline() for _ in expected] == expected


def test_it_serves_one_client_after_the_other_and_quits(tmp_path):
    with probed(tmp_path) as (client, number), client.makefile("rb") as answers:
        greeting = answers.readline()
        client.shutdown(socket.SHUT_RDWR)
        with socket.socket(socket.AF_UNIX) as second, second.makefile("rb") as more:
            second.settimeout(60)
            second.connect(str(tmp_path / "s"))
            assert more.readline() == greeting
            second.sendall(b'{"execute":"qmp_capabilities"}\r\n{"execute":"quit"}\r\n')
            assert more.readline() == b'{"return": {}}\r\n'
            assert more.readline() == b'{"return": {}}\r\n'
        deadline = time.monotonic() + 60
        while Path(f"/proc/{number}/stat").exists() and time.monotonic() < deadline:
            if ") Z " in Path(f"/proc/{number}/stat").read_text():
                break
            time.sleep(0.01)
        else:
            assert not Path(f"/proc/{number}/stat").exists()


def test_a_socket_that_cannot_be_is_said_on_stderr(tmp_path):
    words = [*LINE[:7], f"unix:{tmp_path}/no/s,server=on,wait=off", *LINE[8:]]
    done = subprocess.run(
        [sys.executable, "-m", "guestmap.system", *words],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr == f"guestmap-system-x86_64: {tmp_path}/no/s: No such file or directory\n"


def test_the_table_is_read_in_pairs():
    greeting, answers = read_table(b"hello\nq1\na1\nq2\na2\n")
    assert greeting == b"hello"
    assert answers == {b"q1": b"a1", b"q2": b"a2"}
