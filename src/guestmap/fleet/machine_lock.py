"""A machine's lock, beside its socket: who changes it, and what became of what was begun.

Two files, so that neither is ever half: ``SOCKET.guestmap-lock`` is held (flock(2)) by whoever is
at work, and is free the moment that process has gone, however it went; ``SOCKET.guestmap-plan``
holds the plan's id and how far it came, and stays. A lease of Dask's will not do: its holder may
lose it while it works.

A machine that is reached over a network has its files on the host of the worker, in the user's
state folder (XDG Base Directory Specification).
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import msgspec

from guestmap.base import HostError, StateError, write_whole
from guestmap.domain.journal import users_journal
from guestmap.fleet.secrets import redacted
from guestmap.qmp.client import parse_target
from guestmap.qmp.client.address import UnixTarget

_PAUSE_S = 0.1

Phase = Literal["begun", "done", "failed", "undoing", "undone"]
"""How far a plan came on a machine.

- ``begun``: it may have been plugged, or half of it; ``undoing``: it may have been taken out;
- ``done``: it is plugged, whatever the guest said; ``failed``: nothing was changed;
- ``undone``: it is out again, and so is its backend.
"""
OPEN: frozenset[Phase] = frozenset({"begun", "undoing"})


class LockNote(msgspec.Struct, frozen=True):
    """What a machine's lock says.

    Attributes:
        plan: its id. machine: the source, without passwords. run: which run of it.
        device: the DIMM's id. size: bytes.
        outcome: how it ended, in the words of ``guestmap plug``. at: seconds since 1970.
    """

    plan: str
    machine: str
    run: str
    phase: Phase
    device: str
    size: int
    outcome: str = ""
    at: int = 0

    def is_of(self, plan: str, run: str) -> bool:
        """Tell whether it is a plan's, and of this run of the machine."""
        return self.plan == plan and (not self.run or not run or self.run == run)


class MachineLock:
    """A lock that is held.

    Args:
        place: the files' common name.
    """

    def __init__(self, place: Path) -> None:
        self._file = note_file(place)

    def note(self) -> LockNote | None:
        """Return what the lock says; None: nothing was ever begun, or it cannot be understood."""
        try:
            return msgspec.json.decode(self._file.read_bytes(), type=LockNote)
        except (OSError, ValueError, RecursionError):
            return None

    def write(self, note: LockNote) -> None:
        """Have it say something; it is on the disk before this returns.

        Raises:
            HostError: the host refuses.
        """
        told = msgspec.structs.replace(note, at=int(time.time()))
        write_whole(self._file, msgspec.json.encode(told) + b"\n", "note")


def note_file(place: Path) -> Path:
    """Return the file that says what became of a plan."""
    return place.with_name(place.name + ".guestmap-plan")


def place_of(source: str) -> Path:
    """Return where a machine's lock is, without its suffix.

    Raises:
        HostError: there is no folder for it.
    """
    target = parse_target(source)
    if isinstance(target, UnixTarget):
        return Path(os.path.realpath(target.path))
    journal = users_journal()
    if journal is None:
        raise HostError("there is no folder for the locks of machines: set XDG_STATE_HOME")
    folder = journal.folder.parent / "fleet"
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise HostError(f"cannot make {folder} ({error.strerror})", call="mkdir") from error
    return folder / hashlib.blake2b(source.encode(), digest_size=16).hexdigest()


@contextmanager
def locked(source: str, wait_s: float) -> Iterator[MachineLock]:
    """Hold a machine's lock for the length of a ``with``.

    Args:
        source: names the machine.
        wait_s: seconds to wait for whoever holds it.

    Raises:
        StateError: somebody else held it all the time.
        HostError: the host refuses.
    """
    place = place_of(source)
    path = place.with_name(place.name + ".guestmap-lock")
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        what = f"cannot make the lock {path} ({error.strerror})"
        raise HostError(what, errno=error.errno, call="open") from error
    try:
        _take(descriptor, redacted(source), time.monotonic() + wait_s)
        yield MachineLock(place)
    finally:
        os.close(descriptor)


def _take(descriptor: int, source: str, until: float) -> None:
    while True:
        try:
            return fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= until:
                raise StateError(f"{source}: somebody else is changing this machine") from None
        time.sleep(_PAUSE_S)
