"""Whoever is killed at any point of a change: the next one finishes it, and never does it twice."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from guestmap.base import MIB, faults
from guestmap.fleet.applied import AppliedMachine
from guestmap.fleet.apply_work import ApplyOrder, apply_all, undo_all
from guestmap.fleet.fleet_plan import FleetPlan
from guestmap.fleet.inventory import FleetMachine
from guestmap.fleet.machine_lock import locked
from guestmap.fleet.progress import Progress
from tests.domain.machines import FakeMachine
from tests.fleet.test_apply import DEVICE, PLAN, consenting
from tests.support.killed import End, killed_at
from tests.support.qmp_serving import serving

ORDER = ApplyOrder(PLAN, DEVICE, 128 * MIB, guest_s=5.0)
NOTED = (*(f"note.{step}" for step in faults.WHOLE_FILE_STEPS), "note.before-remove")
PLUG = (*NOTED, "send.before-object-add", "send.after-object-add", "send.before-device_add",
        "send.after-device_add")  # fmt: skip
UNPLUG = (*NOTED, "send.before-device_del", "send.after-device_del", "send.before-object-del",
          "send.after-object-del")  # fmt: skip


def told(lines: list[bytes]) -> AppliedMachine:
    return msgspec.json.decode(lines[0], type=AppliedMachine)


@pytest.mark.parametrize("point", PLUG)
def test_a_plug_that_is_broken_off_is_finished(point, tmp_path: Path):
    machine = FakeMachine(consenting)
    with serving(machine, tmp_path / "qmp") as served:
        one = FleetMachine("one", f"unix:{served.path}")
        assert killed_at(point, lambda: apply_all([one], ORDER)) is End.KILLED
        again = told(apply_all([one], ORDER))
        assert (again.ending, again.error) == ("has-it", "")
        assert [each.id for each in machine.devices] == [DEVICE]
        assert [name for name in machine.objects if name.startswith("memdimm")] == [f"mem{DEVICE}"]
        assert [command for command, _ in machine.sent].count("device_add") == 1
        with locked(one.source, 1.0) as lock:
            note = lock.note()
        assert note is not None
        assert note.phase == "done"


@pytest.mark.parametrize("point", PLUG)
def test_a_plug_that_is_broken_off_is_undone(point, tmp_path: Path):
    machine = FakeMachine(consenting)
    with serving(machine, tmp_path / "qmp") as served:
        one = FleetMachine("one", f"unix:{served.path}")
        assert killed_at(point, lambda: apply_all([one], ORDER)) is End.KILLED
        assert told(undo_all([one], ORDER)).ending in {"undone", "not-ours"}
        assert machine.devices == []
        assert [name for name in machine.objects if name.startswith("memdimm")] == []


@pytest.mark.parametrize("point", UNPLUG)
def test_an_undo_that_is_broken_off_is_finished(point, tmp_path: Path):
    machine = FakeMachine(consenting)
    with serving(machine, tmp_path / "qmp") as served:
        one = FleetMachine("one", f"unix:{served.path}")
        apply_all([one], ORDER)
        assert killed_at(point, lambda: undo_all([one], ORDER)) is End.KILLED
        assert told(undo_all([one], ORDER)).ending == "undone"
        assert machine.devices == []
        assert [name for name in machine.objects if name.startswith("memdimm")] == []


@pytest.mark.parametrize("step", faults.PROGRESS_STEPS)
def test_a_line_of_a_plans_progress_is_there_or_not(step, tmp_path: Path):
    file, plan = tmp_path / "plan.json", FleetPlan("0000002a", 128 * MIB, ())
    add = lambda name: Progress.beside(file, plan).add(AppliedMachine(name, "", "has-it"))  # noqa: E731
    add("one")
    assert killed_at(f"progress.{step}", lambda: add("two")) is End.KILLED
    add("three")
    known = ["one", *(["two"] if step != "before-write" else []), "three"]
    assert [*Progress.beside(file, plan).ended] == known
