"""Places where a test may have the program killed, or the operating system refuse.

``GUESTMAP_FAULT=note.before-rename`` kills the process there with SIGKILL, as if the power had
gone; ``GUESTMAP_FAULT=config.before-write=28`` makes the operating system refuse there with that
error number. Without the variable a point does nothing. Whatever changes something outside of the
process stands between two points.
"""

from __future__ import annotations

import os
import signal

WHOLE_FILE_STEPS = (
    "before-open",
    "before-fsync",
    "before-rename",
    "before-folder-fsync",
    "after",
)
"""The steps of :func:`guestmap.base.whole_file`, each behind the kind of the file and a dot."""
WHOLE_FILES = ("file", "note", "saved", "cache")
"""The kinds: what a user asks for with ``-o``, a note of what was begun, a saved machine, what was
found out of a library."""
SOCKET_STEPS = ("before-bind", "before-listen", "after-listen", "before-remove")
"""The steps of a socket that listens, behind ``socket.``."""
PROGRESS_STEPS = ("before-write", "before-fsync", "after")
"""The steps of a line about a fleet's plan, behind ``progress.``."""
COMMANDS = ("object-add", "device_add", "device_del", "object-del", "qom-set")
"""The commands of a plan, before and after each of which ``send.`` stands."""
PID_FILE_STEPS = ("before-write", "after", "before-remove")
"""The steps of a file for the number of a process, behind ``pidfile.``."""
UNDOING = ("object-del",)
"""The commands that take back others of a plan, where a later one is refused: ``undo.``."""

POINTS = (
    *(f"{kind}.{step}" for kind in WHOLE_FILES for step in WHOLE_FILE_STEPS),
    "note.before-remove",
    "saved.before-remove",
    *(f"socket.{step}" for step in SOCKET_STEPS),
    *(f"pidfile.{step}" for step in PID_FILE_STEPS),
    "backing.before-unlink",
    *(f"progress.{step}" for step in PROGRESS_STEPS),
    *(f"send.{when}-{command}" for command in COMMANDS for when in ("before", "after")),
    *(f"undo.{when}-{command}" for command in UNDOING for when in ("before", "after")),
)
"""Every point but those of domains (:mod:`guestmap.domain.store.faults`), for tests to walk."""


def point(name: str) -> None:
    """Do what is asked for at a point; mostly nothing.

    Raises:
        OSError: a refusal is asked for.
    """
    wanted = os.environ.get("GUESTMAP_FAULT")
    if not wanted:
        return
    where, _, number = wanted.partition("=")
    if where != name:
        return
    if number:
        raise OSError(int(number), os.strerror(int(number)))
    os.kill(os.getpid(), signal.SIGKILL)
