"""``guestmap roms``: of our own machine, of a map in a file, and of a real QEMU."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from guestmap.cli.schemas import schema_of
from tests.domain.machines import FakeMachine
from tests.support.program import run_program
from tests.support.qemu import Qemu
from tests.support.qmp_serving import serving

jsonschema = pytest.importorskip("jsonschema")


def told(*words: str) -> dict[str, Any]:
    run = run_program("roms", *words, "--json")
    form: dict[str, Any] = json.loads(run.stdout)
    jsonschema.Draft202012Validator(schema_of("roms")).validate(form)
    return form


def test_our_own_firmware_is_at_the_end_of_4_gib():
    (bios,) = told("reset")["loaded"]
    assert bios["address"] + bios["size"] == 1 << 32
    assert [each["region"] for each in bios["answers"]] == ["pc.bios"]


def test_a_file_is_a_map_alone(tmp_path: Path):
    path = tmp_path / "map.json"
    path.write_text(run_program("snapshot", "reset").stdout)
    form = told(str(path))
    assert form["loaded"] is None
    assert form["shown"] == told("reset")["shown"]


def test_a_machine_that_does_not_tell_is_noted(tmp_path: Path):
    with serving(FakeMachine(), tmp_path / "qmp") as served:
        run = run_program("roms", f"unix:{served.path}")
    assert run.status == 0
    assert "has no 'info roms'" in run.stderr


@pytest.mark.qemu
def test_what_a_real_qemu_loaded_is_told_and_laid_against_its_map(tmp_path: Path):
    socket = f"unix:{tmp_path / 'qmp'}"
    with Qemu("-qmp", f"{socket},server=on,wait=off", "-device", "e1000,id=n") as qemu:
        lines = qemu.hmp("info roms").splitlines()
        form = told(socket)
    assert len(form["loaded"]) == len([line for line in lines if "size=" in line])
    (bios,) = [each for each in form["loaded"] if each["address"] is not None]
    assert bios["address"] + bios["size"] == 1 << 32
    assert [each["region"] for each in bios["answers"]] == ["pc.bios"]
    assert any(each["block"].endswith("e1000.rom") for each in form["unseen"])
