"""The commands in the documents are run, and say what the documents say that they say."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

DOCS = Path(__file__).parent.parent / "docs"

pytestmark = [pytest.mark.unicorn, pytest.mark.seabios]


def _steps(document: Path) -> list[tuple[str, list[str]]]:
    """Commands of a document's console blocks, each with the lines it is said to print."""
    steps = []
    for block in re.findall(r"```console\n(.*?)```", document.read_text(), re.DOTALL):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, _, output = part.partition("\n")
            steps.append((command, output.splitlines()))
    return steps


def _assert_says(output: str, expected: list[str]) -> None:
    """Each expected line is in the output, in order; lines next to each other stay so."""
    rest = iter(output.splitlines())
    for line in expected:
        if line != "...":
            assert any(line in each for each in rest), f"{line!r} is missing in:\n{output}"


def test_the_story_of_reading_a_map_runs(tmp_path):
    steps = _steps(DOCS / "inspect.md")
    assert len(steps) > 5
    for command, expected in steps:
        run = subprocess.run(
            command.replace("guestmap ", f"{sys.executable} -m guestmap ", 1),
            shell=True, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=100,
        )  # fmt: skip
        assert run.returncode in {0, 1}, run.stderr
        _assert_says(run.stdout, expected)
