"""The points of :mod:`guestmap.base.faults` that a change of a domain passes."""

from __future__ import annotations

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
    "shutdown.before-powerdown",
    "shutdown.after-powerdown",
    "reset.before-reset",
    "reset.after-reset",
    "journal.before-remove",
    "status.before-remove",
    "config.before-remove",
    "memory.before-remove",
    "memory.after-remove",
    "memories.before-remove",
    "memories.after-remove",
    "sockets.before-remove",
)
"""The steps between the files."""
POINTS = (*(f"{file}.{step}" for file in FILES for step in STEPS), *SENDING)
"""Every point, for a test that walks them all."""
