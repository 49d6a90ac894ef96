"""``--schema`` of the verbs of ``guestmap domain``: what ``--json`` prints is what it says."""

from __future__ import annotations

import json
import select
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from guestmap.cli.domain import verbs
from guestmap.cli.domain_forms import VERB_FORMS
from guestmap.cli.schemas import schema_of
from guestmap.testing.qmp_peer import install
from tests.domain.documents import domain, memory
from tests.support.processes import popen
from tests.support.program import run_program
from tests.support.qemu import require_qemu

VIRTIO = memory("1", "GiB", model="virtio-mem", target="<block>2048</block>")


def told(verb: str, *words: object) -> Any:
    """Run a verb with --json, hold what it prints to its schema, and return it."""
    out = run_program("domain", verb, *map(str, words), "--json").stdout
    schema = schema_of(f"domain {verb}")
    Draft202012Validator.check_schema(schema)
    forms = (
        [json.loads(line) for line in out.splitlines()] if verb == "event" else [json.loads(out)]
    )
    for each in forms:
        Draft202012Validator(schema).validate(each)
    return forms[-1]


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("GUESTMAP_DOMAINS", str(tmp_path / "domains"))
    monkeypatch.setenv("EDITOR", "true")
    emulator = install(tmp_path / "qemu-system-x86_64")
    balloon = "    <memballoon model='virtio'/>\n"
    whole = domain(emulator=str(emulator), devices=balloon)
    (tmp_path / "vm.xml").write_bytes(whole.replace(b"    <memballoon model='none'/>\n", b""))
    (tmp_path / "dimm.xml").write_bytes(memory())
    (tmp_path / "virtio.xml").write_bytes(VIRTIO)
    yield tmp_path
    run_program("domain", "destroy", "vm")


@pytest.mark.parametrize("verb", VERB_FORMS)
def test_it_is_printed_without_any_other_word(verb: str) -> None:
    printed = json.loads(run_program("domain", verb, "--schema").stdout)
    assert printed == schema_of(f"domain {verb}")
    assert printed["title"] == f"guestmap domain {verb} --json"


def test_every_verb_has_json_and_a_schema() -> None:
    assert verbs().keys() == VERB_FORMS.keys()


def test_what_each_verb_prints_is_what_its_schema_says(root: Path) -> None:
    dimm, both = root / "dimm.xml", ("--live", "--config")
    told("define", root / "vm.xml")
    told("list", "--all")
    assert "device-removed" in told("event", "--list")["kinds"]
    told("dominfo", "vm")
    told("edit", "vm")
    assert told("dominfo", "none")["refusal"]["code"] == 42
    told("start", "vm")
    assert told("attach-device", "vm", dimm, *both)["device"]["base"]
    assert told("detach-device", "vm", dimm, *both)["detached"]
    told("attach-device", "vm", dimm, *both)
    told("dominfo", "vm")
    told("detach-device-alias", "vm", "dimm0", "--live")
    told("attach-device", "vm", root / "virtio.xml", *both)
    assert (
        "<requested"
        in told("update-memory-device", "vm", "--requested-size", "4M", "--print-xml")["xml"]
    )
    told("update-memory-device", "vm", "--requested-size", "4M")
    told("setmem", "vm", "256M", "--live")
    (root / "own.xml").write_text(
        told("update-memory-device", "vm", "--requested-size", "8M", "--print-xml")["xml"]
    )
    told("update-device", "vm", root / "own.xml", "--live")
    told("dumpxml", "vm")
    told("reset", "vm")
    told("shutdown", "vm")
    told("destroy", "vm")
    told("undefine", "vm")


@pytest.mark.qemu
def test_a_plan_its_application_and_what_is_verified_are_what_their_schemas_say(root: Path) -> None:
    (root / "vm.xml").write_bytes(domain(emulator=require_qemu()))
    told("define", root / "vm.xml")
    told("start", "vm", "--paused")
    plan = told("plan", "vm", root / "dimm.xml", "--live", "--config")
    assert plan["commands"]
    (root / "plan.json").write_text(json.dumps(plan))
    assert told("apply", root / "plan.json")["alias"] == "dimm0"
    assert told("apply", root / "plan.json")["refusal"]
    assert told("verify", "vm")["devices"]
    assert told("plan", "vm", root / "dimm.xml", "--detach", "--live")["commands"]


def test_each_line_of_events_is_what_the_schema_says(root: Path) -> None:
    told("define", root / "vm.xml")
    words = [sys.executable, "-m", "guestmap", "domain", "event", "--loop", "--json"]
    with popen(words, stdout=subprocess.PIPE) as listener:
        assert listener.stdout is not None
        heard = []
        while not heard:  # until it listens
            told("start", "vm")
            told("attach-device", "vm", root / "dimm.xml", "--live")
            told("detach-device", "vm", root / "dimm.xml", "--live")
            told("destroy", "vm")
            heard = select.select([listener.stdout], [], [], 0)[0]
        told("start", "vm")
        listener.terminate()
        lines = listener.stdout.read().splitlines()
    schema = Draft202012Validator(schema_of("domain event"))
    assert lines
    for line in lines:
        schema.validate(json.loads(line))
