"""A test that its time limit cannot end is ended anyway, and told of: who waited, and for whom.

The limit raises in the main thread, between two of Python's instructions. A call into a library
that never comes back (libvirt's client waits for its daemon without end), an exception that is
swallowed, or a clean-up that waits after the limit has passed, is out of its reach; and the whole
run would stand until somebody ends it.

One thread watches all tests of a process: a thread for each would cost more than most tests do.
"""

from __future__ import annotations

import faulthandler
import os
import threading
import time
from pathlib import Path

from tests.support.processes import started_by_us

GRACE = "GUESTMAP_TEST_GRACE_S"
"""The variable that says how long a test may clean up after its limit."""
_GRACE_S = 60.0
_IDLE_S = 300.0
"""How long a worker of pytest-xdist may wait for a word from its master, between two tests."""
_TELLING_S = 1.0
_LATER_S, _LATEST_S = 30.0, 300.0
_MOST = 300


class Overtime:
    """Ends this process where a test outlives its limit and the grace; xdist starts another.

    Args:
        error: the file descriptor of the real standard error; stacks and programs go there.
    """

    def __init__(self, error: int) -> None:
        self._error = error
        self._changed = threading.Condition()
        self._watched = ("", 0.0)
        self._ends_s = 0.0
        self._wakes_s = self._dumps_s = float("inf")
        self._thread: threading.Thread | None = None

    def watch(self, test: str, limit_s: float) -> None:
        """Give a test its time, all its fixtures included, in seconds; 0: as much as it wants."""
        if limit_s > 0:
            self._expect(test, limit_s + float(os.environ.get(GRACE, _GRACE_S)))
        else:
            self.close()

    def idle(self) -> None:
        """Say that no test runs, and that one is to come."""
        self._expect("what comes between two tests", _IDLE_S)

    def close(self) -> None:
        """Watch nothing."""
        with self._changed:
            self._ends_s = float("inf")
        faulthandler.cancel_dump_traceback_later()
        self._dumps_s = float("inf")

    def _expect(self, what: str, seconds: float) -> None:
        ends_s = time.monotonic() + seconds
        with self._changed:
            self._watched, self._ends_s = (what, seconds), ends_s
            if self._thread is None:
                self._thread = threading.Thread(target=self._look, daemon=True)
                self._thread.start()
            elif ends_s < self._wakes_s:
                self._changed.notify()
        # In C, so that it ends a thread too that never lets go of the interpreter's lock. What is
        # set for the test before does as well where it comes soon after this one's end.
        if not ends_s + _TELLING_S < self._dumps_s < ends_s + _LATEST_S:
            self._dump(seconds + _LATER_S)

    def _dump(self, seconds: float) -> None:
        self._dumps_s = time.monotonic() + seconds
        faulthandler.dump_traceback_later(seconds, file=self._error, exit=True)

    def _look(self) -> None:
        with self._changed:
            while (left_s := self._ends_s - time.monotonic()) > 0:
                self._wakes_s = self._ends_s
                self._changed.wait(min(left_s, threading.TIMEOUT_MAX))
            _tell(*self._watched, self._error)
            self._dump(_TELLING_S)


def _tell(test: str, last_s: float, error: int) -> None:
    lines = [f"{test} did not end in {last_s:g} s, nor by its own limit. Programs of this run:"]
    for number in started_by_us():
        folder = Path(f"/proc/{number}")
        try:
            words = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            state = (folder / "stat").read_text().rpartition(")")[2].split()[0]
            waits = (folder / "wchan").read_text()
        except OSError:  # it has ended
            continue
        lines.append(f"  {number} {state} {waits or '-'}: {words[:_MOST]}")
    os.write(error, ("\n" + "\n".join(lines) + "\n").encode())
