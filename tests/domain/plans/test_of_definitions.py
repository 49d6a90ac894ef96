"""Plans for the stored definition alone: no machine is asked, whether one runs or not."""

import msgspec
import pytest

from guestmap.domain.manager import Manager
from guestmap.domain.plans import fitting
from guestmap.domain.plans.domain_plan import DomainPlan, Pictured, plan_of
from guestmap.domain.rules.errors import DomainError
from guestmap.domain.store.store import Store
from tests.domain.documents import domain, memory
from tests.support.domains import CONFIG, DIMM


@pytest.fixture
def manager(tmp_path):
    found = Manager(Store(tmp_path / "config", tmp_path / "run"))
    found.define(domain())
    return found


def test_what_an_attach_would_change_is_shown_and_not_done(manager):
    before = manager.dumpxml("vm")
    found = plan_of(manager, "vm", DIMM, CONFIG)
    assert (found.before, found.after) == (None, None)
    plan = found.plan
    assert (plan.live, plan.config, plan.is_blocked, plan.commands) == (False, True, False, ())
    assert set(plan.changes) == set(plan.made_on) == {"config"}
    assert "+      <address type='dimm' slot='0'/>" in plan.changes["config"]
    assert plan.map_change == ()
    assert manager.dumpxml("vm") == before


def test_a_detach_shows_what_an_attach_added(manager):
    attach = plan_of(manager, "vm", DIMM, CONFIG).plan
    manager.changes.attach("vm", DIMM, CONFIG)
    found = plan_of(manager, "vm", DIMM, CONFIG, verb="detach")
    assert (found.before, found.plan.commands, found.plan.is_blocked) == (None, (), False)
    added = [line[1:] for line in attach.changes["config"] if "<memory model" in line]
    gone = [line[1:] for line in found.plan.changes["config"] if line.startswith("-")]
    assert set(added) <= set(gone)
    assert set(found.plan.changes) == {"config"}


def test_what_would_be_refused_is_a_blocker(manager):
    (there,) = plan_of(manager, "vm", DIMM, CONFIG, verb="detach").plan.blockers
    assert there["code"] == 99
    plan = plan_of(manager, "vm", memory("9", "GiB"), CONFIG).plan
    assert plan.is_blocked
    assert (plan.changes, plan.commands) == ({}, ())


def test_a_plan_fits_in_whatever_order_views_are_told(tmp_path, monkeypatch):
    change = ("Changed in memory, cpu-memory-0:", "  100000000-11fffffff: memdimm0 (ram)")
    plan = DomainPlan("vm", "attach", "", live=True, config=False, map_change=change)
    heading = "Changed in cpu-memory-0, memory:"
    told = [(heading, change[1]), (heading, "  140000000-15fffffff: memdimm0 (ram)")]
    for change in told:
        now = Pictured(msgspec.structs.replace(plan, map_change=change))
        monkeypatch.setattr(fitting, "plan_of", lambda *_, now=now, **__: now)
        if change is told[0]:
            fitting.refuse_changed(Manager(Store(tmp_path, tmp_path)), plan)
            continue
        with pytest.raises(DomainError, match=r"the map of the machine changed \(.*140000000"):
            fitting.refuse_changed(Manager(Store(tmp_path, tmp_path)), plan)
