"""``guestmap draw`` as a user runs it."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tests.support.program import Done, assert_one_clear_line, run_program
from tests.view.maps import pc


def _draw(*args: object) -> Done:
    return run_program("draw", *args)


@pytest.fixture
def maps(tmp_path):
    """Two maps, before and after."""
    files = tmp_path / "before.json", tmp_path / "after.json"
    for file, shadowed in zip(files, (False, True), strict=True):
        file.write_text(json.dumps(pc(shadowed=shadowed).to_json()))
    return files


@pytest.mark.parametrize(
    ("name", "begins"),
    [("map.html", b"<!DOCTYPE html>"), ("map.svg", b"<?xml"), ("map.PNG", b"\x89PNG")],
)
def test_the_name_says_which_kind_of_picture(maps, tmp_path, name, begins):
    run = _draw(maps[1], "-o", tmp_path / name)
    assert run.status == 0, run.stderr
    assert name in run.stdout
    assert (tmp_path / name).read_bytes().startswith(begins)


def test_a_real_start(maps, tmp_path):
    command = [sys.executable, "-m", "guestmap", "draw", maps[0], "-o", tmp_path / "map.svg"]
    run = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert run.stdout.startswith(f"{tmp_path / 'map.svg'}: ")


def test_without_a_name_it_is_map_html_and_help_says_that_it_is_replaced(
    maps, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "map.html").write_text("another one")
    assert _draw(maps[0]).status == 0
    assert (tmp_path / "map.html").read_bytes().startswith(b"<!DOCTYPE html>")
    told = " ".join(_draw("--help").stdout.replace("│", " ").split())
    assert "A file of that name is replaced. [default: map.html]" in told


def test_two_maps_with_diff(maps, tmp_path):
    run = _draw("--diff", *maps, "-o", tmp_path / "both.svg")
    assert run.status == 0, run.stderr
    assert "rom pc.rom → ram pc.ram" in (tmp_path / "both.svg").read_text(encoding="utf-8")


def test_disabled_regions_on_demand(maps, tmp_path):
    for flags, there in ([], False), (["--disabled"], True):
        _draw(maps[1], *flags, "-o", tmp_path / "map.svg")
        assert ("pam-pci" in (tmp_path / "map.svg").read_text(encoding="utf-8")) == there


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["one.json", "-o", "map.gif"], ["map.gif", ".html", ".svg", ".png"]),
        (["one.json", "two.json"], ["--diff", "2"]),
        (["--diff", "one.json"], ["two sources", "1"]),
        (["no-such-file.json"], ["no-such-file.json"]),
    ],
)
def test_what_cannot_be_drawn_is_one_clear_line(args, words):
    assert_one_clear_line(_draw(*args), *words)


def test_a_folder_that_is_not_there_is_the_hosts_refusal(maps):
    run = _draw(maps[0], "-o", "/no/such/folder/map.svg")
    assert_one_clear_line(run, "No such file or directory")


def test_the_program_starts_without_the_drawing_libraries():
    code = (
        "import sys; from guestmap.cli.app import application; application();"
        "print({'bokeh', 'matplotlib'} & set(sys.modules))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "set()"
