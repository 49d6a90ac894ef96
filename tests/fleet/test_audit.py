"""An audit of real machines of every kind, through a real cluster: who fails costs one line."""

from __future__ import annotations

import json
import socket
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from guestmap.base import PeerError
from guestmap.fleet.audit import audit, jobs_of
from guestmap.fleet.audit_files import audit_folder, known_findings, news_of, read_records
from guestmap.fleet.cluster import ClusterSettings, opened
from guestmap.fleet.inventory import FleetInventory, FleetMachine
from guestmap.fleet.look import LookOptions, Patience, look_at
from guestmap.fleet.record import MachineAudit
from guestmap.fleet.tally import WORST, Tally
from guestmap.inspect.sources.open import load_snapshot
from tests.domain.machines import BASE, FakeMachine, dimm, holding
from tests.support.program import assert_one_clear_line, run_program
from tests.support.qmp_serving import serving

if TYPE_CHECKING:
    from distributed import Client

MAP = """address-space: memory
  0000000000000000-ffffffffffffffff (prio 0, i/o): system
    0000000000000000-0000000007ffffff (prio 0, ram): pc.ram
    0000000000001000-0000000000001fff (prio -1, i/o): hidden
"""
FAST = LookOptions(Patience(timeout_s=5.0, retries=0))


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    with opened(ClusterSettings(processes=False, workers=1)) as running:
        yield running


@pytest.fixture
def dumps(tmp_path: Path) -> Path:
    folder = tmp_path / "dumps"
    folder.mkdir()
    for name in ("a.txt", "b.txt"):
        (folder / name).write_text(MAP)
    (folder / "broken.txt").write_text("address-space: memory\nnonsense\n")
    return folder


