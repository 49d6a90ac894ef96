"""Waiting for a guest: events and times go in, a verdict comes out."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guestmap.base import GIB
from guestmap.domain import SlotStatus
from guestmap.domain.ost import explain
from guestmap.domain.waiting import (
    Answered,
    Deleted,
    EjectFailed,
    Ended,
    GuestVerdict,
    Heard,
    Waiting,
    heard,
    seen,
    wait_for,
)
from guestmap.qmp.client import MonitorEvent
from tests.domain.machines import BASE, dimm

DEADLINE = 10.0
DIMM = dimm(2, BASE, GIB)


def said(source: int, status: int, slot: int = 2) -> Answered:
    return Answered(slot, explain(source, status))


def after(verb: str, *things: Heard) -> Waiting:
    state = wait_for(verb, DIMM, DEADLINE)
    for each in things:
        state = state.hear(each)
    return state


@pytest.mark.parametrize(
    ("things", "verdict"),
    [
        ([], None),
        ([said(1, 0)], GuestVerdict.ACKNOWLEDGED),
        ([said(0, 0)], GuestVerdict.ACKNOWLEDGED),
        ([said(0x200, 0)], GuestVerdict.ACKNOWLEDGED),
        ([said(1, 1)], GuestVerdict.REFUSED),
        ([said(0x200, 0x81)], GuestVerdict.REFUSED),
        ([said(0x200, 0x80)], None),
        ([said(0x200, 0x80), said(0x200, 0)], GuestVerdict.ACKNOWLEDGED),
        ([said(0x200, 0x80), said(0x200, 0x92)], GuestVerdict.REFUSED),
        ([said(1, 0, slot=1)], None),
        ([said(3, 0x84)], None),
        ([Deleted("dimm2")], GuestVerdict.REFUSED),
        ([Deleted("dimm1")], None),
        ([Ended("SHUTDOWN")], GuestVerdict.ENDED),
        ([Ended("RESET")], None),
    ],
)
def test_plugging(things: list[Heard], verdict: GuestVerdict | None) -> None:
    assert after("plug", *things).verdict is verdict


@pytest.mark.parametrize(
    ("things", "verdict"),
    [
        ([], None),
        ([said(3, 0x84)], None),
        ([said(3, 0x84), Deleted("dimm2")], GuestVerdict.REMOVED),
        ([Deleted("dimm2")], GuestVerdict.REMOVED),
        ([Deleted("dimm1"), Deleted(None)], None),
        ([said(3, 0x84), said(3, 0x82)], GuestVerdict.REFUSED),
        ([said(0x103, 0x83)], GuestVerdict.REFUSED),
        ([said(3, 1)], GuestVerdict.REFUSED),
        ([said(3, 0x82, slot=0)], None),
        ([said(3, 0)], None),
        ([said(1, 1)], None),
        ([EjectFailed("dimm2", "busy")], GuestVerdict.REFUSED),
        ([EjectFailed("dimm1", "busy")], None),
        ([Ended("SHUTDOWN")], GuestVerdict.ENDED),
    ],
)
def test_unplugging(things: list[Heard], verdict: GuestVerdict | None) -> None:
    assert after("unplug", *things).verdict is verdict


def test_the_deadline_is_silence_and_nothing_is_heard_after_a_verdict() -> None:
    state = after("plug")
    assert state.at(DEADLINE - 0.001).verdict is None
    late = state.at(DEADLINE)
    assert late.verdict is GuestVerdict.SILENT
    assert late.hear(said(1, 0)) is late
    assert after("plug", said(1, 0)).at(DEADLINE).verdict is GuestVerdict.ACKNOWLEDGED
    assert after("unplug", said(3, 0x84)).is_pending
    assert not after("unplug", said(3, 0x84), said(3, 0x82)).is_pending
    assert after("plug", Ended("RESET"), Ended("RESET")).resets == 2
    assert after("unplug", said(3, 0x84)).is_heeded
    assert not after("unplug", said(1, 0)).is_heeded
    assert not after("unplug", Ended("RESET")).is_heeded


EVENT = MonitorEvent("ACPI_DEVICE_OST", {"info": {
    "device": "dimm2", "source": 1, "status": 0, "slot": "2", "slot-type": "DIMM"}})  # fmt: skip


@pytest.mark.parametrize(
    ("event", "thing"),
    [
        (EVENT, said(1, 0)),
        (MonitorEvent("DEVICE_DELETED", {"device": "d", "path": "/x"}), Deleted("d")),
        (MonitorEvent("DEVICE_DELETED", {"path": "/x"}), Deleted("/x")),
        (MonitorEvent("MEM_UNPLUG_ERROR", {"device": "d", "msg": "m"}), EjectFailed("d", "m")),
        (MonitorEvent("SHUTDOWN", {"guest": True}), Ended("SHUTDOWN")),
        (MonitorEvent("RESET", {}), Ended("RESET")),
        (MonitorEvent("STOP", {}), None),
    ],
)
def test_qmps_events_are_understood(event: MonitorEvent, thing: Heard | None) -> None:
    assert heard(event) == thing


def test_the_other_error_of_an_unplug_is_understood() -> None:
    failed = heard(MonitorEvent("DEVICE_UNPLUG_GUEST_ERROR", {"device": "d", "path": "/x"}))
    assert isinstance(failed, EjectFailed)
    assert failed.device == "d"


@pytest.mark.parametrize(
    "info",
    [None, 7, {}, {"slot": 2, "source": 1, "status": 0}, {"slot": "x", "source": 1, "status": 0},
     {"slot": "2", "source": "1", "status": 0}, {"slot": "-1", "source": 1, "status": 0},
     {"slot": "2", "source": 1, "status": 0, "slot-type": "CPU"}],
)  # fmt: skip
def test_events_that_are_none_of_ours_say_nothing(info: object) -> None:
    assert heard(MonitorEvent("ACPI_DEVICE_OST", {"info": info})) is None


def test_without_events_a_slots_new_status_is_an_answer() -> None:
    old = SlotStatus(2, None, 3, 0)
    assert seen(old, old) is None
    assert seen(old, SlotStatus(2, "dimm2", 3, 0)) is None
    assert seen(old, SlotStatus(2, "dimm2", 1, 0)) == said(1, 0)


things = st.one_of(
    st.builds(said, st.sampled_from([0, 1, 3, 0x103, 0x200]),
              st.sampled_from([0, 1, 2, 0x80, 0x81, 0x82, 0x83, 0x84, 0x90]), st.integers(1, 3)),
    st.builds(Deleted, st.sampled_from(["dimm1", "dimm2", None])),
    st.builds(EjectFailed, st.sampled_from(["dimm1", "dimm2", None]), st.just("m")),
    st.builds(Ended, st.sampled_from(["RESET", "SHUTDOWN"])),
)  # fmt: skip


@given(st.sampled_from(["plug", "unplug"]), st.lists(things, max_size=20))
def test_a_verdict_stands_and_others_business_changes_nothing(
    verb: str, told: Iterable[Heard]
) -> None:
    state = wait_for(verb, DIMM, DEADLINE)
    for each in told:
        later = state.hear(each)
        if state.verdict is not None:
            assert later is state
        if isinstance(each, Deleted | EjectFailed) and each.device != "dimm2":
            assert later is state
        if isinstance(each, Answered) and each.slot != 2:
            assert later is state
        state = later
    assert state.at(DEADLINE).verdict is not None
