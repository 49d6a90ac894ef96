"""Backends that were left behind: nobody else's is deleted, and none that is about to be used."""

from __future__ import annotations

import pytest

from guestmap.base import GIB
from guestmap.domain.orphans import APART_S, clean
from tests.domain.machines import BASE, FakeMachine, FakePace, dimm, holding


class Meanwhile(FakePace):
    """Time in which something is done to a machine."""

    def __init__(self, machine: FakeMachine) -> None:
        super().__init__()
        self._machine = machine

    def sleep(self, seconds: float) -> None:
        super().sleep(seconds)
        self._machine.devices.append(dimm(0, BASE, GIB))


def left(*names: str) -> FakeMachine:
    machine = FakeMachine()
    machine.objects |= dict.fromkeys(names, GIB)
    return machine


@pytest.mark.parametrize("name", ["memdimm0", "memvirtiomem3"])
def test_one_that_is_named_as_ours_goes_after_two_looks(name):
    machine, pace = left(name), FakePace()
    cleaning = clean(machine.peer(), name, pace)
    assert (cleaning.is_deleted, name in machine.objects) == (True, False)
    assert pace.time == 100 + APART_S
    assert machine.sent == [("object-del", {"id": name})]


def test_one_that_is_used_at_the_second_look_stays():
    machine = left("memdimm0")
    cleaning = clean(machine.peer(), "memdimm0", Meanwhile(machine))
    assert not cleaning.is_deleted
    assert "is the memory of dimm0 (at the second look)" in cleaning.told
    assert machine.sent == []


@pytest.mark.parametrize("name", ["ram7", "memdimm", "memdimm0x", "pc.ram"])
def test_one_of_another_name_goes_by_force_only(name):
    machine, pace = left(name), FakePace()
    assert not clean(machine.peer(), name, pace).is_deleted
    assert (pace.slept, machine.sent) == (0, [])
    assert clean(machine.peer(), name, pace, force=True).is_deleted
    assert pace.slept == 0


@pytest.mark.parametrize("force", [False, True])
def test_one_that_is_used_or_is_not_there_stays(force):
    machine = FakeMachine(situation=holding(dimm(0, BASE, GIB)))
    for name, told in (("memdimm0", "is the memory of dimm0"), ("memdimm9", "there is no memory")):
        cleaning = clean(machine.peer(), name, FakePace(), force=force)
        assert told in cleaning.told
    assert machine.sent == []
    machine.refuse["object-del"] = "in use"
    machine.objects["memdimm7"] = GIB
    assert "in use" in clean(machine.peer(), "memdimm7", FakePace(), force=force).told
