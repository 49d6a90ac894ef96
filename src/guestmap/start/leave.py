"""The end of a program that has done its work: the host takes everything back at once."""

from __future__ import annotations

import atexit
import os
import sys
import threading


def leave(status: object) -> None:
    """End the process with a status, without taking apart what is in it, which takes a while.

    What was registered for the end is called, and what was written goes out. It returns where more
    is to be waited for: another thread; a stream that cannot be written; a status that is a text.
    """
    if not isinstance(status, int) or threading.active_count() > 1 or sys.flags.inspect:
        return
    atexit._run_exitfuncs()
    try:
        for stream in (sys.stdout, sys.stderr):
            if stream is not None:
                stream.flush()
    except (OSError, ValueError):
        return
    os._exit(status & 0xFF)
