"""No program that a test has started outlives pytest."""

from __future__ import annotations

import os
import select
import subprocess
import sys
from pathlib import Path

_STARTS_ANOTHER = """
import sys
from tests.support.processes import popen
popen([sys.executable, "-c", "import time; time.sleep(600)"], pass_fds=[int(sys.argv[1])])
print("started", flush=True)
sys.stdin.read()
"""


def test_a_started_program_ends_with_a_parent_that_is_killed() -> None:
    ours, theirs = os.pipe()  # its last writer is the program that was started
    with subprocess.Popen(
        [sys.executable, "-c", _STARTS_ANOTHER, str(theirs)],
        cwd=Path(__file__).parent.parent,
        pass_fds=[theirs],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as parent:
        os.close(theirs)
        assert parent.stdout is not None
        assert parent.stdout.readline() == b"started\n"
        parent.kill()
    assert select.select([ours], [], [], 30)[0]
    assert os.read(ours, 1) == b""
    os.close(ours)
