"""Holding a machine to its plan: whatever differs is told."""

from __future__ import annotations

from dataclasses import replace

import pytest

from guestmap.base import GIB
from guestmap.domain import PlugRequest, Scene, UnplugRequest, plan_plug, plan_unplug
from guestmap.domain.plugged import MemoryDevice
from guestmap.domain.verify import (
    others_changes,
    verify_plugged,
    verify_removed,
    verify_unchanged,
)
from tests.domain.machines import BASE, dimm, holding, map_of, scene

ONE = dimm(0, BASE, GIB)
OURS = ("dimm0", "memdimm0")
PLAN = plan_plug(scene(), PlugRequest(GIB))
REMOVAL = plan_unplug(scene(holding(ONE)), UnplugRequest("dimm0"))


def test_as_planned_is_nothing_to_tell():
    assert verify_plugged(PLAN, scene(holding(ONE))) == ()
    assert verify_removed(REMOVAL, scene()) == ()
    assert verify_unchanged(scene(), scene(), OURS) == ()
    assert verify_unchanged(REMOVAL.scene, scene(holding(ONE))) == ()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"addr": BASE + GIB}, "addr of dimm0 is 0x140000000, planned was 0x100000000"),
        ({"size": GIB // 2}, "size of dimm0 is 0x20000000, planned was 0x40000000"),
        ({"slot": 1}, "slot of dimm0 is 0x1"),
        ({"node": 1}, "node of dimm0 is 0x1"),
        ({"backend": "other"}, "backend of dimm0 is other, planned was memdimm0"),
        ({"id": "x"}, "dimm0 is not among the memory devices"),
    ],
)
def test_a_dimm_that_is_not_as_planned(changes, words):
    wrong = verify_plugged(PLAN, scene(holding(replace(ONE, **changes))))
    assert any(words in each for each in wrong)


def test_a_map_that_is_not_as_planned():
    elsewhere = Scene(holding(ONE), map_of([replace(ONE, addr=BASE + GIB)]))
    (wrong,) = verify_plugged(PLAN, elsewhere)
    assert (
        wrong == "the map of memory changed at 140000000-17fffffff, planned was 100000000-13fffffff"
    )
    (wrong,) = verify_plugged(PLAN, Scene(holding(ONE), map_of([])))
    assert "changed at no place" in wrong
    (wrong,) = verify_removed(REMOVAL, Scene(holding(), map_of([ONE])))
    assert "changed at no place" in wrong
    (wrong,) = verify_unchanged(scene(), Scene(holding(), map_of([ONE])))
    assert wrong == "the device memory as memory sees it changed"


def test_what_is_left_behind_and_what_is_gone():
    left = replace(holding(), object_names=frozenset({"type", "pc.ram", "memdimm0"}))
    assert verify_removed(REMOVAL, scene(left)) == (
        "the backend 'memdimm0' is still there: its memory is still taken",
    )
    assert verify_unchanged(scene(), scene(left), OURS) == (
        "the backend 'memdimm0' is left behind: its memory is still taken",
    )
    named = replace(holding(), device_names=frozenset({"type", "dimm0"}))
    assert verify_unchanged(scene(), scene(named), OURS) == ("the device 'dimm0' is left behind",)
    assert verify_unchanged(REMOVAL.scene, scene()) == ("dimm0 at 0x100000000-0x13fffffff is gone",)
    assert any("is still there" in each for each in verify_removed(REMOVAL, scene(holding(ONE))))


def test_of_what_is_gone_only_the_change_s_own_device_is_a_fault():
    assert verify_unchanged(REMOVAL.scene, scene(), own="dimm0") != ()
    assert verify_unchanged(REMOVAL.scene, scene(), own="dimm1") == ()


def test_what_others_do_meanwhile_is_their_business():
    theirs = dimm(3, BASE + 2 * GIB, GIB)
    assert verify_unchanged(scene(), scene(holding(theirs)), OURS) == ()
    both = scene(holding(ONE, theirs))
    assert verify_plugged(PLAN, both) == ()
    assert others_changes(PLAN, both) == (
        "somebody else plugged dimm3 at 0x180000000-0x1bfffffff meanwhile",
    )


def test_a_place_that_somebody_else_took_meanwhile_is_no_fault():
    quicker = replace(dimm(0, BASE, GIB), id="quicker", backend="memquicker")
    ours = replace(ONE, slot=1, addr=BASE + GIB)
    after = scene(holding(quicker, ours))
    assert verify_plugged(PLAN, after) == ()
    assert "somebody else plugged quicker" in others_changes(PLAN, after)[0]
    alone = scene(holding(ours))
    assert any("slot of dimm0" in each for each in verify_plugged(PLAN, alone))


def test_a_place_that_nobody_took_is_no_excuse():
    moved = replace(ONE, addr=BASE + GIB)
    for theirs in (dimm(3, BASE + 2 * GIB, GIB), dimm(3, BASE + 3 * GIB, GIB)):
        wrong = verify_plugged(PLAN, scene(holding(moved, theirs)))
        assert any("addr of dimm0" in each for each in wrong)


def test_what_a_guest_has_of_virtio_mem_moves_by_itself():
    grown = MemoryDevice("vm0", "virtio-mem", BASE + 2 * GIB, GIB, present=0, requested=GIB)
    before, after = scene(holding(grown)), scene(holding(replace(grown, present=GIB)))
    assert verify_unchanged(before, after) == ()
    assert others_changes(plan_plug(before, PlugRequest(GIB)), after) == ()
