"""Plans on a real QEMU: what they say is what happens; what no longer fits is refused."""

import json
import re

import pytest

from tests.domain.documents import domain, memory
from tests.support.domains import BOTH, CONFIG, DIMM, LIVE, domains
from tests.support.program import run_program
from tests.support.qemu import require_qemu

pytestmark = pytest.mark.qemu


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("plans")


@pytest.fixture(scope="module")
def qemu(folder):
    path = require_qemu()
    with domains(folder / "domains", path) as found:
        found.define(domain(emulator=path, limit="<maxMemory slots='16' unit='GiB'>8</maxMemory>"))
        found.changes.start("vm", paused=True)
        yield found


@pytest.fixture
def files(qemu, folder, monkeypatch):
    monkeypatch.setenv("GUESTMAP_DOMAINS", str(folder / "domains"))
    monkeypatch.chdir(folder)
    (folder / "dimm.xml").write_bytes(DIMM)
    return folder


def test_what_a_plan_says_is_what_is_done(qemu, files):
    done = run_program("domain", "plan", "vm", "dimm.xml", "--live", "--config", "--json")
    assert done.status == 0
    plan = json.loads(done.stdout)
    alias = plan["commands"][1]["arguments"]["id"]
    slot = plan["commands"][1]["arguments"]["slot"]
    assert [each["execute"] for each in plan["commands"]] == [
        "object-add", "device_add", "query-memory-devices", "qom-list",
    ]  # fmt: skip
    assert f"+      <alias name='{alias}'/>" in plan["changes"]["live"]
    assert any(f"mem{alias}" in line for line in plan["map_change"])
    assert plan["blockers"] == []
    (files / "plan.json").write_text(done.stdout)
    done = run_program("domain", "apply", "plan.json")
    assert done.stdout == "Plan applied: device attached\n"
    assert (alias, slot) in qemu.known()
    qemu.consistent()


def test_a_plan_that_no_longer_fits_is_refused_and_says_what_changed(qemu, files):
    done = run_program("domain", "plan", "vm", "dimm.xml", "--config", "--json")
    (files / "plan.json").write_text(done.stdout)
    qemu.changes.attach("vm", memory("128"), CONFIG)
    before = qemu.documents()
    done = run_program("domain", "apply", "plan.json")
    assert done.status == 2
    assert "the plan does not fit any more: the stored definition changed since" in done.stderr
    assert "(the stored definition: more is dimm of 128 MiB in slot " in done.stderr
    assert qemu.documents() == before


@pytest.mark.parametrize(
    ("slot", "words"),
    [(3, "the map of the machine changed"), (0, "something is in the way now")],
)
def test_a_plan_does_not_fit_where_somebody_else_changed_the_machine(
    tmp_path, monkeypatch, slot, words
):
    monkeypatch.setenv("GUESTMAP_DOMAINS", str(tmp_path / "domains"))
    path = require_qemu()
    with domains(tmp_path / "domains", path) as found:
        found.define(domain(emulator=path))
        found.changes.start("vm", paused=True)
        (tmp_path / "dimm.xml").write_bytes(DIMM)
        plan = run_program("domain", "plan", "vm", tmp_path / "dimm.xml", "--live", "--json")
        (tmp_path / "plan.json").write_text(plan.stdout)
        before, changes = found.documents(), json.loads(plan.stdout)["map_change"]
        (change,) = (line for line in changes if "100000000-11fffffff" in line)
        backend = {"qom-type": "memory-backend-ram", "id": "foreign", "size": 1 << 27}
        found.ask("object-add", **backend)
        found.ask("device_add", driver="pc-dimm", id="stranger", memdev="foreign", slot=slot)
        done = run_program("domain", "apply", tmp_path / "plan.json")
        assert f"the plan does not fit any more: {words} (" in done.stderr
        assert change not in done.stderr
        assert found.documents() == before
        assert found.plugged() == ["stranger"]


def test_all_that_is_in_the_way_is_said_at_once(files):
    (files / "bad.xml").write_bytes(
        memory("9", "GiB", node="<node>5</node>", more="<address type='dimm' slot='99'/>")
    )
    done = run_program("domain", "plan", "vm", "bad.xml", "--live")
    assert done.status == 3
    lines = done.stdout.splitlines()
    assert sum(line.startswith("blocker: ") for line in lines) == 3
    assert any("slot '99' exceeds slots count '16' [libvirt's rule]" in line for line in lines)
    assert lines[-1] == "It would be refused."
    assert done == run_program("domain", "plan", "vm", "bad.xml", "--live", "--draw", "no.svg")
    blocked = run_program("domain", "plan", "vm", "bad.xml", "--live", "--json")
    (files / "plan.json").write_text(blocked.stdout)
    assert "the plan has blockers" in run_program("domain", "apply", "plan.json").stderr


def test_a_plan_changes_nothing_and_waits_for_no_job(qemu, files):
    before = qemu.documents()
    with qemu.store.job("vm", "attach-device"):
        assert run_program("domain", "plan", "vm", "dimm.xml", "--live").status == 0
    assert qemu.documents() == before


def test_a_plan_is_drawn(qemu, files):
    done = run_program("domain", "plan", "vm", "dimm.xml", "--live", "--draw", "plan.html")
    assert done.status == 0
    assert "memdimm" in (files / "plan.html").read_text()


def test_a_detach_is_planned_with_what_leaves_the_map(qemu, files):
    if not qemu.plugged():
        qemu.changes.attach("vm", DIMM, LIVE)
    (alias, _), *_ = qemu.known()
    done = run_program("domain", "plan", "vm", "dimm.xml", "--live", "--detach")
    assert f"  device_del id={alias}\n  object-del id=mem{alias}\n" in done.stdout
    assert f"mem{alias}" in done.stdout.split("The map will change:")[1]


def test_verify_says_who_knows_what(qemu, files):
    if not qemu.plugged():
        qemu.changes.attach("vm", DIMM, BOTH)
    done = run_program("domain", "verify", "vm")
    assert done.status == 4  # no guest runs: nobody said anything
    assert "unknown (the guest said nothing of it; there is no agent to ask)" in done.stdout


def test_verify_finds_what_is_not_as_the_definition_says(qemu, files):
    qemu.ask("object-add", **{"qom-type": "memory-backend-ram", "id": "memdimm77", "size": 1 << 27})
    done = run_program("domain", "verify", "vm", "--json")
    assert done.status == 8
    assert json.loads(done.stdout)["wrong"] == [
        "the backend memdimm77 (128 MiB) belongs to no device"
    ]
    qemu.ask("object-del", id="memdimm77")


PLAN = {"domain": "vm", "verb": "attach", "document": "", "live": True, "config": False}


@pytest.mark.parametrize(
    "text",
    [
        "", "[]", '{"format": "x"}', "{" * 1000, json.dumps(PLAN | {"blockers": [{}]}),
        json.dumps(PLAN | {"verb": "attach-device"}),
    ],
)  # fmt: skip
def test_what_is_no_plan_is_refused_in_one_line(files, text):
    (files / "plan.json").write_text(text)
    done = run_program("domain", "apply", "plan.json")
    assert done.status == 2
    assert done.stderr.count("\n") == 1
    assert re.search("this is no plan|the plan has blockers", done.stderr)
