"""What became of a plan: what each verdict of the guest means, and the JSON form of all of it."""

import pytest

from guestmap.base import GIB
from guestmap.domain import Outcome, PlugRequest, Result, plan_plug
from guestmap.domain.ost import explain
from guestmap.domain.outcome import MEANINGS
from guestmap.domain.use import Use
from guestmap.domain.waiting import Answered, GuestVerdict, Waiting
from tests.domain.machines import BASE, dimm, scene

PLAN = plan_plug(scene(), PlugRequest(GIB))
SAYS = {
    GuestVerdict.ACKNOWLEDGED: True,
    GuestVerdict.REMOVED: True,
    GuestVerdict.REFUSED: False,
    GuestVerdict.SILENT: None,
    GuestVerdict.ENDED: None,
    GuestVerdict.INTERRUPTED: None,
}


def waited(verdict: GuestVerdict | None) -> Result:
    said = Answered(0, explain(1, 1))
    return Result(PLAN, Outcome.SILENT, waiting=Waiting("plug", "dimm0", 0, 9.0, (said,), verdict))


@pytest.mark.parametrize("verdict", GuestVerdict)
def test_only_a_guest_that_spoke_agreed_or_refused(verdict):
    assert waited(verdict).acknowledged is SAYS[verdict]
    assert waited(verdict).to_json()["acknowledged"] is SAYS[verdict]


def test_a_guest_that_was_not_asked_or_is_waited_for_said_nothing():
    assert waited(None).acknowledged is None
    assert Result(PLAN, Outcome.UNHEARD).acknowledged is None
    assert Result(PLAN, Outcome.UNHEARD).answers == ()
    assert [each.status for each in waited(None).answers] == [1]


@pytest.mark.parametrize("outcome", Outcome)
def test_every_ending_has_a_sentence(outcome):
    form = Result(PLAN, outcome).to_json()
    assert form["outcome"] == outcome.value
    assert form["meaning"] == MEANINGS[outcome] != ""


def test_the_json_form_has_all_that_happened():
    form = Result(
        PLAN, Outcome.OFFLINE, error="e", wrong=("w",), device=dimm(0, BASE, GIB), waited_s=1.23456,
        interrupted=True, use=Use(4096, "guest agent"), notes=("n",),
    ).to_json()  # fmt: skip
    assert (form["error"], form["wrong"], form["notes"]) == ("e", ["w"], ["n"])
    assert (form["online_bytes"], form["online_told_by"]) == (4096, "guest agent")
    assert (form["waited_s"], form["interrupted"]) == (1.235, True)
    assert (form["device"]["addr"], form["map_change"], form["answers"]) == (BASE, None, [])


def test_the_json_form_of_nothing_says_nothing():
    form = Result(PLAN, Outcome.SILENT).to_json()
    assert (form["error"], form["wrong"], form["notes"], form["device"]) == ("", [], [], None)
    assert (form["online_bytes"], form["online_told_by"]) == (None, None)
    assert (form["waited_s"], form["interrupted"]) == (0.0, False)
