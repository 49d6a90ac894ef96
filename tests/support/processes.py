"""Programs that a test starts end with the test, even where pytest itself is killed."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

from tests.support import marked

_WITH_PARENT = ["setpriv", "--pdeathsig", "KILL", "sh", "-c", '[ $PPID = "$0" ] && exec "$@"']


def popen(command: list[str], **options: Any) -> subprocess.Popen[Any]:
    """Start a program, as ``subprocess.Popen`` does, that the kernel kills when we end.

    More exactly, when the thread that starts it ends (prctl(2), ``PR_SET_PDEATHSIG``): start it in
    the main thread, or in one that waits for it. Where we end before the kernel was asked for that,
    the shell, which looks afterwards, does not start the program.

    A function of ours between fork and exec (``preexec_fn``) would do the same and copy the page
    tables of all that pytest has collected, thirty times what the two small programs cost.
    """
    return subprocess.Popen([*_WITH_PARENT, str(os.getpid()), *command], **options)


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
