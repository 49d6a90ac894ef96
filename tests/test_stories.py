"""The commands in the documents are run, and say what the documents say that they say."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from guestmap.domain.manager import Manager
from guestmap.domain.store.opening import open_store

DOCS = Path(__file__).parent.parent / "docs"

pytestmark = [pytest.mark.peers, pytest.mark.unicorn, pytest.mark.seabios]


_TIME = re.compile(r"^ *\d+\.\d\d ms  ")


def _steps(document: Path) -> list[tuple[str, list[str]]]:
    """Commands of a document's console blocks, each with the lines it is said to print."""
    steps = []
    for block in re.findall(r"```console\n(.*?)```", document.read_text(), re.DOTALL):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, _, output = part.partition("\n")
            steps.append((command, output.splitlines()))
    return steps


def _assert_says(output: str, expected: list[str]) -> None:
    """Each expected line is in the output, in order, at whatever time it was said."""
    rest = iter(output.splitlines())
    for line in (_TIME.sub("", each) for each in expected):
        if line != "...":
            assert any(line in each for each in rest), f"{line!r} is missing in:\n{output}"


@pytest.mark.parametrize(
    "document", ["inspect.md", pytest.param("hotplug.md", marks=pytest.mark.nasm)]
)
def test_a_story_runs(document, tmp_path, request):
    steps = _steps(DOCS / document)
    assert len(steps) > 5
    request.addfinalizer(lambda: _end_machine(tmp_path / "boot.pid"))
    request.addfinalizer(lambda: _end_domains(tmp_path / "domains"))
    for command, expected in steps:
        run = subprocess.run(
            _with_this_python(command), shell=True, cwd=tmp_path, stdin=subprocess.DEVNULL,
            capture_output=True, text=True, check=False, timeout=100, env=_environment(),
        )  # fmt: skip
        assert run.returncode in _said_in_the_story(expected), run.stdout + run.stderr
        _assert_says(run.stdout, expected)


_STATUSES = {
    "Nothing stands in the way": 0,
    "nothing was done": 3,
    "of it the guest has": 11,
    "whether the guest uses it is not known": 10,
    "this machine tells nothing": 12,
}
"""What a story says where a command ends with a status of its own."""


def _environment() -> dict[str, str]:
    """Return ours, with the guestmap under test first among the programs."""
    programs = Path(sys.executable).parent
    return {**os.environ, "PATH": f"{programs}:{os.environ['PATH']}"}


def _with_this_python(command: str) -> str:
    """Return a command that runs the guestmap under test; its guest may be as slow as it likes."""
    command = re.sub(r"^guestmap (plug|unplug) ", r"guestmap \1 --timeout 90 ", command)
    command = re.sub(r"^guestmap ", f"{sys.executable} -m guestmap ", command)
    return re.sub(r"^python ", f"{sys.executable} ", command)


def _said_in_the_story(expected: list[str]) -> set[int]:
    """Return the exit statuses that fit: lint and diff say 1 when they find something."""
    for sentence, status in _STATUSES.items():
        if any(sentence in line for line in expected):
            return {status}
    return {0, 1}


def _end_domains(folder: Path) -> None:
    manager = Manager(open_store(str(folder)))
    for each in manager.domains():
        manager.changes.destroy(each.name)


def _end_machine(pid: Path) -> None:
    """End the machine of a story that did not come to its end."""
    if pid.exists():
        with suppress(ProcessLookupError):
            os.kill(int(pid.read_text()), signal.SIGTERM)
