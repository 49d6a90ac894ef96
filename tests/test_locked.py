"""What pyproject.toml asks for is locked, each file by its hash; and the wheel has a bill of it."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

if TYPE_CHECKING:
    from types import ModuleType

ROOT = Path(__file__).resolve().parents[1]
LOCKED = ROOT / "tools" / "locked"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
EXTRAS = PROJECT["project"]["optional-dependencies"]


def _locked(name: str) -> dict[str, list[Requirement]]:
    """Return what a file says: releases by name, each of which has at least one hash."""
    found: dict[str, list[Requirement]] = {}
    text = (LOCKED / f"{name}.txt").read_text(encoding="utf-8").replace("\\\n", " ")
    for line in text.splitlines():
        words, *hashes = line.split(" --hash=")
        assert hashes, line
        assert all(re.fullmatch(r"sha256:[0-9a-f]{64}", each.strip()) for each in hashes), line
        pin = Requirement(words)
        assert [each.operator for each in pin.specifier] == ["=="], line
        found.setdefault(canonicalize_name(pin.name), []).append(pin)
    return found


def _wished(extra: str) -> list[Requirement]:
    """Return what is asked for with an extra, those it takes in among it."""
    found = [Requirement(each) for each in PROJECT["project"]["dependencies"]]
    for each in map(Requirement, EXTRAS[extra]):
        if each.name == "guestmap":
            found += [wish for inner in each.extras for wish in _wished(inner)]
        else:
            found.append(each)
    return found


@pytest.mark.parametrize("extra", ["boot", "all", "dev", "fuzz", "audit"])
def test_each_wish_is_locked_to_a_release_that_fits(extra):
    locked = _locked(extra)
    for wish in _wished(extra):
        pins = locked[canonicalize_name(wish.name)]
        for pin in pins:
            (release,) = pin.specifier
            assert wish.specifier.contains(Version(release.version)), f"{wish}: {pin}"


def test_a_release_is_the_same_wherever_it_is_locked():
    """But for a CPython without a global lock, for which hardly anybody compiles anything."""
    names = {file.stem for file in LOCKED.glob("*.txt")} - {"free_threaded"}
    every = [_locked(name) for name in names]
    for name in set().union(*every):
        said = {tuple(str(each.specifier) for each in one[name]) for one in every if name in one}
        assert len(said) == 1, f"{name}: {said}"


def test_what_builds_is_locked():
    locked = _locked("build")
    for each in map(Requirement, PROJECT["build-system"]["requires"]):
        assert canonicalize_name(each.name) in locked


def _hook() -> ModuleType:
    spec = importlib.util.spec_from_file_location("build_hook", ROOT / "tools" / "build_hook.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_bill_names_every_release_once():
    pytest.importorskip("hatchling")
    bill: dict[str, Any] = _hook().materials(ROOT, "1.2.3")
    assert (bill["bomFormat"], bill["specVersion"]) == ("CycloneDX", "1.6")
    assert bill["metadata"]["component"]["purl"] == "pkg:pypi/guestmap@1.2.3"
    said = [each["purl"] for each in bill["components"]]
    assert len(set(said)) == len(said)
    assert {each.split("/")[1].split("@")[0] for each in said} == set(_locked("all"))
    assert bill["dependencies"][0]["dependsOn"] == said


@pytest.mark.slow
def test_the_bill_is_in_the_wheel(tmp_path):
    pytest.importorskip("hatchling")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", tmp_path],
        cwd=ROOT, check=True, capture_output=True,
    )  # fmt: skip
    (wheel,) = tmp_path.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    (bill,) = (each for each in names if "/sboms/" in each)
    assert bill.endswith(".dist-info/sboms/guestmap.cdx.json")
