"""The journal of what was begun: on the disk before, gone after, and whose it is when one dies."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from guestmap.base import GIB, HostError, PeerError
from guestmap.domain import (  # fmt: skip
    Applier,
    Outcome,
    Peer,
    PlugRequest,
    UnplugRequest,
    plan_plug,
    plan_unplug,
    survey,
)
from guestmap.domain.journal import Journal, Process, machine_name, users_journal
from guestmap.domain.orphans import clean
from tests.domain.machines import BASE, FakeMachine, FakePace, dimm, holding

VM = "unix:/run/vm.sock"


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return Journal(tmp_path / "state" / "journal")


def died(journal: Journal, *objects: str, machine: str = VM, run: str = "") -> None:
    """Begin a change in a process that ends without a word."""
    program = (
        "import os, sys; from pathlib import Path; from guestmap.domain.journal import Journal\n"
        "journal, machine, run, *objects = sys.argv[1:]\n"
        "Journal(Path(journal)).begin(machine, 'plug', tuple(objects), run=run); os._exit(9)"
    )
    words = [sys.executable, "-c", program, str(journal.folder), machine, run, *objects]
    assert subprocess.run(words, check=False).returncode == 9


def played(machine: FakeMachine, journal: Journal) -> Peer:
    peer = machine.peer()
    peer.journal = journal
    return peer


def applier(peer: Peer) -> Applier:
    return Applier(peer, timeout_s=0, pace=FakePace())


def test_what_is_begun_is_there_until_it_is_finished(journal):
    one = journal.begin(VM, "plug", ("memdimm0",), {"size": GIB})
    two = journal.begin(VM, "plug", ("memdimm1",))
    journal.begin("unix:/run/other.sock", "plug", ("memdimm0",))
    assert journal.unfinished(VM) == (one, two) or journal.unfinished(VM) == (two, one)
    journal.finish(one)
    journal.finish(one)
    assert journal.unfinished(VM) == (two,)
    assert two.is_at_work
    assert {file.stat().st_mode & 0o777 for file in journal.folder.parent.iterdir()} == {0o700}


def test_who_died_is_not_at_work_and_a_number_used_again_is_another_process(journal):
    died(journal, "memx")
    (entry,) = journal.unfinished(VM)
    assert not entry.is_at_work
    mine = journal.begin(VM, "plug", ("memy",))
    (file,) = (f for f in journal.folder.iterdir() if f.name == mine.name)
    form = json.loads(file.read_text())
    form["by"]["start"] -= 1
    file.write_text(json.dumps(form))
    assert not any(each.is_at_work for each in journal.unfinished(VM))


def test_a_socket_is_the_same_from_any_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert machine_name("unix:vm.sock") == f"unix:{os.path.realpath(tmp_path)}/vm.sock"
    assert machine_name("libvirt:vm") == "libvirt:vm"


@pytest.mark.parametrize("text", ["", "[]", "{", "[" * 100_000, '{"version": 9}', "\x00\xff"])
def test_what_is_no_note_is_passed_over(journal, text):
    journal.begin(VM, "plug", ("memdimm0",))
    (journal.folder / "plug-0.json").write_text(text)
    (journal.folder / "plug-1.json").mkdir()
    assert len(journal.unfinished(VM)) == 1


def test_where_it_lies(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert users_journal().folder == tmp_path / "guestmap" / "journal"
    monkeypatch.setenv("XDG_STATE_HOME", "not/absolute")
    monkeypatch.setenv("HOME", "/home/me")
    assert users_journal().folder == Path("/home/me/.local/state/guestmap/journal")


def test_a_plug_is_noted_before_its_first_command_and_struck_out_after(journal):
    seen = []
    machine = FakeMachine(lambda m, verb, name: m.ost(0, 1, 0))
    peer = played(machine, journal)
    plan = plan_plug(survey(peer), PlugRequest(GIB, id="a"))
    add = machine._object_add
    machine._object_add = lambda **words: (seen.extend(journal.unfinished(VM)), add(**words))[1]
    machine.source = peer.source = VM
    assert applier(peer).plug(plan).outcome is Outcome.ACKNOWLEDGED
    assert [(each.verb, each.objects) for each in seen] == [("plug", ("mema",))]
    assert journal.unfinished(VM) == ()


@pytest.mark.parametrize(("refuse", "lost", "left"), [
    ({"device_add": "no"}, (), 0),
    ({"device_add": "no", "object-del": "no"}, (), 1),
    ({}, ("object-add",), 1),
])  # fmt: skip
def test_what_may_be_left_stays_noted(journal, refuse, lost, left):
    machine = FakeMachine(refuse=refuse, lost=lost)
    peer = played(machine, journal)
    plan = plan_plug(survey(peer), PlugRequest(GIB, id="a"))
    try:
        applier(peer).plug(plan)
    except PeerError:
        assert lost
    assert len(journal.unfinished(peer.source)) == left


def test_an_unplug_that_the_guest_may_still_grant_stays_noted(journal):
    machine = FakeMachine(situation=holding(dimm(0, BASE, GIB)))
    peer = played(machine, journal)
    plan = plan_unplug(survey(peer), UnplugRequest("dimm0"))
    assert applier(peer).unplug(plan).outcome is Outcome.SILENT
    assert [each.objects for each in journal.unfinished(peer.source)] == [("memdimm0",)]


def test_a_journal_that_cannot_be_kept_stops_nothing(tmp_path):
    (tmp_path / "file").write_text("")
    journal = Journal(tmp_path / "file" / "journal")
    with pytest.raises(HostError, match="journal"):
        journal.begin(VM, "plug", ("memdimm0",))
    peer = played(FakeMachine(lambda m, verb, name: m.ost(0, 1, 0)), journal)
    result = applier(peer).plug(plan_plug(survey(peer), PlugRequest(GIB)))
    assert result.outcome is Outcome.ACKNOWLEDGED
    assert "journal could not be kept" in result.notes[-1]


def test_what_a_dead_one_left_is_ours_whatever_its_name(journal):
    machine = FakeMachine()
    peer = played(machine, journal)
    machine.objects["mema"] = GIB
    assert survey(peer).situation.orphans == ()
    died(journal, "mema", machine=peer.source)
    assert survey(peer).situation.orphans == ("mema",)
    assert clean(peer, "mema", FakePace()).is_deleted
    assert (machine.sent, journal.unfinished(peer.source)) == ([("object-del", {"id": "mema"})], ())


@pytest.mark.parametrize(
    ("then", "now", "is_ours"),
    [(4711, 4711, True), (4711, 5000, False), (0, 5000, True), (4711, 0, True)],
    ids=["the same run", "another machine", "not told then", "not told now"],
)
def test_another_machine_at_the_same_place_is_not_taken_for_it(journal, then, now, is_ours):
    first = FakeMachine()
    first.thread = then
    died(journal, "mema", machine=first.source, run=survey(first.peer()).situation.run)
    second = FakeMachine()
    second.thread = now
    second.objects["mema"] = GIB  # which somebody else may be about to use
    situation = survey(played(second, journal)).situation
    assert situation.orphans == (("mema",) if is_ours else ())


def test_a_plug_notes_which_run_of_the_machine_it_was(journal):
    seen = []
    machine = FakeMachine(lambda m, verb, name: seen.extend(journal.unfinished(m.source)))
    peer = played(machine, journal)
    applier(peer).plug(plan_plug(survey(peer), PlugRequest(GIB, id="a")))
    assert [each.run for each in seen] == [survey(peer).situation.run]


def test_what_a_living_one_is_at_work_with_stays(journal):
    machine = FakeMachine()
    peer = played(machine, journal)
    machine.objects["memdimm0"] = GIB
    journal.begin(peer.source, "plug", ("memdimm0",))
    assert survey(peer).situation.orphans == ()
    cleaning = clean(peer, "memdimm0", FakePace())
    assert f"(process {os.getpid()}) is at work with memdimm0" in cleaning.told
    assert clean(peer, "memdimm0", FakePace(), force=True).is_deleted


def test_notes_of_what_is_gone_are_struck_out_at_the_next_plug(journal):
    peer = played(FakeMachine(lambda m, verb, name: m.ost(0, 1, 0)), journal)
    died(journal, "memgone", machine=peer.source)
    scene = survey(peer)
    blind = replace(scene, situation=replace(scene.situation, object_names=frozenset()))
    applier(peer).plug(plan_plug(blind, PlugRequest(GIB)))
    assert len(journal.unfinished(peer.source)) == 1  # its objects are not known
    applier(peer).plug(plan_plug(survey(peer), PlugRequest(GIB)))
    assert journal.unfinished(peer.source) == ()


def test_a_process_that_has_ended_is_not_taken_for_another():
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    begun = Process.of(child.pid)
    assert begun.is_alive
    assert not Process(begun.number, begun.start + 1).is_alive
    child.communicate(b"\n")
    assert not begun.is_alive
    assert Process.of(child.pid) == Process(child.pid, 0)
    assert not Process.of(child.pid).is_alive
