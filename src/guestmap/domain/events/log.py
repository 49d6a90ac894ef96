"""Events of domains as JSON lines in one file, which every command of the manager appends to."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from pathlib import Path

KINDS = (
    "lifecycle",
    "job",
    "device-added",
    "device-removed",
    "device-removal-failed",
    "memory-device-size-change",
    "guest-acknowledged",
)
"""Kinds of events; names are libvirt's where it has them."""
_MOST_BYTES = 4 << 20
_MOST_LINE = 4096


class DomainEvent(msgspec.Struct, frozen=True, omit_defaults=True):
    """Something that happened.

    Attributes:
        event: one of :data:`KINDS`.
        domain: the name of whose.
        at: seconds since 1970.
        detail: what exactly: ``defined``, ``started``; an alias; who began a job.
        facts: what else is known.
    """

    event: str
    domain: str
    at: float = 0.0
    detail: str = ""
    facts: dict[str, Any] = {}


class EventLog:
    """The file; lines are shorter than what one write puts in whole.

    Args:
        path: the file. When it is long, it is put aside, and begun anew.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def tell(self, event: str, domain: str, detail: str = "", **facts: Any) -> DomainEvent:
        """Append an event; a host that refuses loses the event and nothing else."""
        told = DomainEvent(event, domain, round(time.time(), 6), detail, facts)
        line = msgspec.json.encode(told) + b"\n"
        with suppress(OSError):
            descriptor = self._open()
            try:
                os.write(descriptor, line[:_MOST_LINE] if len(line) <= _MOST_LINE else b"")
                is_long = os.fstat(descriptor).st_size > _MOST_BYTES
            finally:
                os.close(descriptor)
            if is_long:
                self.path.replace(self.path.with_name(f"{self.path.name}.before"))
        return told

    def _open(self) -> int:
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        try:
            return os.open(self.path, flags, 0o600)
        except FileNotFoundError:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            return os.open(self.path, flags, 0o600)


class Tail:
    """Reads the events that come from now on.

    Args:
        log: where they are told.
    """

    def __init__(self, log: EventLog) -> None:
        self._path = log.path
        self._before = log.path.with_name(f"{log.path.name}.before")
        self._number = _inode(self._path)
        self._place = _size(self._path if self._number else self._before)

    def news(self) -> list[DomainEvent]:
        """Return the events since the last call."""
        number = _inode(self._path)
        if number == self._number != 0:
            return self._read(self._path, self._place)
        rest = self._read(self._before, self._place)  # put aside, or not begun yet
        if not number:
            return rest
        self._number, self._place = number, 0
        return [*rest, *self._read(self._path, 0)]

    def _read(self, path: Path, place: int) -> list[DomainEvent]:
        try:
            with path.open("rb") as file:
                file.seek(place)
                data = file.read(_MOST_BYTES)
        except OSError:
            return []
        lines, _, _ = data.rpartition(b"\n")
        self._place = place + len(lines) + 1 if lines else place
        return [event for line in lines.splitlines() if (event := _event(line)) is not None]


def _size(path: Path) -> int:
    with suppress(OSError):
        return path.stat().st_size
    return 0


def _inode(path: Path) -> int:
    with suppress(OSError):
        return path.stat().st_ino
    return 0


def _event(line: bytes) -> DomainEvent | None:
    try:
        return msgspec.json.decode(line, type=DomainEvent)
    except (ValueError, RecursionError):
        return None
