"""``savevm`` and its like, by what QEMU 7.2.22 answers with a disk image, and without one."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from guestmap.machine import MachineConfig, RunState, VirtualMachine
from guestmap.machine.saved.snapshots import Snapshots
from guestmap.monitor.hmp import HumanMonitor

NOWHERE = "no block device can store vmstate for snapshot\r\n"
HEAD = (
    "List of snapshots present on all disks:\r\n"
    "ID        TAG               VM SIZE                DATE     VM CLOCK     ICOUNT\r\n"
)
ROW = "--        bb.2              658 KiB 2026-11-29 12:40:37 00:00:00.004           \r\n"
"""A row of QEMU's: what we print has its columns."""


class Machine:
    """A machine of nothing but memory, its human monitor, and a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.vm = VirtualMachine(MachineConfig(machine="none", ram_size=1 << 20))
        self.vm.snapshots = Snapshots(folder)
        self._monitor = HumanMonitor(self.vm)

    def __call__(self, line: str) -> str:
        with self.vm.exclusive():
            return self._monitor.execute(line)

    def tags(self) -> list[str]:
        assert self.vm.snapshots is not None
        return [each.name for each in self.vm.snapshots]


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    made = Machine(tmp_path / "snapshots")
    yield made
    made.vm.close()


@pytest.mark.parametrize(
    ("line", "answer"),
    [
        ("savevm a", f"Error: {NOWHERE}"),
        ("savevm", f"Error: {NOWHERE}"),
        ("loadvm a", f"Error: {NOWHERE}"),
        ("delvm a", ""),
        ("info snapshots", NOWHERE),
        ("loadvm", 'loadvm: string expected\r\nTry "help loadvm" for more information\r\n'),
        ("delvm", 'delvm: string expected\r\nTry "help delvm" for more information\r\n'),
    ],
)
def test_without_a_folder_it_is_as_without_a_disk(machine: Machine, line: str, answer: str) -> None:
    machine.vm.snapshots = None
    assert machine(line) == answer


def test_a_machine_goes_back_to_where_it_was_saved(machine: Machine) -> None:
    memory = machine.vm.board.memory
    assert machine("info snapshots") == "There is no snapshot available.\r\n"
    memory.write(0x1000, b"first")
    assert machine("savevm one") == ""
    memory.write(0x1000, b"other")
    assert machine("savevm two") == ""
    assert machine.tags() == ["one", "two"]
    assert machine("loadvm one") == ""
    assert memory.read(0x1000, 5) == b"first"
    assert machine("savevm two") == ""  # takes the place of the old one
    assert machine("loadvm two") == ""
    assert memory.read(0x1000, 5) == b"first"
    assert machine("delvm one") == ""
    assert machine.tags() == ["two"]
    assert machine("delvm one") == ""
    missing = "Error: Snapshot 'one' does not exist in one or more devices\r\n"
    assert machine("loadvm one") == missing


def test_the_list_has_qemus_columns(machine: Machine) -> None:
    machine("savevm bb.2")
    machine("savevm averyveryverylongnameindeedmorethan20")
    text = machine("info snapshots")
    assert text.startswith(HEAD)
    row, long_row = text[len(HEAD) :].splitlines(keepends=True)
    assert re.sub(r"\d", "0", row[:28] + row[35:]) == re.sub(r"\d", "0", ROW[:28] + ROW[35:])
    assert re.fullmatch(r" *[\d.]+ [KM]?i?B", row[27:35])
    assert long_row.startswith("--        averyveryverylongnameindeedmorethan20 ")
    assert len(long_row) - len("averyveryverylongnameindeedmorethan20") == len(row) - 16


@pytest.mark.parametrize("name", ["a/b", '"a b"', "..", "1", "ä", "%41"])
def test_any_name_is_a_name_and_stays_in_the_folder(machine: Machine, name: str) -> None:
    assert machine(f"savevm {name}") == ""
    assert machine.tags() == [name.strip('"')]
    assert [each.parent for each in machine.folder.parent.rglob("*.guestmap")] == [machine.folder]
    assert machine(f"loadvm {name}") == ""
    machine(f"delvm {name}")
    assert machine.tags() == []


def test_a_name_that_no_file_can_have_is_refused(machine: Machine) -> None:
    assert "give a shorter name" in machine(f"savevm {'n' * 300}")
    assert machine.tags() == []


def test_without_a_name_it_is_the_time(machine: Machine) -> None:
    before = time.strftime("vm-%Y%m%d%H%M%S")
    assert machine("savevm") == ""
    [name] = machine.tags()
    assert before <= name <= time.strftime("vm-%Y%m%d%H%M%S")


def test_a_damaged_one_is_told_and_changes_nothing(machine: Machine) -> None:
    machine("savevm a")
    [path] = machine.folder.iterdir()
    content = bytearray(path.read_bytes())
    content[40] ^= 1
    path.write_bytes(content)
    (machine.folder / "mine.guestmap").write_text("no machine")
    machine.vm.board.memory.write(0, b"here")
    assert "cut short or changed" in machine("loadvm a")
    assert "is no saved machine" in machine("loadvm mine")
    assert machine.vm.board.memory.read(0, 4) == b"here"
    assert machine.vm.state is not RunState.INTERNAL_ERROR


@pytest.mark.unicorn
@pytest.mark.seabios
def test_a_machine_that_runs_goes_on_running(tmp_path: Path) -> None:
    """It is paused meanwhile, and after ``loadvm`` its time is what it was."""
    with VirtualMachine(MachineConfig(debugcon=True)) as vm:
        vm.snapshots = Snapshots(tmp_path)
        monitor, events = HumanMonitor(vm), []
        vm.events.subscribe(lambda event: events.append(event.name))
        vm.start()
        with vm.exclusive():
            assert monitor.execute("savevm a") == ""
            saved_ns = vm.board.clock.now_ns()
        assert vm.state is RunState.RUNNING
        while len(vm.log) < 60:
            time.sleep(0.001)
        with vm.exclusive():
            assert monitor.execute("loadvm a") == ""
            assert vm.board.clock.now_ns() - saved_ns < 10**9
            assert len(vm.log) < 60
        assert vm.state is RunState.RUNNING
        while len(vm.log) < 60:
            time.sleep(0.001)
        assert events == ["RESUME", "STOP", "RESUME", "STOP", "RESUME"]
        vm.stop()
        with vm.exclusive():
            monitor.execute("loadvm a")
        assert vm.state is RunState.PAUSED
