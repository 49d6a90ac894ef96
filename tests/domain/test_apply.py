"""Carrying plans out on a machine that is played: every ending, and nothing left behind."""

from __future__ import annotations

import signal
from dataclasses import replace
from typing import Any

import pytest

from guestmap.base import GIB, PeerError, StateError
from guestmap.domain import (
    Applier,
    Observer,
    Outcome,
    Plan,
    PlugRequest,
    Result,
    UnplugRequest,
    plan_plug,
    plan_unplug,
    survey,
)
from guestmap.domain.steps import Step
from guestmap.domain.waiting import Heard, Waiting
from tests.domain.machines import BASE, FakeMachine, FakePace, dimm, holding

PLUGGED = holding(dimm(0, BASE, GIB))
BOTH = pytest.mark.parametrize("events", [True, False], ids=["events", "no events"])


def agree(machine: FakeMachine, verb: str, device: str) -> None:
    """Do as Linux does: acknowledge at once, let go after a while."""
    if verb == "plug":
        machine.ost(_slot(machine, device), 1, 0)
        return
    slot = _slot(machine, device)
    machine.ost(slot, 3, 0x84)
    machine.waits = [lambda: None, lambda: machine.eject(device)]


def _slot(machine: FakeMachine, device: str) -> int:
    return next(
        each.slot for each in machine.devices if each.id == device and each.slot is not None
    )


def answer(source: int, status: int) -> Any:
    """Return a guest that answers this after a while."""

    def guest(machine: FakeMachine, verb: str, device: str) -> None:
        del verb
        slot = _slot(machine, device)
        machine.waits = [lambda: None, lambda: machine.ost(slot, source, status)]

    return guest


def plug(machine: FakeMachine, *, events: bool = True, undo: bool = False, **more: Any) -> Result:
    peer = machine.peer(carries_events=events)
    plan = plan_plug(survey(peer), PlugRequest(GIB))
    return Applier(peer, timeout_s=2.0, pace=FakePace(), **more).plug(plan, undo=undo)


def unplug(machine: FakeMachine, *, events: bool = True, keep: bool = False) -> Result:
    peer = machine.peer(carries_events=events)
    plan = plan_unplug(survey(peer), UnplugRequest("dimm0", keep_backend=keep))
    return Applier(peer, timeout_s=2.0, pace=FakePace()).unplug(plan)


@BOTH
def test_a_guest_that_acknowledges(events):
    machine = FakeMachine(agree)
    result = plug(machine, events=events)
    assert result.outcome is Outcome.ACKNOWLEDGED
    assert [str(each) for each in result.answers] == ["Device Check: success (_OST 0x1, 0x0)"]
    assert (result.wrong, result.error) == ((), "")
    assert result.device == result.plan.device
    assert result.map_change is not None
    assert result.map_change.views[0].ranges[0].after is not None
    assert [command for command, _ in machine.sent] == ["object-add", "device_add"]


@BOTH
def test_a_guest_that_says_nothing(events):
    machine = FakeMachine()
    result = plug(machine, events=events)
    assert (result.outcome, result.wrong) == (Outcome.SILENT, ())
    assert result.waited_s == pytest.approx(2.0)
    assert result.device is not None


@BOTH
def test_a_guest_that_refuses(events):
    machine = FakeMachine(answer(1, 1))
    result = plug(machine, events=events)
    assert (result.outcome, result.wrong) == (Outcome.GUEST_REFUSED, ())
    assert result.device is not None
    assert 0 < result.waited_s < 1


def test_what_was_said_before_is_no_answer():
    machine = FakeMachine()
    machine.ost(0, 1, 0)
    assert plug(machine).outcome is Outcome.SILENT


@BOTH
def test_a_refusal_can_be_undone(events):
    def guest(machine: FakeMachine, verb: str, device: str) -> None:
        (answer(1, 1) if verb == "plug" else agree)(machine, verb, device)

    machine = FakeMachine(guest)
    result = plug(machine, events=events, undo=True)
    assert (result.outcome, result.wrong) == (Outcome.ROLLED_BACK, ())
    assert result.answers[0].status == 1
    assert result.device is None
    assert machine.devices == []
    assert list(machine.objects) == ["pc.ram"]


def test_a_guest_that_refuses_both_keeps_the_dimm():
    def guest(machine: FakeMachine, verb: str, device: str) -> None:
        answer(*((1, 1) if verb == "plug" else (3, 0x80)))(machine, verb, device)

    result = plug(FakeMachine(guest), undo=True)
    assert result.outcome is Outcome.GUEST_REFUSED
    assert "could not be taken out again: Eject Request: ejection not supported" in result.error
    assert result.device is not None


def test_qemu_refusing_the_dimm_is_rolled_back():
    machine = FakeMachine(refuse={"device_add": "not today"})
    result = plug(machine)
    assert (result.outcome, result.wrong) == (Outcome.QEMU_REFUSED, ())
    assert "not today" in result.error
    assert [command for command, _ in machine.sent] == ["object-add", "device_add", "object-del"]
    assert list(machine.objects) == ["pc.ram"]


