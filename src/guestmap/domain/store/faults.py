"""Places where a test may have the program killed, or a write refused.

``GUESTMAP_FAULT=journal.before-rename`` kills the process there with SIGKILL, as if the power had
gone; ``GUESTMAP_FAULT=config.before-write=28`` makes the operating system refuse there with that
error number. Without the variable a point does nothing.
"""

from __future__ import annotations

import os
import signal

FILES = ("journal", "status", "config")
"""The files that are written, by what they are."""
STEPS = ("before-write", "before-fsync", "before-rename", "before-folder-fsync", "after")
"""The steps of writing one."""
SENDING = (
    "attach.before-object-add",
    "attach.before-device-add",
    "attach.after-device-add",
    "detach.before-device-del",
    "detach.after-device-del",
    "detach.before-object-del",
    "detach.after-object-del",
    "update.before-qom-set",
    "update.after-qom-set",
    "setmem.before-balloon",
    "setmem.after-balloon",
    "start.before-spawn",
    "start.before-exec",
    "start.before-cont",
    "start.after-cont",
    "destroy.before-kill",
    "destroy.after-kill",
    "journal.before-remove",
    "status.before-remove",
    "config.before-remove",
)
"""The steps between the files."""
POINTS = (*(f"{file}.{step}" for file in FILES for step in STEPS), *SENDING)
"""Every point, for a test that walks them all."""


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
