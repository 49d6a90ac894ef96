"""What a process has mapped, as ``/proc/PID/maps`` tells it (proc_pid_maps(5))."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from guestmap.base import PeerError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_LINE = re.compile(r"([0-9a-f]+)-([0-9a-f]+) ([r-])([w-])[x-][ps] ")


class ProcessMapping(NamedTuple):
    """Addresses ``start <= a < end`` of the process, alike."""

    start: int
    end: int
    readable: bool
    writable: bool


def read_mappings(lines: Iterable[str], *, source: str) -> list[ProcessMapping]:
    """Return what a file of that form tells.

    Args:
        lines: the file's.
        source: what it is, for messages.

    Raises:
        PeerError: it is of another form.
    """
    made = []
    for number, line in enumerate(lines, 1):
        found = _LINE.match(line)
        if found is None:
            raise PeerError(
                f"{source}, line {number} is not of the form of /proc/PID/maps: {line[:60]!r}"
            )
        start, end, readable, writable = found.groups()
        made.append(ProcessMapping(int(start, 16), int(end, 16), readable == "r", writable == "w"))
    return made


def is_mapped(mappings: Sequence[ProcessMapping], start: int, size: int, *, writable: bool) -> bool:
    """Tell whether all of a run of bytes is mapped; ``mappings`` are in order."""
    at = start
    for each in mappings:
        if each.start <= at < each.end and each.readable and (each.writable or not writable):
            at = each.end
    return at >= start + size
