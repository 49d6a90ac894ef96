from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
import typer
from typer.testing import CliRunner

from guestmap.base import ConfigError
from guestmap.cli.conform import conform
from tests.conform.test_engine import FLAT, TREE
from tests.conform.test_vectors import documented_example

if TYPE_CHECKING:
    from pathlib import Path

app = typer.Typer()
app.command()(conform)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "good.json").write_text(json.dumps(documented_example(b_answers=True)))
    return tmp_path


def test_all_equal_is_status_0(folder: Path) -> None:
    result = CliRunner().invoke(app, [str(folder)])
    assert result.exit_code == 0
    assert result.output == "1 of 1 equal\n"


def test_a_difference_is_one_line_and_status_1(folder: Path) -> None:
    form = documented_example(b_answers=True)
    form["flatviews"][0]["ranges"][0][5] = "Z"
    (folder / "bad.json").write_text(json.dumps(form))
    result = CliRunner().invoke(app, [str(folder)])
    assert result.exit_code == 1
    line, total = result.output.splitlines()
    assert line.startswith(f"{folder}/bad.json: AS 'dma', AS 'memory', range 0: QEMU ")
    assert "name=Z" in line
    assert "; guestmap " in line
    assert total == "1 of 2 equal"


def test_what_is_unsupported_is_named_and_counted_apart(folder: Path) -> None:
    form = {
        "cmdline": ["qemu", "-nodefaults"],
        "views": [],
        "steps": [{"what": "x", "ops": [["nop", ""]]}],
    }
    (folder / "q.json").write_text(json.dumps(form))
    result = CliRunner().invoke(app, [str(folder)])
    lines = result.output.splitlines()
    assert lines[0].startswith(f"{folder}/q.json: unsupported: ")
    assert lines[1] == "1 of 1 equal, 1 unsupported"
    assert result.exit_code == 0


def test_captures_are_counted_both_ways(tmp_path: Path) -> None:
    for folder in ("arm", "x86"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "mtree.txt").write_text(TREE)
        (tmp_path / folder / "mtree-f.txt").write_text(FLAT)
    result = CliRunner().invoke(app, [str(tmp_path / "arm")])
    assert result.output.splitlines()[1:] == [
        "text alone: 0 of 1 equal",
        "with flat view: 1 of 1 equal",
    ]
    assert result.exit_code == 0  # the text of another architecture may not tell
    result = CliRunner().invoke(app, [str(tmp_path)])
    assert result.exit_code == 1
    assert [line.split(" (")[0] for line in result.output.splitlines()] == [
        f"{tmp_path}/arm", f"{tmp_path}/x86",
        "text alone: 0 of 2 equal", "with flat view: 2 of 2 equal",
    ]  # fmt: skip


def test_nothing_found_is_an_error(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, [str(tmp_path)])
    assert isinstance(result.exception, ConfigError)