def test_qemu_refusing_the_backend_needs_no_way_back():
    machine = FakeMachine(refuse={"object-add": "no memory"})
    assert plug(machine).outcome is Outcome.QEMU_REFUSED
    assert [command for command, _ in machine.sent] == ["object-add"]


@pytest.mark.parametrize("command", ["object-add", "device_add"])
def test_what_somebody_else_unplugs_meanwhile_is_no_fault_of_a_refused_plug(command, monkeypatch):
    machine = FakeMachine(situation=PLUGGED, refuse={command: "not today"})
    execute = machine.execute

    def busy(name, arguments):
        if name == command:
            machine.devices.clear()
        return execute(name, arguments)

    monkeypatch.setattr(machine, "execute", busy)
    result = plug(machine)
    assert (result.outcome, result.wrong) == (Outcome.QEMU_REFUSED, ())
    assert result.notes == ("somebody else unplugged dimm0 at 0x100000000-0x13fffffff meanwhile",)


def test_what_somebody_else_unplugs_meanwhile_is_no_fault_of_an_unplug():
    machine = FakeMachine(situation=holding(dimm(0, BASE, GIB), dimm(1, BASE + GIB, GIB)))
    machine.waits = [lambda: None, lambda: machine.devices.pop()]
    result = unplug(machine)
    assert result.wrong == ()
    assert any("somebody else unplugged dimm1" in each for each in result.notes)


def test_a_way_back_that_is_refused_is_told():
    machine = FakeMachine(refuse={"device_add": "not today", "object-del": "in use"})
    result = plug(machine)
    assert result.outcome is Outcome.LEFT_BEHIND
    assert result.wrong == ("the backend 'memdimm0' is left behind: its memory is still taken",)


@pytest.mark.parametrize("command", ["object-add", "device_add"])
def test_a_lost_answer_says_what_may_be_left(command):
    with pytest.raises(PeerError, match=rf"no answer.*{command} .*may have been done.*dimms"):
        plug(FakeMachine(lost=[command]))


def test_a_dimm_elsewhere_than_planned_is_told(monkeypatch):
    machine = FakeMachine(agree)
    true = machine._device_add
    monkeypatch.setattr(
        machine, "_device_add", lambda **words: true(**words, addr=BASE + GIB, slot=3)
    )
    result = plug(machine)
    assert result.outcome is Outcome.LEFT_BEHIND
    assert [each.status for each in result.answers] == [0]  # the guest was heard all the same
    assert any("addr of dimm0 is 0x140000000, planned was 0x100000000" in w for w in result.wrong)
    assert any("slot of dimm0 is 0x3, planned was 0x0" in w for w in result.wrong)
    assert any("map of memory changed at 140000000-17fffffff" in w for w in result.wrong)


@BOTH
def test_a_guest_that_lets_go(events):
    machine = FakeMachine(agree, situation=PLUGGED)
    result = unplug(machine, events=events)
    assert (result.outcome, result.wrong, result.error) == (Outcome.REMOVED, (), "")
    assert result.answers[0].status == 0x84
    assert result.device is None
    assert [command for command, _ in machine.sent] == ["device_del", "object-del"]
    assert list(machine.objects) == ["pc.ram"]


def test_a_backend_can_be_kept():
    machine = FakeMachine(agree, situation=PLUGGED)
    result = unplug(machine, keep=True)
    assert (result.outcome, result.wrong) == (Outcome.REMOVED, ())
    assert set(machine.objects) == {"pc.ram", "memdimm0"}


@BOTH
def test_a_guest_that_keeps_its_memory(events):
    machine = FakeMachine(answer(3, 0x82), situation=PLUGGED)
    result = unplug(machine, events=events)
    assert (result.outcome, result.wrong) == (Outcome.GUEST_REFUSED, ())
    assert [command for command, _ in machine.sent] == ["device_del"]
    assert result.device is not None
    assert result.map_change is not None
    assert result.map_change.is_empty


def test_a_guest_that_missed_the_first_request_is_asked_once_more():
    asked = []

    def guest(machine: FakeMachine, verb: str, device: str) -> None:
        asked.append(verb)
        if len(asked) == 2:
            agree(machine, verb, device)

    machine = FakeMachine(guest, situation=PLUGGED)
    result = unplug(machine)
    assert (result.outcome, result.wrong) == (Outcome.REMOVED, ())
    assert [command for command, _ in machine.sent] == ["device_del", "device_del", "object-del"]
    assert 1.0 <= result.waited_s < 2.0
    silent = FakeMachine(situation=PLUGGED)
    assert unplug(silent).waited_s == pytest.approx(2.0)
    assert len(silent.sent) == 2
    pending = FakeMachine(answer(3, 0x84), situation=PLUGGED)
    unplug(pending)
    assert len(pending.sent) == 1  # it is at it: asking again would only disturb


def test_a_guest_that_begins_and_does_not_end():
    result = unplug(FakeMachine(answer(3, 0x84), situation=PLUGGED))
    assert result.outcome is Outcome.SILENT
    assert result.waiting is not None
    assert result.waiting.is_pending


