"""The file for the number of the process, beside QEMU's: each keeps off the other's."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from guestmap.base import HostError, faults
from guestmap.system.pid_file import pid_file
from tests.support.killed import End, killed_at
from tests.support.qemu import require_qemu

QUIET = ("-machine", "none", "-S", "-display", "none")
OURS = (sys.executable, "-m", "guestmap.system")


def _held(path):
    with pid_file(path):
        pass


def test_it_is_there_for_its_owner_alone_while_the_machine_runs(tmp_path):
    path = tmp_path / "pid"
    with pid_file(path):
        assert path.read_text() == f"{os.getpid()}\n"
        assert path.stat().st_mode & 0o777 == 0o600
    assert not path.exists()


def test_one_that_somebody_left_is_taken_over(tmp_path):
    path = tmp_path / "pid"
    path.write_text("1234567890\n")
    with pid_file(path):
        assert path.read_text() == f"{os.getpid()}\n"


def test_what_stands_in_its_place_by_the_end_stays(tmp_path):
    path = tmp_path / "pid"
    with pid_file(path):
        path.unlink()
        path.write_text("another's\n")
    assert path.read_text() == "another's\n"


@pytest.mark.parametrize("device", ["/dev/full", "/dev/null"])
def test_a_device_is_refused_and_stays(device, tmp_path):
    link = tmp_path / "pid"
    link.symlink_to(device)
    with pytest.raises(HostError, match=r"^cannot create PID file: Invalid argument$"):
        _held(link)
    assert link.is_symlink()


def test_a_pipe_that_nobody_reads_is_refused_at_once(tmp_path):
    path = tmp_path / "pid"
    os.mkfifo(path)
    with pytest.raises(HostError, match=r"^cannot create PID file: No such device or address$"):
        _held(path)
    assert path.is_fifo()


@pytest.mark.parametrize("step", faults.PID_FILE_STEPS)
def test_the_next_takes_over_what_a_killed_one_left(step, tmp_path):
    path = tmp_path / "pid"
    assert killed_at(f"pidfile.{step}", lambda: _held(path)) is End.KILLED
    assert bool(path.read_text()) == (step != "before-write")
    with pid_file(path):
        assert path.read_text() == f"{os.getpid()}\n"
    assert os.listdir(tmp_path) == []


@pytest.mark.qemu
@pytest.mark.parametrize("holder", ["ours", "QEMU's"])
def test_that_of_a_machine_that_runs_is_refused(holder, tmp_path):
    """Theirs by us, and ours by QEMU."""
    ours, theirs = OURS, (require_qemu(),)
    first, second = (ours, theirs) if holder == "ours" else (theirs, ours)
    path = tmp_path / "pid"
    words = (*QUIET, "-pidfile", str(path), "-daemonize")
    assert subprocess.run([*first, *words], check=False).returncode == 0
    number = int(path.read_text())
    try:
        done = subprocess.run([*second, *words], capture_output=True, text=True, check=False)
        assert done.returncode == 1
        assert ": cannot create PID file: " in done.stderr
        assert path.read_text() == f"{number}\n"
    finally:
        os.kill(number, signal.SIGKILL)
