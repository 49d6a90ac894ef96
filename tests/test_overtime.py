"""A test that its limit cannot end does not hold up the others."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.support.overtime import GRACE

if TYPE_CHECKING:
    from pathlib import Path

_TESTS = """
import pathlib, signal, sys, time
import pytest
from tests.support.processes import popen

@pytest.mark.parametrize("times", [1, 2])
def test_that_no_signal_reaches(times):
    before = pathlib.Path(__file__).with_name(str(times))
    stood = before.read_text() if before.exists() else ""
    if len(stood) < times:
        before.write_text(stood + ".")
        popen([sys.executable, "-c", "import time; time.sleep(60); 'a peer'"])
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGALRM})
        time.sleep(60)
"""


@pytest.mark.long
def test_it_is_ended_told_of_and_with_a_peer_tried_once_more(tmp_path: Path) -> None:
    folder = tmp_path / "tests" / "peers"
    folder.mkdir(parents=True)
    (folder / "test_one.py").write_text(_TESTS)
    words = ["-p", "tests.conftest", "-p", "no:cacheprovider", "-o", "addopts=", "--timeout", "0.5"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-n", "2", *words, f"--rootdir={tmp_path}", str(folder)],
        env={**os.environ, GRACE: "0.5"}, capture_output=True, text=True, timeout=100, check=False,
    )  # fmt: skip
    assert done.returncode == 1, done.stderr
    assert "test_that_no_signal_reaches[1] did not end in 1 s, nor by its own limit" in done.stderr
    assert "import time; time.sleep(60); 'a peer'" in done.stderr
    assert "in test_that_no_signal_reaches" in done.stderr
    assert "1 failed, 1 passed" in done.stdout
    assert done.stdout.count("TRIED ONCE MORE tests/peers/test_one.py::") == 2
