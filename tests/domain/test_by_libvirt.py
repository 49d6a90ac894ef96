"""A libvirt domain: commands pass through libvirt, and its guest is heard without events."""

from __future__ import annotations

from typing import Any, cast

import pytest

from guestmap.base import GIB
from guestmap.domain import (
    Applier,
    Outcome,
    Peer,
    PlugRequest,
    UnplugRequest,
    plan_plug,
    plan_unplug,
    survey,
)
from guestmap.domain.peer import route_of
from guestmap.qmp.client import LibvirtTarget
from guestmap.qmp.client.libvirt_api import Libvirt
from guestmap.qmp.client.libvirt_channel import LibvirtChannel
from tests.domain.machines import FakeMachine, FakePace
from tests.qmp.client.test_libvirt import FakeDomain, FakeLibvirt

TARGET = LibvirtTarget("vm")


def peer_of(machine: FakeMachine) -> Peer:
    fake = cast("Any", FakeLibvirt(FakeDomain("vm", cast("Any", machine))))
    return Peer(LibvirtChannel(TARGET, Libvirt(fake, fake), reply_s=30.0), route_of(TARGET))


def linux(machine: FakeMachine, verb: str, device: str) -> None:
    """Answer as Linux does, a little later."""
    slot = next(each.slot for each in machine.devices if each.id == device) or 0
    if verb == "plug":
        machine.waits = [lambda: None, lambda: machine.ost(slot, 1, 0)]
        return
    machine.ost(slot, 3, 0x84)
    machine.waits = [lambda: None, lambda: machine.eject(device), lambda: machine.ost(slot, 3, 0)]


def test_there_and_back_again_by_the_slots_statuses():
    machine = FakeMachine(linux)
    with peer_of(machine) as peer:
        plan = plan_plug(survey(peer), PlugRequest(GIB))
        assert [each.code for each in plan.cautions] == ["libvirt"]
        result = Applier(peer, pace=FakePace()).plug(plan)
        assert (result.outcome, result.wrong) == (Outcome.ACKNOWLEDGED, ())
        plan = plan_unplug(survey(peer), UnplugRequest("dimm0"))
        result = Applier(peer, pace=FakePace()).unplug(plan)
        assert (result.outcome, result.wrong) == (Outcome.REMOVED, ())
        assert [each.status for each in result.answers] == [0x84]
    assert list(machine.objects) == ["pc.ram"]


@pytest.mark.parametrize("status", [0x80, 0x82])
def test_a_refusal_is_told(status):
    def guest(machine: FakeMachine, verb: str, device: str) -> None:
        source = (1, 0) if verb == "plug" else (3, status)
        machine.ost(0, *source)

    machine = FakeMachine(guest)
    with peer_of(machine) as peer:
        Applier(peer, pace=FakePace()).plug(plan_plug(survey(peer), PlugRequest(GIB)))
        plan = plan_unplug(survey(peer), UnplugRequest("dimm0"))
        result = Applier(peer, pace=FakePace()).unplug(plan)
    assert (result.outcome, result.wrong) == (Outcome.GUEST_REFUSED, ())
    assert result.answers[-1].status == status


def test_a_command_that_libvirt_hands_back_refused_is_rolled_back():
    machine = FakeMachine(refuse={"device_add": "not today"})
    with peer_of(machine) as peer:
        result = Applier(peer, pace=FakePace()).plug(plan_plug(survey(peer), PlugRequest(GIB)))
    assert (result.outcome, result.wrong) == (Outcome.QEMU_REFUSED, ())
    assert list(machine.objects) == ["pc.ram"]
