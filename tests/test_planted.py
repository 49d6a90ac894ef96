"""Faults that the long tests plant stand where the code stands: who moves it, sees it at once."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

from tests.support.planted import Fault, misplaced

ROOMS = {
    path.parent.name: faults
    for path in sorted(Path(__file__).parent.glob("*/test_mutants.py"))
    if (faults := runpy.run_path(str(path)).get("FAULTS"))
}


def test_there_are_rooms_with_faults() -> None:
    assert {"accel", "domain", "hw", "inspect", "machine", "monitor", "qmp"} <= set(ROOMS)


@pytest.mark.parametrize("room", ROOMS)
def test_every_fault_can_be_planted(room: str) -> None:
    assert [why for fault in ROOMS[room] if (why := misplaced(fault))] == []


@pytest.mark.parametrize(
    ("fault", "why"),
    [
        (Fault("nowhere.py", "a", "b", "rcu"), "nowhere.py is gone"),
        (Fault("qom/names.py", "def nothing(", "b", "qom"), "0 times"),
        (Fault("qom/names.py", "return", "pass", "qom"), "times"),
        (Fault("qom/names.py", 'ARRAY = "[*]"', "ARRAY = (", "qom"), "no Python"),
        (Fault("qom/names.py", "number = 0", "number = 1", "qom/test_none.py"), "no tests at"),
        (Fault("qom/names.py", "number = 0", "number = 1", "qom/test_objects.py::test_x"), ""),
    ],
)
def test_what_is_said_of_one_that_cannot(fault: Fault, why: str) -> None:
    assert why in misplaced(fault)
    assert bool(misplaced(fault)) == bool(why)
