"""The published cell and reclaim, checked whole: a model in Promela, every order of every step."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

MODEL = Path(__file__).with_name("cell.pml")
pytestmark = [pytest.mark.peers, pytest.mark.spin]


def explored(folder: Path, *defined: str) -> str:
    """Return what the checker that spin makes of the model says of all its states."""
    for command in (
        ["spin", *(f"-D{each}" for each in defined), "-a", str(MODEL)],
        ["gcc", "-O2", "-DSAFETY", "-o", "pan", "pan.c"],
    ):
        subprocess.run(command, cwd=folder, check=True, capture_output=True)
    done = subprocess.run(
        ["./pan", "-m100000"], cwd=folder, capture_output=True, text=True, check=True
    )
    return done.stdout


@pytest.mark.timeout(600)
def test_nobody_finds_what_is_reclaimed_and_nobody_waits_for_ever(tmp_path):
    said = explored(tmp_path)
    assert "errors: 0" in said, said
    assert "max search depth too small" not in said
    assert "Search not completed" not in said
    states = re.search(r"(\S+) states, stored", said)
    assert states is not None
    assert float(states[1]) > 1_000_000


@pytest.mark.parametrize(
    ("otherwise", "what"),
    [
        ("HASTY", "assertion violated"),  # it does not wait
        ("EARLY", "invalid end state"),  # a report finds no queue
        ("FORGETFUL", "invalid end state"),  # a thread that died is waited for
    ],
)
def test_the_model_notices_what_would_be_wrong(tmp_path, otherwise, what):
    said = explored(tmp_path, otherwise)
    assert "errors: 1" in said
    assert what in said
