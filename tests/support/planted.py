"""Faults that are planted into a copy of the sources: do the tests notice?"""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
_INTERNAL = 3
_BROKEN_INTO = "Plugin: hypothesispytest, Hook: pytest_runtest_makereport"


class Fault(NamedTuple):
    """One line of a source, and what to put in its place.

    Attributes:
        file: below src/guestmap.
        right: text that stands there once.
        wrong: what takes its place.
        tests: where it is to be noticed, below tests.
    """

    file: str
    right: str
    wrong: str
    tests: str

    def __str__(self) -> str:
        return f"{self.file}: {' '.join(self.wrong.split())}"


def misplaced(fault: Fault) -> str:
    """Return why a fault cannot be planted as it is written, or ""."""
    path = ROOT / "src" / "guestmap" / fault.file
    if not path.is_file():
        return f"{fault.file} is gone: name the file where {fault.right!r} stands now"
    text = path.read_text()
    if (times := text.count(fault.right)) != 1:
        return f"{fault.file} has {fault.right!r} {times} times: write what stands there once"
    try:
        ast.parse(text.replace(fault.right, fault.wrong))
    except SyntaxError as error:
        return f"{fault.file} is no Python with {fault.wrong!r} in it: {error}"
    lost = [each for each in fault.tests.split() if not _tests_of(each).exists()]
    return f"{fault.file}: no tests at {', '.join(lost)}" if lost else ""


def _tests_of(name: str) -> Path:
    return ROOT / "tests" / name.partition("::")[0]


def is_noticed(fault: Fault, folder: Path) -> bool:
    """Tell whether a test fails when the fault is there; ``folder`` is empty, for the copy.

    What is kept between two runs is not kept here: a fault must neither hide behind what was found
    without it, nor leave what it found to others.
    """
    sources = folder / "src" / "guestmap"
    shutil.copytree(ROOT / "src" / "guestmap", sources, ignore=shutil.ignore_patterns("*.pyc"))
    assert not misplaced(fault)
    path = sources / fault.file
    text = path.read_text()
    path.write_text(text.replace(fault.right, fault.wrong))
    own = {"PYTHONPATH": str(folder / "src"), "XDG_CACHE_HOME": str(folder)}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", "--timeout", "60",
         "-m", "not long and not peers and not corpus",
         *(str(ROOT / "tests" / each) for each in fault.tests.split())],
        cwd=ROOT, env={**os.environ, **own},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    return tells_of_a_fault(done.returncode, done.stdout + done.stderr)


def tells_of_a_fault(status: int, output: str) -> bool:
    """Tell whether pytest's end is a test's that failed.

    A time limit counts, too: where it breaks into a search of Hypothesis, that fails to report on
    the test, which pytest takes for an error of its own.
    """
    assert status in (0, 1) or (status == _INTERNAL and _BROKEN_INTO in output), output
    return status != 0
