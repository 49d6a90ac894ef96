"""``--schema`` of the verbs of ``guestmap fleet``: what ``--json`` prints is what it says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from guestmap.cli.fleet import verbs
from guestmap.cli.fleet_forms import FLEET_FORMS
from guestmap.cli.schemas import schema_of
from tests.domain.machines import BASE, FakeMachine, dimm, holding
from tests.fleet.test_apply import consenting
from tests.support.program import run_program
from tests.support.qmp_serving import QmpServing, serving


def held(verb: str, form: Any) -> None:
    schema = schema_of(f"fleet {verb}")
    Draft202012Validator.check_schema(schema)
    Draft202012Validator(schema).validate(form)


@pytest.fixture
def served(tmp_path: Path):
    with serving(FakeMachine(consenting), tmp_path / "qmp") as served:
        yield served


def test_every_verb_has_a_schema_and_prints_it():
    assert verbs().keys() == FLEET_FORMS.keys()
    for verb in verbs():
        printed = json.loads(run_program("fleet", verb, "--schema").stdout)
        assert printed == schema_of(f"fleet {verb}")
        assert printed["title"] == f"guestmap fleet {verb} --json"


def test_an_audit_and_an_error(served: QmpServing, tmp_path):
    (tmp_path / "broken.txt").write_text("nonsense")
    done = run_program("fleet", "audit", served.path, tmp_path / "broken.txt", "--json")
    for line in done.stdout.splitlines():
        held("audit", json.loads(line))
    assert len(done.stdout.splitlines()) == 3
    held(
        "audit",
        json.loads(run_program("fleet", "audit", "libvirt:", "--select", "x", "--json").out),
    )


def test_an_audit_of_a_machine_with_a_dimm(tmp_path):
    machine = FakeMachine(situation=holding(dimm(0, BASE, 1 << 30)))
    with serving(machine, tmp_path / "qmp") as served:
        done = run_program("fleet", "audit", served.path, "--json")
    held("audit", json.loads(done.stdout.splitlines()[0]))


def test_a_plan_and_what_becomes_of_it(served: QmpServing, tmp_path):
    plan = tmp_path / "plan.json"
    held(
        "plan",
        json.loads(run_program("fleet", "plan", "1G", served.path, "-o", plan, "--json").out),
    )
    held("plan", json.loads(plan.read_bytes()))
    applied = run_program("fleet", "apply", plan, "--json")
    held("apply", json.loads(applied.out))
    assert json.loads(applied.out)["result"]["outcome"] == "acknowledged"
    undone = run_program("fleet", "undo", plan, "--json")
    held("undo", json.loads(undone.out))
    assert json.loads(undone.out)["ending"] == "undone"


def test_an_answer_and_a_change(served: QmpServing, tmp_path):
    held("ask", json.loads(run_program("fleet", "ask", "ram", served.path, "--json").out))
    for name in ("before", "after"):
        run_program("fleet", "audit", served.path, "-o", tmp_path / name)
        run_program("plug", served.path, "1G")
    changed = run_program("fleet", "diff", tmp_path / "before", tmp_path / "after", "--json")
    held("diff", json.loads(changed.out))
    assert json.loads(changed.out)["plugged"] == [0, 1 << 30]
