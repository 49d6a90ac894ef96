"""Questions to every map, functions of one's own over them, and two audits compared."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from itertools import permutations
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import guestmap.fleet
from guestmap.base import ConfigError, StateError
from guestmap.cli.fleet_setting import alike_sentences
from guestmap.fleet import ClusterSettings, FleetMachine, Patience, opened, read_inventory
from guestmap.fleet.asking import FleetQuestion, parse_question
from guestmap.fleet.comparing import compare_audits
from guestmap.inspect import Snapshot
from tests.support.program import assert_one_clear_line, run_program

if TYPE_CHECKING:
    from distributed import Client

MAP = """address-space: memory
  0000000000000000-ffffffffffffffff (prio 0, i/o): system
    0000000000000000-0000000007ffffff (prio 0, ram): pc.ram
    0000000000001000-0000000000001fff (prio 1, i/o): thing
"""


@pytest.fixture
def dumps(tmp_path: Path) -> Path:
    folder = tmp_path / "dumps"
    folder.mkdir()
    for name in ("a.txt", "b.txt", "c.txt"):
        (folder / name).write_text(MAP)
    (folder / "c.txt").write_text(MAP.replace("thing", "other"))
    return folder


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    with opened(ClusterSettings(processes=False, workers=1)) as running:
        yield running


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("explain 0xc9000", FleetQuestion("explain", "0xc9000")),
        ("explain 0x60 --as I/O", FleetQuestion("explain", "0x60", "I/O")),
        ("why-not 'pc rom'", FleetQuestion("why-not", "pc rom")),
        ("ram", FleetQuestion("ram")),
    ],
)
def test_what_is_asked(text, expected):
    assert parse_question(text) == expected


@pytest.mark.parametrize("text", ["", "explain", "ram 1", "plug 1G", "explain 'x", "explain zz"])
def test_what_is_no_question(text):
    with pytest.raises(ConfigError):
        parse_question(text)


@pytest.mark.parametrize(
    "words",
    [("explain", "0x1800"), ("why-not", "pc.ram"), ("ram",)],
    ids=lambda words: words[0],
)
def test_an_answer_is_that_of_the_questions_own_command(words, dumps):
    done = run_program("fleet", "ask", " ".join(words), dumps / "a.txt", "--json")
    assert done.status == 0, done
    verb, *rest = words
    theirs = json.loads(run_program(verb, dumps / "a.txt", *rest, "--json").out)
    assert json.loads(done.out)["answer"] == theirs


def test_machines_that_answer_alike_are_told_together(dumps):
    (dumps / "broken.txt").write_text("nonsense")
    done = run_program("fleet", "ask", "explain 0x1800", dumps)
    assert done.status == 1
    assert done.stdout.startswith("2 machines (a.txt, b.txt):\n  0x1800 in memory: thing answers")
    assert "1 machine (c.txt):\n  0x1800 in memory: other answers" in done.stdout
    assert "1 machine (broken.txt):\n  nonsense: " in done.stdout


def test_a_question_that_is_none_is_refused_before_anybody_is_asked(dumps):
    assert_one_clear_line(run_program("fleet", "ask", "explode", dumps), "no question to a fleet")


def count(snapshot: Snapshot) -> int:
    return len(snapshot.regions)


def fail(snapshot: Snapshot) -> int:
    raise ValueError(f"tls://u:hunter2@h {len(snapshot.regions)}")


def test_a_function_of_ones_own(client, dumps):
    futures = guestmap.fleet.map(count, read_inventory([str(dumps)]), client=client)
    assert client.gather(futures) == [3, 3, 3]
    assert not any("dumps" in each.key for each in futures)


def test_the_open_client_is_taken_and_without_one_it_is_said(client, dumps):
    (future,) = guestmap.fleet.map(count, read_inventory([str(dumps / "a.txt")]))
    assert future.result(30) == 3


def test_who_fails_is_a_future_that_says_why_without_a_password(client, dumps):
    machines = [FleetMachine("gone", "/no/such"), FleetMachine("a", str(dumps / "a.txt"))]
    gone, failed = guestmap.fleet.map(fail, machines, client=client, patience=Patience(5.0, 0))
    with pytest.raises(StateError, match="gone: refused: there is no"):
        gone.result(30)
    with pytest.raises(StateError, match=r"a: ValueError: tls://u:\*\*\*@h 3"):
        failed.result(30)


def audited(dumps: Path, folder: Path) -> Path:
    run_program("fleet", "audit", dumps, "-o", folder)
    return folder


def test_what_changed_between_two_audits_is_told_once_for_all_that_changed_alike(dumps, tmp_path):
    before = audited(dumps, tmp_path / "before")
    assert run_program("fleet", "diff", before, before).stdout == "3 machines, 0 changed\n"
    for name in ("a.txt", "b.txt"):
        (dumps / name).write_text(MAP.replace("1fff", "2fff"))
    (dumps / "c.txt").unlink()
    (dumps / "d.txt").write_text(MAP)
    after = audited(dumps, tmp_path / "after")
    done = run_program("fleet", "diff", before, after)
    assert done.status == 1
    assert done.stdout.startswith("4 machines, 4 changed\n2 machines (a.txt, b.txt):\n")
    assert "resized from 4 KiB to 8 KiB" in done.stdout
    changes = {each.machine: each for each in compare_audits(before, after)}
    assert (changes["c.txt"].was, changes["c.txt"].now) == ("ok", None)
    assert (changes["d.txt"].was, changes["d.txt"].now) == (None, "ok")
    assert changes["a.txt"].map_change is not None


def test_who_answers_first_does_not_change_what_is_told():
    said = {("x",): ["c"], ("y",): ["e", "b"], ("z",): ["a"]}
    expected = ["2 machines (b, e):", "  y", "1 machine (a):", "  z", "1 machine (c):", "  x"]
    for order in permutations(said.items()):
        assert list(alike_sentences(dict(order))) == expected


def test_a_change_is_that_of_diff(dumps, tmp_path):
    before = audited(dumps, tmp_path / "before")
    old = tmp_path / "old.txt"
    old.write_text((dumps / "a.txt").read_text())
    (dumps / "a.txt").write_text(MAP.replace("1fff", "2fff"))
    done = run_program("fleet", "diff", before, audited(dumps, tmp_path / "after"), "--json")
    theirs = json.loads(run_program("diff", old, dumps / "a.txt", "--json").out)
    ours = json.loads(done.out)["map_change"]
    assert ours["regions"] == theirs["regions"]
    assert ours["views"] == theirs["views"]


def test_an_audit_without_maps_or_none_at_all_is_said(dumps, tmp_path):
    before = audited(dumps, tmp_path / "before")
    (dumps / "a.txt").write_text(MAP.replace("1fff", "2fff"))
    after = audited(dumps, tmp_path / "after")
    for each in (after / "maps").iterdir():
        each.unlink()
    assert_one_clear_line(run_program("fleet", "diff", before, after), "has not the map")
    assert_one_clear_line(run_program("fleet", "diff", before, dumps), "there is no audit")
    (before / "audit.jsonl").write_text('{"format": 7}\n')
    assert_one_clear_line(run_program("fleet", "diff", before, after), "line 1")


@pytest.mark.peers
def test_the_program_of_the_documentation_runs(dumps):
    document = Path(__file__).parents[2] / "docs" / "fleet.md"
    (_, program) = document.read_text().split("```python\n")
    (dumps / "run.py").write_text(program.partition("```")[0])
    (dumps / "hosts.toml").write_text('[[machine]]\nsource = "a.txt"\n')
    done = subprocess.run(
        [sys.executable, "run.py"],
        cwd=dumps,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout == "[0]\n", done
