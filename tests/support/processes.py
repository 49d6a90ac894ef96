"""Programs that a test starts end with the test, even where pytest itself is killed."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
from typing import Any

from tests.support import marked

_PR_SET_PDEATHSIG = 1  # prctl(2)


def popen(command: list[str], **options: Any) -> subprocess.Popen[Any]:
    """Start a program, as ``subprocess.Popen`` does, that the kernel kills when we end.

    More exactly, when the thread that starts it ends (prctl(2), ``PR_SET_PDEATHSIG``): start it in
    the main thread, or in one that waits for it.
    """
    # All is looked up before the fork: the child of a process with threads must wait for no lock.
    prctl, kill, parent = ctypes.CDLL(None).prctl, int(signal.SIGKILL), os.getpid()

    def end_with_parent() -> None:
        prctl(_PR_SET_PDEATHSIG, kill, 0, 0, 0)
        if os.getppid() != parent:  # it ended before we asked
            os._exit(1)

    return subprocess.Popen(command, preexec_fn=end_with_parent, **options)  # noqa: PLW1509


_MARK = "GUESTMAP_TESTS"


def end_with_us() -> None:
    """Have all programs that are started from now on end with this process, however it ends.

    That is for programs that are meant to outlive whoever starts them, as a domain's machine does:
    they inherit a variable of the environment, and a process of its own session, which does not
    have it, waits for our end and kills whatever has.
    """
    mark = f"{os.getpid()}-{os.urandom(8).hex()}"
    usual = {name: value for name, value in os.environ.items() if name != _MARK}
    subprocess.Popen(
        [sys.executable, "-SI", marked.__file__, str(os.getpid()), f"{_MARK}={mark}"],
        env=usual,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ).returncode = 0  # it is not ours to wait for
    os.environ[_MARK] = mark


def started_by_us() -> list[int]:
    """Return the numbers of the processes that ``end_with_us`` would end, of those that we see."""
    return [*marked.marked(f"{_MARK}={os.environ.get(_MARK, '')}")]
