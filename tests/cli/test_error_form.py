"""Errors as JSON: where a program asked for JSON, it gets JSON whatever becomes of its question."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest


def run(*words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "guestmap", *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize(
    ("words", "kind", "message"),
    [
        (("tree", "/nowhere/map.json", "--json"), "ConfigError", "/nowhere/map.json"),
        (("flat", "reset:1Q", "--json"), "ConfigError", "-m 1Q"),
        (("flat", "reset", "-M", "q35", "--json"), "UnsupportedError", "q35 is not modelled"),
        (("dimms", "unix:/nowhere.sock", "--json"), "HostError", "/nowhere.sock"),
        (("explain", "--json"), "UsageError", "Missing argument"),
        (("flat", "reset", "--nonsense", "--json"), "UsageError", "--nonsense"),
    ],
)
def test_an_error_is_one_object_and_one_line(
    words: tuple[str, ...], kind: str, message: str
) -> None:
    told = run(*words)
    form = json.loads(told.stdout)
    assert (form["format"], form["format_version"]) == ("guestmap.error", 1)
    assert form["error"] == kind
    assert message in form["message"]
    assert form["exit_status"] == told.returncode == 2
    assert told.stderr.startswith("guestmap: ")
    assert told.stderr.count("\n") == 1


def test_a_refused_call_names_its_number() -> None:
    form = json.loads(run("dimms", "unix:/nowhere.sock", "--json").stdout)
    assert (form["errno"], form["call"]) == (2, "connect")


def test_without_json_nothing_is_on_stdout(tmp_path: Path) -> None:
    told = run("tree", str(tmp_path / "none.json"))
    assert (told.stdout, told.returncode) == ("", 2)
