"""What was begun with a machine and is not finished: kept in small files, so that a crash tells.

A change of several commands is noted before the first and struck out after the last. Whoever is
killed in between leaves the note, and that says afterwards whose the half of a change is. One file
for each change: two programs at once never write the same one.

The files lie where the XDG Base Directory Specification has a program's state.
"""

from __future__ import annotations

import os
import time
from contextlib import suppress
from pathlib import Path
from secrets import token_hex
from typing import Any

import msgspec

from guestmap.base import HostError, write_whole
from guestmap.base.faults import point

_VERSION = 1
_MOST_BYTES = 1 << 20
_STATE_AND_START = (0, 19)  # after the name in /proc/PID/stat: fields 3 and 22, proc(5)
_STAT_BYTES = 4096


class Process(msgspec.Struct, frozen=True):
    """A process of this host: its number, and when it began (clock ticks after the host did)."""

    number: int
    start: int

    @classmethod
    def of(cls, number: int) -> Process:
        """Return the one that has a number now; one that has ended is not alive."""
        return cls(number, _start_of(number) or 0)

    @classmethod
    def this(cls) -> Process:
        """Return this one."""
        return cls.of(os.getpid())

    @property
    def is_alive(self) -> bool:
        """Whether it still runs: another one may have its number by now."""
        return _start_of(self.number) == self.start


class Entry(msgspec.Struct, frozen=True):
    """A change that was begun.

    Attributes:
        machine: what names it, as :func:`machine_name` returns.
        run: what tells that run of it from others; "" where nothing does.
        verb: what is done: ``plug``, ``unplug``, ...
        objects: ids of what the change makes or drops.
        by: who does it.
        at: when it was begun, seconds since 1970.
        facts: what the verb needs besides.
    """

    machine: str
    verb: str
    objects: tuple[str, ...]
    by: Process
    at: int
    facts: dict[str, Any] = {}
    run: str = ""
    name: str = ""
    version: int = _VERSION

    @property
    def is_at_work(self) -> bool:
        """Whether whoever began it still runs, and may finish it."""
        return self.by.is_alive


class Journal:
    """The notes of one user.

    Args:
        folder: where they lie; it is made with the first.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def begin(
        self,
        machine: str,
        verb: str,
        objects: tuple[str, ...],
        facts: dict[str, Any] | None = None,
        *,
        run: str = "",
    ) -> Entry:
        """Note a change (its parts: see :class:`Entry`), on the disk before this returns.

        Raises:
            HostError: it cannot be written.
        """
        name = f"{verb}-{token_hex(8)}.json"
        now = int(time.time())
        entry = Entry(
            machine_name(machine), verb, objects, Process.this(), now, facts or {}, run, name
        )
        try:
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            what = f"cannot make {self.folder} ({error.strerror})"
            raise HostError(what, errno=error.errno, call="mkdir") from error
        write_whole(self.folder / name, msgspec.json.encode(entry) + b"\n", "note")
        return entry

    def finish(self, entry: Entry) -> None:
        """Strike a change out; one that is struck out already stays so."""
        with suppress(OSError):  # a note too many is looked at again, and does no harm
            point("note.before-remove")
            (self.folder / entry.name).unlink()

    def unfinished(self, machine: str, run: str = "") -> tuple[Entry, ...]:
        """Return what was begun with a machine and not struck out, oldest first.

        Another one that was at the same place before is another machine, where both tell their
        runs. What cannot be read, or is no note of this version, is passed over.
        """
        name = machine_name(machine)
        found = (each for each in map(_read, self._files()) if each is not None)
        mine = (e for e in found if e.machine == name and (not (e.run and run) or e.run == run))
        return tuple(sorted(mine, key=lambda each: (each.at, each.name)))

    def _files(self) -> list[Path]:
        try:
            return sorted(self.folder.glob("*.json"))
        except OSError:
            return []


def users_journal() -> Journal | None:
    """Return the journal of who runs this; None where there is no place for one."""
    state = os.environ.get("XDG_STATE_HOME", "")
    if not os.path.isabs(state):  # as the specification has it
        try:
            state = str(Path.home() / ".local" / "state")
        except RuntimeError:  # nobody's home
            return None
    return Journal(Path(state) / "guestmap" / "journal")


def machine_name(source: str) -> str:
    """Return what names a machine from whatever folder it is named: a socket by its whole path."""
    kind, _, path = source.partition(":")
    return f"unix:{os.path.realpath(path)}" if kind == "unix" else source


def _read(file: Path) -> Entry | None:
    try:
        with file.open("rb") as stream:
            entry = msgspec.json.decode(stream.read(_MOST_BYTES), type=Entry)
    except (OSError, ValueError, RecursionError):
        return None
    return msgspec.structs.replace(entry, name=file.name) if entry.version == _VERSION else None


def _start_of(process: int) -> int | None:
    """Return when a process began; None: there is none, or it has ended and nobody asked yet."""
    try:
        descriptor = os.open(f"/proc/{process}/stat", os.O_RDONLY | os.O_CLOEXEC)
        try:
            fields = os.read(descriptor, _STAT_BYTES).rpartition(b")")[2].split()
        finally:
            os.close(descriptor)
        state, start = (fields[index] for index in _STATE_AND_START)
        return None if state in b"ZX" else int(start)
    except (OSError, ValueError, IndexError):
        return None
