"""Faults that the long tests plant stand where the code stands: who moves it, sees it at once."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

from tests.support.planted import Fault, misplaced, tells_of_a_fault

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


@pytest.mark.parametrize(
    ("status", "output", "is_noticed"),
    [
        (0, "1 passed", False),
        (1, "1 failed", True),
        (3, "INTERNALERROR> Plugin: hypothesispytest, Hook: pytest_runtest_makereport", True),
    ],
)
def test_a_failed_test_notices_a_limit_too(status: int, output: str, *, is_noticed: bool) -> None:
    assert tells_of_a_fault(status, output) is is_noticed


@pytest.mark.parametrize("status", [2, 3, 4, 5])
def test_any_other_end_tells_nothing_of_a_fault(status: int) -> None:
    with pytest.raises(AssertionError, match="what it said"):
        tells_of_a_fault(status, "what it said")
