"""Programs that a test starts end with the test, even where pytest itself is killed."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
from typing import Any

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