def test_an_ejection_that_fails_in_qemu():
    def guest(machine: FakeMachine, verb: str, device: str) -> None:
        machine.tell("MEM_UNPLUG_ERROR", device=device, msg="it is needed")

    result = unplug(FakeMachine(guest, situation=PLUGGED))
    assert result.outcome is Outcome.GUEST_REFUSED
    assert "it is needed" in str(result.waiting)


def test_a_backend_that_stays_is_told():
    machine = FakeMachine(agree, situation=PLUGGED, refuse={"object-del": "in use"})
    result = unplug(machine)
    assert result.outcome is Outcome.LEFT_BEHIND
    assert "in use" in result.error
    assert result.wrong == ("the backend 'memdimm0' is still there: its memory is still taken",)


def test_qemu_refusing_to_ask_is_told():
    result = unplug(FakeMachine(situation=PLUGGED, refuse={"device_del": "no"}))
    assert (result.outcome, result.wrong) == (Outcome.QEMU_REFUSED, ())


def test_a_machine_that_shuts_down_meanwhile():
    def guest(machine: FakeMachine, verb: str, device: str) -> None:
        def leave() -> None:
            machine.tell("SHUTDOWN", guest=True)
            machine.gone = True

        machine.waits = [lambda: None, leave]

    assert plug(FakeMachine(guest)).outcome is Outcome.ENDED


def test_a_machine_that_is_killed_meanwhile():
    def guest(machine: FakeMachine, verb: str, device: str) -> None:
        machine.gone = True

    result = plug(FakeMachine(guest))
    assert result.outcome is Outcome.ENDED
    assert "closed the connection" in result.error
    assert "dimm0 was plugged before" in result.error


def test_breaking_the_wait_off_still_tells_what_is():
    class Impatient(Observer):
        def waiting(self, state: Waiting, now: float) -> None:
            signal.raise_signal(signal.SIGINT)

    machine = FakeMachine()
    result = plug(machine, observer=Impatient(), undo=True)
    assert (result.outcome, result.interrupted, result.wrong) == (Outcome.SILENT, True, ())
    assert result.device is not None
    assert [command for command, _ in machine.sent] == ["object-add", "device_add"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_breaking_off_twice_is_obeyed_at_once():
    class Angry(Observer):
        def waiting(self, state: Waiting, now: float) -> None:
            signal.raise_signal(signal.SIGINT)
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        plug(FakeMachine(), observer=Angry())
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_breaking_off_while_a_command_is_under_way_lets_it_end():
    class Impatient(Observer):
        def step(self, step: Step) -> None:
            if step.command == "device_add":
                signal.raise_signal(signal.SIGINT)

    result = plug(FakeMachine(), observer=Impatient())
    assert (result.outcome, result.interrupted, result.wrong) == (Outcome.SILENT, True, ())
    assert result.device is not None


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_breaking_off_between_two_commands_takes_the_first_back(number: int):
    class Impatient(Observer):
        def step(self, step: Step) -> None:
            if step.command == "object-add":
                signal.raise_signal(number)

    machine = FakeMachine()
    with pytest.raises(KeyboardInterrupt):
        plug(machine, observer=Impatient())
    assert [command for command, _ in machine.sent] == ["object-add", "object-del"]


def test_everything_is_told_as_it_happens():
    class Notes(Observer):
        def __init__(self) -> None:
            self.told: list[str] = []

        def step(self, step: Step) -> None:
            self.told.append(step.command)

        def heard(self, said: Heard) -> None:
            self.told.append(type(said).__name__)

        def waiting(self, state: Waiting, now: float) -> None:
            self.told.append("waiting")

    notes = Notes()
    plug(FakeMachine(answer(1, 0)), observer=notes)
    assert notes.told == ["object-add", "device_add", "waiting", "Answered"]


@pytest.mark.parametrize("size", [0, 100 * GIB])
def test_a_blocked_plan_is_not_carried_out(size):
    machine = FakeMachine()
    peer = machine.peer()
    plan = plan_plug(survey(peer), PlugRequest(size))
    with pytest.raises(StateError, match="blockers"):
        Applier(peer).plug(plan)
    assert machine.sent == []


def test_a_plan_is_carried_out_by_its_own_verb_only():
    peer = FakeMachine(situation=PLUGGED).peer()
    plan: Plan = plan_unplug(survey(peer), UnplugRequest("dimm0"))
    with pytest.raises(StateError, match="to unplug, not to plug"):
        Applier(peer).plug(plan)
    with pytest.raises(StateError):
        Applier(peer).unplug(replace(plan, verb="plug"))


def test_a_result_has_a_json_form():
    form = plug(FakeMachine(agree)).to_json()
    assert form["outcome"] == "acknowledged"
    assert form["answers"][0]["says"] == "success"
    assert form["device"]["id"] == "dimm0"
    assert form["plan"]["verb"] == "plug"
    assert plug(FakeMachine(refuse={"device_add": "x"})).to_json()["device"] is None
