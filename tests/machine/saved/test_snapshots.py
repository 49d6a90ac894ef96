"""Saved machines by name: what they may be called, and what the folder says of them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from guestmap.base import ConfigError, HostError
from guestmap.machine import MachineConfig, RunState, VirtualMachine
from guestmap.machine.saved.snapshots import Snapshots

if TYPE_CHECKING:
    from pathlib import Path

LONGEST = 255 - len(".guestmap")


@pytest.fixture
def snapshots(tmp_path: Path) -> Snapshots:
    return Snapshots(tmp_path / "kept")


@pytest.mark.parametrize("name", ["a", "n" * LONGEST, "/", "..", "é" * (LONGEST // 6)])
def test_a_name_is_a_file_in_the_folder(snapshots: Snapshots, name: str) -> None:
    assert snapshots.path(name).parent == snapshots.folder
    assert not snapshots.has(name)
    snapshots.path(name).touch()
    assert snapshots.has(name)
    snapshots.delete(name)
    snapshots.delete(name)
    assert os.listdir(snapshots.folder) == []


@pytest.mark.parametrize("name", ["", "n" * (LONGEST + 1), "/" * (LONGEST // 3 + 1)])
def test_a_name_that_no_file_can_have_is_refused(snapshots: Snapshots, name: str) -> None:
    with pytest.raises(ConfigError, match="give a shorter name"):
        snapshots.path(name)


def test_a_folder_that_cannot_be_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(HostError, match="cannot make the folder"):
        Snapshots(tmp_path / "file" / "kept")


def test_they_are_told_by_age_and_what_is_none_is_passed_over(snapshots: Snapshots) -> None:
    with VirtualMachine(MachineConfig(machine="none", ram_size=1 << 20)) as vm:
        for name in ("later name", "an earlier one"):
            snapshots.save(vm, name)
    snapshots.path("none").write_bytes(b"nothing")
    os.mkfifo(snapshots.path("a pipe, which nobody writes to"))
    first, second = snapshots
    assert (first.name, second.name) == ("later name", "an earlier one")
    assert first.taken_ns < second.taken_ns
    assert first.size == snapshots.path(first.name).stat().st_size


def test_a_machine_that_is_not_loaded_runs_on(snapshots: Snapshots) -> None:
    with VirtualMachine(MachineConfig(machine="none", ram_size=1 << 21)) as other:
        snapshots.save(other, "other")
    with VirtualMachine(MachineConfig(machine="none", ram_size=1 << 20)) as vm:
        vm.start()
        with pytest.raises(ConfigError, match="other memory"):
            snapshots.load(vm, "other")
        assert vm.state is RunState.RUNNING
        vm.stop()
        with pytest.raises(ConfigError, match="other memory"):
            snapshots.load(vm, "other")
        assert vm.state is RunState.PAUSED
        vm.quit()
