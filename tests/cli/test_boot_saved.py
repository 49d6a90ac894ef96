"""``guestmap boot --save`` and ``--restore`` as a user runs them."""

from __future__ import annotations

import json
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from guestmap.monitor import UnixAddress
from tests.support.processes import popen
from tests.support.program import Done, assert_one_clear_line, run_program
from tests.support.qmp_socket import QmpSocket

pytestmark = [pytest.mark.unicorn, pytest.mark.seabios]


def _boot(*args: str) -> Done:
    return run_program("boot", *args)


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A PC of 64 MiB that was saved as SETUP began."""
    path = tmp_path_factory.mktemp("saved") / "setup.machine"
    run = _boot("-m", "64M", "--until", "setup", "--save", str(path))
    assert f"saved in {path}: guestmap boot --restore {path}" in run.stdout.replace("\n", "")
    return path


def test_a_restored_machine_boots_on_to_the_same_end(saved: Path) -> None:
    report = json.loads(_boot("--restore", str(saved), "--json").stdout)
    assert report["machine"]["ram_size"] == 64 << 20
    names = [phase["name"] for phase in report["phases"]]
    assert names[:3] == ["reset", "preinit", "init"]
    assert names[-1] == "halt"
    undisturbed = json.loads(_boot("-m", "64M", "--json").stdout)
    assert [line["text"] for line in report["log"]] == [line["text"] for line in undisturbed["log"]]
    assert report["after"]["views"] == undisturbed["after"]["views"]


def test_what_the_guest_knew_is_for_its_owner_alone(saved: Path) -> None:
    assert stat.S_IMODE(saved.stat().st_mode) == 0o600


def test_a_restored_machine_says_where_it_begins(saved: Path) -> None:
    assert "as it was saved: what the CPU sees" in _boot("--restore", str(saved)).stdout


def test_where_it_was_to_end_it_is_already(saved: Path) -> None:
    report = json.loads(_boot("--restore", str(saved), "--until", "setup", "--json").stdout)
    assert report["phases"][-1]["name"] == "setup"


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (("-m", "1G"), ("leave out -m",)),
        (("--device", "pci-testdev", "--numa", "node"), ("leave out --device, --numa",)),
        (("-M", "microvm"), ("leave out -M",)),
        (("--until", "init"), ("in phase 'setup'", "'init' before")),
    ],
)
def test_what_would_be_another_machine_is_refused(
    saved: Path, args: tuple[str, ...], words: tuple[str, ...]
) -> None:
    assert_one_clear_line(_boot("--restore", str(saved), "-q", *args), *words)


def test_a_file_that_is_none_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("nothing of that kind")
    assert_one_clear_line(_boot("--restore", str(tmp_path / "text")), "is no saved machine")
    assert_one_clear_line(_boot("--restore", str(tmp_path / "nowhere")), "No such file")


def test_a_place_that_cannot_be_written_is_one_clear_line(tmp_path: Path) -> None:
    run = _boot("-q", "--until", "reset", "--save", str(tmp_path / "no" / "file"))
    assert_one_clear_line(run, "cannot write", "No such file")


def test_a_place_that_cannot_be_written_is_told_before_the_boot(tmp_path: Path) -> None:
    for place in (tmp_path / "no" / "file", tmp_path):
        assert_one_clear_line(_boot("--save", str(place)), f"cannot write {place}")
    assert not [*tmp_path.iterdir()]


def test_nothing_that_executes_and_nobody_who_manages_is_refused() -> None:
    assert_one_clear_line(_boot("-q", "--smp", "2"), "'unicorn' runs 1 CPU", "wait for all 2")
    assert_one_clear_line(_boot("-q", "--engine", "none"), "'none' executes nothing", "give --qmp")


def test_what_ran_a_machine_runs_it_again_unless_another_engine_is_named(
    tmp_path: Path, saved: Path
) -> None:
    still = tmp_path / "still.machine"
    told = _boot("--engine", "none", "--until", "reset", "-m", "16M", "--save", str(still))
    assert told.status == 0
    assert_one_clear_line(_boot("-q", "--restore", str(still)), "'none' executes nothing")
    assert_one_clear_line(
        _boot("-q", "--restore", str(still), "--engine", "unicorn"), "has no state of a CPU"
    )
    assert_one_clear_line(_boot("-q", "--restore", str(saved), "--engine", "none"), "'none'")


def test_ctrl_c_saves(tmp_path: Path) -> None:
    """In the middle of a firmware that does nothing at all: the reset vector jumps to itself."""
    path, silent = tmp_path / "machine", tmp_path / "silent.bin"
    image = bytearray(0x10000)
    image[0xFFF0:0xFFF2] = b"\xeb\xfe"
    silent.write_bytes(image)
    command = [
        sys.executable, "-m", "guestmap", "boot", "--bios", str(silent), "--save", str(path),
    ]  # fmt: skip
    with popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as run:
        assert run.stdout is not None
        for line in run.stdout:
            if "== reset" in line:
                break
        run.send_signal(signal.SIGINT)
        _, errors = run.communicate(timeout=30)
    assert (run.returncode, errors) == (130, "")
    report = json.loads(_boot("--restore", str(path), "--until", "reset", "--json").stdout)
    assert report["phases"][-1]["name"] == "reset"


def test_who_manages_a_machine_has_savevm(saved: Path, tmp_path: Path) -> None:
    socket, folder = tmp_path / "q", tmp_path / "folder"
    args = ("--qmp", f"unix:{socket}", "--snapshots", str(folder), "--restore", str(saved))
    assert_one_clear_line(_boot(*args, "--save", "x"), "there is savevm")
    command = [sys.executable, "-m", "guestmap", "boot", "-S", *args]
    with popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as run:
        assert run.stdout is not None
        while "QMP at" not in run.stdout.readline():
            pass
        with QmpSocket(UnixAddress(str(socket))) as client:
            client.execute("human-monitor-command", {"command-line": "savevm mine"})
            text = client.execute("human-monitor-command", {"command-line": "info snapshots"})
            client.execute("quit")
        run.communicate(timeout=30)
    assert "mine" in str(text)
    assert [each.name for each in folder.iterdir()] == ["mine.guestmap"]
