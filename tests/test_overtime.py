"""A test that its limit cannot end does not hold up the others."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

from tests.support.overtime import GRACE

if TYPE_CHECKING:
    from pathlib import Path

_TESTS = """
import signal, sys, time
from tests.support.processes import popen

def test_that_no_signal_reaches():
    popen([sys.executable, "-c", "import time; time.sleep(60); 'a peer'"])
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGALRM})
    time.sleep(60)
"""


def test_it_is_ended_and_what_it_waited_for_is_told(tmp_path: Path) -> None:
    (tmp_path / "test_one.py").write_text(_TESTS)
    words = ["-p", "tests.conftest", "-p", "no:cacheprovider", "-o", "addopts=", "--timeout", "0.5"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *words, str(tmp_path)],
        env={**os.environ, GRACE: "0.5"}, capture_output=True, text=True, timeout=50, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert "test_that_no_signal_reaches did not end in 1 s, nor by its own limit" in done.stderr
    assert "import time; time.sleep(60); 'a peer'" in done.stderr
    assert "in test_that_no_signal_reaches" in done.stderr