@pytest.fixture
def silent(tmp_path: Path) -> Iterator[str]:
    """A socket that takes a connection and never says anything."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "silent.sock"))
        listener.listen()
        yield f"unix:{tmp_path / 'silent.sock'}"


def by_name(client: Client, *machines: FleetMachine) -> dict[str, MachineAudit]:
    found = audit(client, FleetInventory(machines), FAST)
    return {each.machine: each for each in found}


def test_each_machine_has_a_line_and_who_fails_costs_only_its_own(client, dumps, silent, tmp_path):
    machine = FakeMachine(situation=holding(dimm(0, BASE, 1 << 30)))
    with serving(machine, tmp_path / "qmp") as served:
        found = by_name(
            client,
            FleetMachine("live", f"unix:{served.path}", "here", {"tier": "web"}),
            FleetMachine("dump", str(dumps / "a.txt")),
            FleetMachine("broken", str(dumps / "broken.txt")),
            FleetMachine("absent", "unix:/no/such.sock"),
            FleetMachine("nothing", "/no/such/file"),
            FleetMachine("silent", silent),
            FleetMachine("listing", "libvirt:", "far", trouble="tls://u:hunter2@far is down"),
        )
    assert {name: each.state for name, each in found.items()} == {
        "live": "ok", "dump": "ok", "broken": "nonsense", "absent": "unreachable",
        "nothing": "refused", "silent": "nonsense", "listing": "unreachable",
    }  # fmt: skip
    live = found["live"]
    assert live.memory is not None
    assert (live.memory.plugged, live.memory.slots_left) == (1 << 30, 3)
    assert (live.host, live.labels, live.version) == ("here", {"tier": "web"}, "7.2.22")
    assert "hunter2" not in json.dumps([each.to_json() for each in found.values()])


def test_a_host_of_which_nobody_answers_is_given_up_and_others_are_not(client, dumps):
    down = [FleetMachine(f"d{n}", f"unix:/no/such{n}", "down") for n in range(30)]
    up = [FleetMachine(f"u{n}", str(dumps / "a.txt"), "up") for n in range(30)]
    unknown = [FleetMachine(f"x{n}", f"unix:/no/such{n}") for n in range(30)]
    fleet = FleetInventory((*down, *up, *unknown))
    states: dict[str, Counter[str]] = {}
    for each in audit(client, fleet, FAST, per_host=2):
        states.setdefault(each.machine[0], Counter())[each.state] += 1
    assert states["u"] == {"ok": 30}
    assert states["x"] == {"unreachable": 30}
    assert 4 <= states["d"]["unreachable"] <= 6
    assert states["d"].total() == 30
    assert states["d"]["lost"] >= 24


def test_findings_are_those_of_lint_and_memory_is_that_of_dimms(client, dumps, tmp_path):
    dump = FleetMachine("dump", str(dumps / "a.txt"))
    ours = by_name(client, dump)["dump"].to_json()
    theirs = json.loads(run_program("lint", dumps / "a.txt", "--json").out)
    assert theirs["findings"]
    assert [f["code"] for f in ours["findings"]] == [f["code"] for f in theirs["findings"]]
    with serving(FakeMachine(), tmp_path / "qmp") as served:
        ours = by_name(client, FleetMachine("live", f"unix:{served.path}"))["live"].to_json()
        theirs = json.loads(run_program("dimms", f"unix:{served.path}", "--json").out)
    theirs = {key: value for key, value in theirs.items() if not key.startswith("format")}
    assert json.loads(json.dumps(ours["memory"])) == theirs


def test_a_machine_that_does_not_answer_is_given_up_in_time(silent, monkeypatch):
    never = threading.Event()
    monkeypatch.setattr("guestmap.fleet.look.open_peer", lambda _source: never.wait(60))
    told = look_at(FleetMachine("slow", silent), LookOptions(Patience(0.05, 0)))
    assert (told.state, told.attempts) == ("slow", 1)
    assert told.error == "it did not answer within 0.05 s"
    never.set()


def test_what_fails_is_tried_again_and_what_cannot_pass_is_not():
    patient = LookOptions(Patience(timeout_s=30.0, retries=1))
    assert look_at(FleetMachine("a", "unix:/no/such.sock"), patient).attempts == 2
    assert look_at(FleetMachine("b", "/no/such/file"), patient).attempts == 1


def test_a_bug_is_one_machines_line(monkeypatch, dumps):
    def broken(_source: str) -> None:
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr("guestmap.fleet.look.load_snapshot", broken)
    told = look_at(FleetMachine("a", str(dumps / "a.txt")), FAST)
    assert (told.state, told.error) == ("nonsense", "ZeroDivisionError: a bug")


def test_recorded_machines_go_in_batches_and_live_ones_alone():
    live = [FleetMachine(f"l{n}", f"unix:/{n}", "h1") for n in range(3)]
    recorded = [FleetMachine(f"r{n}", f"/{n}") for n in range(1000)]
    jobs = list(jobs_of([*live, *recorded], 30.0))
    assert [len(each.machines) for each in jobs] == [1] * 3 + [50] * 20
    assert [each.host for each in jobs[:3]] == ["h1"] * 3
    assert sorted(m.name for job in jobs for m in job.machines) == sorted(
        m.name for m in (*live, *recorded)
    )


def test_an_audits_folder_gives_back_what_it_was_given(client, dumps, tmp_path):
    machines = FleetInventory((
        FleetMachine("a", str(dumps / "a.txt")), FleetMachine("b", str(dumps / "b.txt")),
        FleetMachine("c", "/no/such"),
    ))  # fmt: skip
    records, tally = [], Tally()
    with audit_folder(tmp_path / "kept") as folder:
        for each in audit(client, machines, LookOptions(maps=True)):
            folder.add(each)
            tally.add(each)
            records.append(each)
        folder.end(tally.summary())
    kept = {each.machine: each for each in read_records(tmp_path / "kept")}
    assert kept["a"].findings == next(r for r in records if r.machine == "a").findings
    assert kept["a"].digest == kept["b"].digest
    (only,) = (tmp_path / "kept" / "maps").iterdir()
    assert only.stem == kept["a"].digest
    assert load_snapshot(str(only)).regions == load_snapshot(str(dumps / "a.txt")).regions
    assert tally.summary().maps == 1


@pytest.mark.parametrize("text", ["7\n", "{\n", '{"format": "other"}\n', "[" * 100_000, "\xff"])
def test_a_line_that_is_none_of_an_audit_is_named(text, tmp_path):
    file = tmp_path / "audit.jsonl"
    file.write_text(text, "latin-1")
    with pytest.raises(PeerError, match=r"audit\.jsonl, line 1: "):
        list(read_records(file))


def test_with_a_baseline_only_what_is_new_is_told(client, dumps, tmp_path):
    first = tmp_path / "first"
    assert run_program("fleet", "audit", dumps, "-o", first).status == 1
    same = run_program("fleet", "audit", dumps, "--baseline", first)
    assert same.status == 0, same
    assert "in the baseline already" in same.stdout
    (dumps / "a.txt").write_text(MAP.replace("1fff", "2fff"))
    (dumps / "b.txt").write_text("nonsense")
    known = known_findings(first)
    found = by_name(client, *(FleetMachine(p.name, str(p)) for p in sorted(dumps.iterdir())))
    news = {name: news_of(each, known) for name, each in found.items()}
    assert [f.code for f in news["a.txt"].record.findings] == [
        "hidden-region", "ram-over-device"
    ]  # fmt: skip
    assert news["a.txt"].record.findings[0].end == 0x3000
    assert {name: each.is_failure for name, each in news.items()} == {
        "a.txt": False, "b.txt": True, "broken.txt": False
    }  # fmt: skip


def test_the_worst_come_first_and_no_more_than_are_read():
    tally = Tally()
    fine = MachineAudit("fine", "f")
    for number in range(3 * WORST):
        tally.add(MachineAudit(f"m{number}", "x", state="slow" if number % 2 else "ok"))
    tally.add(fine)
    told = tally.summary()
    assert len(told.worst) == WORST
    assert told.worst[0].machine == "m1"
    assert (told.machines, told.failed) == (3 * WORST + 1, {"slow": 30})
    assert "fine" not in {each.machine for each in told.worst}


def test_the_command_prints_lines_sarif_and_sentences(dumps):
    done = run_program("fleet", "audit", dumps, "--json")
    *lines, last = map(json.loads, done.stdout.splitlines())
    assert {each["machine"] for each in lines} == {"a.txt", "b.txt", "broken.txt"}
    assert (last["machines"], last["failed"]) == (3, {"nonsense": 1})
    log = json.loads(run_program("fleet", "audit", dumps, "--sarif").out)
    rules = {each["ruleId"] for each in log["runs"][0]["results"]}
    assert "hidden-region" in rules
    words = run_program("fleet", "--select", "name=a*", "audit", dumps).stdout
    assert words.startswith("1 machine, 1 looked at")
    assert run_program("fleet", "audit", dumps, "--select", "name=a*").stdout == words


def test_nobody_chosen_is_an_error(dumps):
    done = run_program("fleet", "audit", dumps, "--select", "name=x")
    assert_one_clear_line(done, "none of 3 machines is chosen by name=x")


def test_a_condition_that_is_left_out_does_not_choose_them_all(dumps):
    done = run_program("fleet", "audit", dumps, "--select", "")
    assert_one_clear_line(done, "leave --select out for all machines")
    done = run_program("fleet", "audit", dumps, "--select")
    assert_one_clear_line(done, "--select needs a value")


def test_one_form_is_printed_and_not_two_mixed(dumps):
    done = run_program("fleet", "audit", dumps, "--sarif", "--json")
    assert done.status == 2
    assert json.loads(done.stdout)["message"].endswith("choose one")


def test_a_scheduler_without_tls_is_refused(dumps):
    done = run_program("fleet", "audit", dumps, "--scheduler", "tcp://127.0.0.1:1")
    assert_one_clear_line(done, "over TLS or not at all")


def test_a_key_that_cannot_be_read_is_named(dumps, tmp_path):
    there = tmp_path / "there.pem"
    there.write_text("")
    words = (
        "--scheduler",
        "tls://127.0.0.1:1",
        "--tls-ca",
        there,
        "--tls-cert",
        there,
        "--tls-key",
    )
    done = run_program("fleet", "audit", dumps, *words, "/no/such.pem")
    assert_one_clear_line(done, "--tls-key '/no/such.pem' cannot be read")
    done = run_program("fleet", "audit", dumps, *words, there)
    assert_one_clear_line(done, "tls://127.0.0.1:1")
