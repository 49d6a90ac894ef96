"""Plans carried out on QEMU, and on our machine, with a guest that takes part."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest

from guestmap.base import GIB, MIB
from guestmap.domain import (
    Applier,
    Outcome,
    Peer,
    PlugRequest,
    Result,
    UnplugRequest,
    open_peer,
    plan_plug,
    plan_unplug,
    survey,
)
from guestmap.domain.overview import overview
from tests.guests.peers import OurPeer, QemuPeer
from tests.guests.peers import Peer as Machine

pytestmark = pytest.mark.nasm

RAM = ("-m", "128M,slots=4,maxmem=4G")

LONG_S = 60.0
SHORT_S = 0.3


class Guest(NamedTuple):
    """A machine with the guest on it, and what manages its memory."""

    machine: Machine
    peer: Peer

    def plug(self, size: int = 128 * MIB, timeout_s: float = LONG_S, undo: bool = False) -> Result:
        plan = plan_plug(survey(self.peer), PlugRequest(size))
        return Applier(self.peer, timeout_s=timeout_s).plug(plan, undo=undo)

    def unplug(self, name: str = "dimm0", timeout_s: float = LONG_S) -> Result:
        plan = plan_unplug(survey(self.peer), UnplugRequest(name))
        return Applier(self.peer, timeout_s=timeout_s).unplug(plan)


@contextmanager
def on_qemu(folder: Path) -> Iterator[tuple[Machine, str]]:
    path = folder / "qmp"
    with QemuPeer(*RAM, "-qmp", f"unix:{path},server=on,wait=off") as machine:
        yield machine, str(path)


@contextmanager
def on_ours(folder: Path) -> Iterator[tuple[Machine, str]]:
    with OurPeer(*RAM) as machine:
        yield machine, str(machine._path)


@pytest.fixture(
    params=[
        pytest.param(on_qemu, id="qemu", marks=[pytest.mark.qemu]),
        pytest.param(on_ours, id="ours", marks=[pytest.mark.unicorn, pytest.mark.seabios]),
    ]
)
def guest(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Guest]:
    with request.param(tmp_path) as (machine, path):
        machine.console.expect(r"guest: ready slots=\d+")
        with open_peer(path) as peer:
            yield Guest(machine, peer)


def test_there_and_back_again(guest: Guest):
    before = survey(guest.peer)
    assert before.situation.gpe_enabled is not False
    result = guest.plug(GIB)
    assert (result.outcome, result.wrong) == (Outcome.ACKNOWLEDGED, ())
    assert result.plan.cautions == ()
    assert [(a.source, a.status) for a in result.answers] == [(1, 0)]
    guest.machine.console.expect("guest: slot 0 ok blocks=512")
    (row, *_) = overview(survey(guest.peer).situation).slots
    assert row.device == result.device
    assert row.last is not None
    assert row.last.says == "success"
    result = guest.unplug()
    assert (result.outcome, result.wrong, result.error) == (Outcome.REMOVED, (), "")
    after = survey(guest.peer)
    assert after.situation.devices == ()
    assert after.situation.object_names == before.situation.object_names


def test_a_guest_that_refuses_to_let_go_says_why(guest: Guest):
    guest.plug()
    guest.machine.console.ask("r 81", "guest: policy refuse")
    result = guest.unplug()
    assert (result.outcome, result.wrong) == (Outcome.GUEST_REFUSED, ())
    assert result.answers[-1].says == "device in use by an application"
    assert result.device is not None
    guest.machine.console.ask("a", "guest: policy agree")
    assert guest.unplug().outcome is Outcome.REMOVED


def test_a_guest_that_stays_silent_runs_into_the_deadline(guest: Guest):
    guest.plug()
    guest.machine.console.ask("s", "guest: policy silent")
    result = guest.unplug(timeout_s=SHORT_S)
    assert (result.outcome, result.wrong) == (Outcome.SILENT, ())
    assert result.device is not None


def test_a_paused_guest_is_foreseen_and_answers_when_it_runs(guest: Guest):
    guest.machine.qmp("stop")
    result = guest.plug(timeout_s=SHORT_S)
    assert [each.code for each in result.plan.cautions] == ["not-running"]
    assert result.outcome is Outcome.SILENT
    guest.machine.qmp("cont")
    guest.machine.console.expect("guest: slot 0 ok blocks=64")
    assert guest.unplug().outcome is Outcome.REMOVED


def test_silence_is_undone_by_asking_for_the_dimm(guest: Guest):
    """The guest is paused when the DIMM comes, and runs when it is asked for."""
    guest.machine.qmp("stop")
    before = survey(guest.peer).situation
    plan = plan_plug(survey(guest.peer), PlugRequest(2 * MIB))

    class Wakes(Applier):
        def unplug(self, plan):
            guest.machine.qmp("cont")
            return super().unplug(plan)

    result = Wakes(guest.peer, timeout_s=2.0).plug(plan, undo=True)
    assert (result.outcome, result.wrong) == (Outcome.ROLLED_BACK, ())
    assert survey(guest.peer).situation.object_names == before.object_names


def test_dimms_one_after_another_until_there_is_no_slot(guest: Guest):
    for number in range(4):
        assert guest.plug().outcome is Outcome.ACKNOWLEDGED
        assert survey(guest.peer).situation.used == (number + 1) * 128 * MIB
    plan = plan_plug(survey(guest.peer), PlugRequest(128 * MIB))
    assert [each.code for each in plan.blockers] == ["slots-full"]
    assert guest.unplug("dimm1").outcome is Outcome.REMOVED
    again = guest.plug()
    assert again.device is not None
    assert (again.device.slot, again.device.addr) == (1, 4 * GIB + 128 * MIB)
