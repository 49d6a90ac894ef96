"""A test that its time limit cannot end is ended anyway, and told of: who waited, and for whom.

The limit raises in the main thread, between two of Python's instructions. A call into a library
that never comes back (libvirt's client waits for its daemon without end), an exception that is
swallowed, or a clean-up that waits after the limit has passed, is out of its reach; and the whole
run would stand until somebody ends it.
"""

from __future__ import annotations

import faulthandler
import os
import threading
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from tests.support.processes import started_by_us

if TYPE_CHECKING:
    from collections.abc import Iterator

GRACE = "GUESTMAP_TEST_GRACE_S"
"""The variable that says how long a test may clean up after its limit."""
_GRACE_S = 60.0
_TELLING_S = 1.0
_MOST = 300


@contextmanager
def ended_anyway(test: str, limit_s: float, error: int) -> Iterator[None]:
    """End this process where the ``with`` outlives the limit; pytest-xdist starts another.

    Args:
        test: its name.
        limit_s: of the test, all its fixtures included, in seconds; 0: none.
        error: the file descriptor of the real standard error; stacks and programs go there.
    """
    if limit_s <= 0:
        yield
        return
    last_s = limit_s + float(os.environ.get(GRACE, _GRACE_S))
    teller = threading.Timer(last_s, _tell, (test, last_s, error))
    teller.daemon = True
    teller.start()
    # In C, so that it ends a thread too that never lets go of the interpreter's lock.
    faulthandler.dump_traceback_later(last_s + _TELLING_S, file=error, exit=True)
    try:
        yield
    finally:
        faulthandler.cancel_dump_traceback_later()
        teller.cancel()


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
