"""No program that a test has started outlives pytest."""

from __future__ import annotations

import os
import select
import subprocess
import sys
from pathlib import Path

import pytest

_STARTS_ANOTHER = """
import sys
from tests.support.processes import popen
popen([sys.executable, "-c", "import time; time.sleep(600)"], pass_fds=[int(sys.argv[1])])
print("started", flush=True)
sys.stdin.read()
"""

_STARTS_ONE_THAT_LEAVES = """
import subprocess, sys
from tests.support.processes import end_with_us
end_with_us()
leaves = [sys.executable, "-c", "import subprocess, sys; subprocess.Popen([sys.executable, '-c', "
          "'import time; time.sleep(600)'], close_fds=False, start_new_session=True)"]
subprocess.run(leaves, close_fds=False, check=True)
print("started", flush=True)
sys.stdin.read()
"""


@pytest.mark.parametrize("starts", [_STARTS_ANOTHER, _STARTS_ONE_THAT_LEAVES], ids=["own", "left"])
def test_a_started_program_ends_with_a_parent_that_is_killed(starts: str) -> None:
    ours, theirs = os.pipe()  # its last writer is the program that was started
    with subprocess.Popen(
        [sys.executable, "-c", starts, str(theirs)],
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
