"""``guestmap doctor``: what is installed, what is missing, and how to get it."""

from __future__ import annotations

import json
from importlib import metadata
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from guestmap.accel import ACCELERATORS
from guestmap.cli import checks
from guestmap.cli.app import application
from guestmap.cli.checks import Check, Health, all_checks


def run(*words: str) -> Result:
    return CliRunner().invoke(application(("doctor",)), ["doctor", *words])


def named(name: str) -> Check:
    return next(each for each in all_checks() if each.name == name)


def test_each_check_is_a_line_and_the_same_in_json() -> None:
    told, form = run(), json.loads(run("--json").stdout)
    assert (form["format"], form["format_version"]) == ("guestmap.doctor", 1)
    lines = told.stdout.splitlines()
    assert len(lines) == len(form["checks"]) + len({each["area"] for each in form["checks"]})
    for each in form["checks"]:
        assert any(each["name"] in line and each["health"] in line for line in lines)


def test_what_is_absent_says_how_it_is_got() -> None:
    for each in all_checks():
        assert each.health is Health.OK or each.remedy or each.area == "engines"
        assert each.found or each.health is Health.ABSENT or each.area == "engines"


def test_every_engine_is_tried() -> None:
    tried = {each.name: each.health for each in all_checks() if each.area == "engines"}
    assert tried.keys() >= ACCELERATORS.keys()
    assert tried["none"] is Health.OK


def test_a_package_that_is_missing_names_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    known = metadata.version

    def version(name: str) -> str:
        if name == "bokeh":
            raise metadata.PackageNotFoundError(name)
        return known(name)

    monkeypatch.setattr(checks.metadata, "version", version)
    missing = named("bokeh")
    assert (missing.health, missing.remedy) == (Health.ABSENT, "pip install 'guestmap[view]'")
    assert missing.needed_for == "draw and serve"
    assert run().exit_code == 0  # what is absent is no fault


def test_what_is_for_who_works_on_guestmap_is_not_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = [
        "msgspec>=0.19", "atheris>=3; (platform_machine == 'x86_64') and extra == 'fuzz'",
        'lxml>=5; python_version < "4" and extra == "domain"', "pytest>=8.3; extra == 'dev'",
    ]  # fmt: skip
    monkeypatch.setattr(checks.metadata, "requires", lambda _name: lines)
    packages = [each for each in all_checks() if each.area == "packages"]
    assert [each.name for each in packages] == ["msgspec", "lxml"]
    assert packages[0].needed_for == "everything"
    assert packages[1].needed_for.startswith("domain")


def test_firmware_that_was_named_and_is_not_there_is_a_fault(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("GUESTMAP_BIOS", "/nowhere/at/all")
    told = named("bios-256k.bin")
    assert told.health is Health.BROKEN
    assert "/nowhere/at/all" in told.found
    assert told.remedy == "unset GUESTMAP_BIOS"
    assert run().exit_code == 2


def test_a_program_that_does_not_answer_is_a_fault(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    odd = tmp_path / "gdb"
    odd.write_text("#!/bin/sh\nexit 1\n")
    odd.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert named("gdb").health is Health.BROKEN
    assert named("virsh").health is Health.ABSENT
