"""Attached to a real QEMU: its own words are what a snapshot is held to."""

from __future__ import annotations

import json
import re
import socket
import subprocess
import sys

import pytest

from guestmap.base import PeerError
from guestmap.inspect.sources.live import attach
from guestmap.inspect.text.mtree import write_flat, write_mtree
from tests.support.qemu import Qemu

pytestmark = pytest.mark.qemu


def blocks(text: str) -> list[str]:
    """Return the blocks of 'info mtree' in one order: QEMU's is that of pointers."""
    return sorted(re.sub(r"^FlatView #\d+\n", "", block) for block in text.strip().split("\n\n"))


@pytest.fixture
def socket_path(tmp_path):
    return str(tmp_path / "qmp")


def qmp_at(path: str) -> list[str]:
    return ["-qmp", f"unix:{path},server=on,wait=off"]


@pytest.mark.parametrize(
    "machine",
    [["-M", "pc", "-m", "96M"], ["-M", "q35", "-m", "4G", "-vga", "std", "-device", "e1000"],
     ["-M", "isapc", "-m", "16M"], ["-M", "microvm", "-m", "64M"], ["-M", "none"]],
    ids=lambda args: args[1],
)  # fmt: skip
def test_a_stopped_machines_views_trees_and_blocks_are_qemus_to_the_letter(machine, socket_path):
    with Qemu(*machine, *qmp_at(socket_path), machine=False, vapic=True) as qemu:
        with attach(f"unix:{socket_path}") as attached:
            snapshot = attached.snapshot()
        assert blocks(write_flat(snapshot)) == blocks(qemu.hmp("info mtree -f"))
        assert blocks(write_flat(snapshot, owner=True)) == blocks(qemu.hmp("info mtree -f -o"))
        assert blocks(write_mtree(snapshot)) == blocks(qemu.hmp("info mtree"))
        full = qemu.hmp("info mtree -o -D")
        assert blocks(write_mtree(snapshot, owner=True, disabled=True)) == blocks(full)
        version = qemu.qmp("query-version")["qemu"]
        ram = qemu.hmp("info ramblock")
    assert snapshot.version == f"{version['major']}.{version['minor']}.{version['micro']}"
    assert snapshot.source == f"unix:{socket_path}"
    printed = [
        (line.split()[0], *(int(number, 16) for number in re.findall(r"0x[0-9a-f]{16}", line)[:3]))
        for line in ram.splitlines()[1:]
    ]
    blocks_read = [(b.name, b.offset, b.used_length, b.max_length) for b in snapshot.ram_blocks]
    assert blocks_read == printed


def test_dispatch_trees_come_when_asked_for(socket_path):
    with Qemu("-m", "32M", *qmp_at(socket_path)) as qemu:
        with attach(socket_path) as attached:
            snapshot = attached.snapshot(dispatch=True)
        # QEMU marks the section it looked up last, which asking changes.
        mine, theirs = (
            [block.replace(" [MRU]", "") for block in blocks(text)]
            for text in (write_flat(snapshot, dispatch=True), qemu.hmp("info mtree -f -d"))
        )
    assert mine == theirs


@pytest.mark.seabios
def test_a_running_machine_is_read_while_its_firmware_changes_the_map(socket_path):
    with Qemu("-m", "64M", "-no-reboot", *qmp_at(socket_path), stopped=False) as qemu:
        with attach(socket_path) as attached:
            readings = [attached.read() for _ in range(40)]
            snapshots = [each.snapshot for each in readings if each.steady]
            qemu.qmp("stop")
            stopped = attached.snapshot()
        assert blocks(write_flat(stopped)) == blocks(qemu.hmp("info mtree -f"))
    assert snapshots, "the map never held still"
    for snapshot in snapshots:
        assert {space.name for space in snapshot.address_spaces} >= {"memory", "I/O"}
        snapshot.check()


def _names_of_this_machine() -> list[str]:
    """Names, "" among them, where they are known: a bare machine may have no /etc/hosts."""
    try:
        socket.getaddrinfo("localhost", None)
    except socket.gaierror:
        return []
    return ["localhost", ""]


def test_over_tcp_and_again_after_letting_go():
    with Qemu("-m", "32M", "-qmp", "tcp:127.0.0.1:0,server=on,wait=off", "-chardev",
              "null,id=unused") as qemu:  # fmt: skip
        ports = [
            each["filename"] for each in qemu.qmp("query-chardev") if "tcp" in each["filename"]
        ]
        port = int(re.search(r"127\.0\.0\.1:(\d+)", ports[0])[1])
        for host in ("127.0.0.1", *_names_of_this_machine()):
            with attach(f"tcp:{host}:{port}") as attached:
                snapshot = attached.snapshot()
        assert blocks(write_flat(snapshot)) == blocks(qemu.hmp("info mtree -f"))


def test_a_busy_monitor_is_explained_and_free_again_later(socket_path):
    with Qemu("-m", "32M", *qmp_at(socket_path)):
        with attach(socket_path) as first:
            with pytest.raises(PeerError, match=r"one client.*-qmp unix:PATH") as caught:
                attach(socket_path, greeting_s=0.3)
            assert re.search(r"opened by \S+, process \d+", str(caught.value))
            first.snapshot()
        with attach(socket_path) as second:
            second.snapshot()


def test_the_human_monitor_is_told_apart_from_qmp(socket_path):
    with (
        Qemu("-m", "32M", "-monitor", f"unix:{socket_path},server=on,wait=off"),
        pytest.raises(PeerError, match="human monitor"),
    ):
        attach(socket_path)


def test_a_qemu_that_ends_is_an_error_with_its_last_words(socket_path):
    with Qemu("-m", "32M", *qmp_at(socket_path)) as qemu, attach(socket_path) as attached:
        attached.snapshot()
        qemu.qmp("quit")
        with pytest.raises(PeerError, match=r"closed the connection|connection broke"):
            _read_until_it_fails(attached)
        assert "SHUTDOWN" in [event.name for event in attached.events()]


def _read_until_it_fails(attached):
    while True:
        attached.snapshot()


def test_a_dimm_plugged_meanwhile_is_seen(socket_path):
    with (
        Qemu("-m", "64M,slots=2,maxmem=1G", *qmp_at(socket_path)) as qemu,
        attach(socket_path) as attached,
    ):
        before = attached.read()
        assert before.same_map(attached.read())
        qemu.qmp("object-add", qom_type="memory-backend-ram", id="m0", size=128 << 20)
        qemu.qmp("device_add", driver="pc-dimm", id="d0", memdev="m0")
        after = attached.read()
        assert not before.same_map(after)
        assert blocks(write_flat(after.snapshot)) == blocks(qemu.hmp("info mtree -f"))


def test_nothing_but_the_command_line_needs_the_library(socket_path):
    """Importing the package must not import asyncio, which costs more than all of it."""
    code = "import guestmap.inspect.sources.live, sys, json; print(json.dumps(sorted(sys.modules)))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert not {"asyncio", "qemu.qmp", "libvirt"} & set(json.loads(run.stdout))
