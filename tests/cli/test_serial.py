"""The guest's serial port, as a user connects to it."""

from __future__ import annotations

import socket
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from guestmap.base import HostError
from guestmap.cli.serial_wire import serial_wire
from guestmap.machine import MachineConfig, VirtualMachine

pytestmark = pytest.mark.seabios

DATA, LINE_STATUS = 0x3F8, 0x3FD


@pytest.fixture
def vm():
    with VirtualMachine(MachineConfig(serial=True), engine="none") as made:
        yield made


def _connect(path: Path) -> socket.socket:
    client = socket.socket(socket.AF_UNIX)
    client.settimeout(30)
    client.connect(str(path))
    return client


def _typed(vm: VirtualMachine, count: int) -> bytes:
    """Return what the guest reads, when it has come."""
    read = bytearray()
    deadline = time.monotonic() + 30
    while len(read) < count and time.monotonic() < deadline:
        with vm.exclusive():
            if vm.board.io.load(LINE_STATUS, 1) & 1:
                read.append(vm.board.io.load(DATA, 1))
    return bytes(read)


def test_both_ways_over_a_socket(vm, tmp_path):
    path = tmp_path / "serial"
    with serial_wire(vm, f"unix:{path}"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        vm.board.io.store(DATA, 1, ord("x"))  # nobody hears it
        for _client in range(2):  # one after the other
            with _connect(path) as client:
                client.sendall(b"more than the FIFO holds")
                assert _typed(vm, 24) == b"more than the FIFO holds"
                vm.board.io.store(DATA, 1, ord("y"))
                assert client.recv(10) == b"y"
    assert not path.exists()


def test_a_client_that_never_reads_does_not_hold_the_guest_up(vm, tmp_path):
    path = tmp_path / "serial"
    with serial_wire(vm, f"unix:{path}"), _connect(path) as client:
        client.sendall(b"!")
        assert _typed(vm, 1) == b"!"
        for _ in range(1 << 16):
            vm.board.io.store(DATA, 1, ord("z"))


def test_a_socket_that_was_left_behind_is_replaced_and_a_file_is_not(vm, tmp_path):
    left, file = tmp_path / "left", tmp_path / "file"
    with socket.socket(socket.AF_UNIX) as old:
        old.bind(str(left))
    with serial_wire(vm, f"unix:{left}"):
        pass
    file.write_text("precious")
    with (
        pytest.raises(HostError, match=r"/file: .* is not a socket: Address already in use"),
        serial_wire(vm, f"unix:{file}"),
    ):
        pass
    assert file.read_text() == "precious"


def test_a_file_that_cannot_be_written_is_one_clear_line(tmp_path):
    command = [sys.executable, "-m", "guestmap", "boot", "--serial", str(tmp_path)]
    run = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert run.returncode == 2
    assert run.stderr == f"guestmap: --serial {tmp_path}: Is a directory\n"
