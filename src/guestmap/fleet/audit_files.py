"""What an audit leaves: a folder that the next one is compared with.

``audit.jsonl`` has a line for each machine and one for all; ``maps/DIGEST.json`` the maps, each
once, however many machines have it: a file there is a SOURCE of every other command.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import msgspec

from guestmap.base import ConfigError, HostError, PeerError, whole_file, write_whole
from guestmap.fleet.record import MachineAudit
from guestmap.fleet.tally import AuditSummary, identity

LINES = "audit.jsonl"
MAPS = "maps"
_FORMAT = "guestmap.fleet-audit"
_SUMMARY = "guestmap.fleet-summary"


def record_form(record: MachineAudit) -> dict[str, Any]:
    """Return a machine's line, without its map."""
    form = {"format": _FORMAT, "format_version": 1, **record.to_json()}
    del form["map"]
    return form


def summary_form(summary: AuditSummary) -> dict[str, Any]:
    """Return the last line."""
    return {"format": _SUMMARY, "format_version": 1, **summary.to_json()}


class AuditFolder:
    """Takes the records of a running audit.

    Args:
        folder: it is made.
        file: the lines' file.
    """

    def __init__(self, folder: Path, file: BinaryIO) -> None:
        self._folder = folder
        self._file = file
        self._kept: set[str] = set()

    def add(self, record: MachineAudit) -> None:
        """Keep a machine's line, and its map where no other had that."""
        self._line(record_form(record))
        if record.map is None or record.digest in self._kept:
            return
        self._kept.add(record.digest)
        snapshot = replace(record.map, source="")
        path = self._folder / MAPS / f"{record.digest}.json"
        write_whole(path, msgspec.json.encode(snapshot.to_json()) + b"\n")

    def end(self, summary: AuditSummary) -> None:
        """Keep what it came to."""
        self._line(summary_form(summary))

    def _line(self, form: dict[str, Any]) -> None:
        self._file.write(msgspec.json.encode(form) + b"\n")


@contextmanager
def audit_folder(folder: Path) -> Iterator[AuditFolder]:
    """Have a folder for an audit; its lines are there when all are.

    Raises:
        HostError: it cannot be written.
    """
    try:
        (folder / MAPS).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise HostError(f"cannot make {folder} ({error.strerror})", call="mkdir") from error
    with whole_file(folder / LINES) as file:
        yield AuditFolder(folder, file)


def read_records(path: Path) -> Iterator[MachineAudit]:
    """Yield the machines of an audit: of its folder, or of its lines alone.

    Raises:
        ConfigError: there is none.
        PeerError: a line is none; says which.
        HostError: it cannot be read.
    """
    file = path / LINES if path.is_dir() else path
    try:
        with file.open("rb") as stream:
            yield from _records(stream, str(file))
    except FileNotFoundError:
        raise ConfigError(
            f"there is no audit {str(file)!r}: guestmap fleet audit -o FOLDER writes one"
        ) from None
    except OSError as error:
        raise HostError(f"cannot read {str(file)!r} ({error.strerror})", call="read") from error


def _records(lines: Iterable[bytes], where: str) -> Iterator[MachineAudit]:
    for number, line in enumerate(lines, 1):
        try:
            form = msgspec.json.decode(line)
            kind = form.get("format") if isinstance(form, dict) else None
            if kind == _SUMMARY:
                continue
            if kind != _FORMAT:
                raise PeerError(f"{where}, line {number}: this is no line of an audit ({kind!r})")
            yield msgspec.convert(form, MachineAudit)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise PeerError(f"{where}, line {number}: {error}") from error


def known_findings(path: Path) -> dict[str, frozenset[str]]:
    """Return what an earlier audit found, by machine: findings, and how it could not be looked at.

    See :func:`guestmap.fleet.tally.identity`.
    """
    return {
        each.machine: frozenset((each.state, *map(identity, each.findings)))
        for each in read_records(path)
    }


class News(NamedTuple):
    """What is new of a machine.

    Attributes:
        record: without the findings that are known.
        known: how many those are.
        is_failure: it could not be looked at, and the time before it could, or in another way not.
    """

    record: MachineAudit
    known: int
    is_failure: bool


def news_of(record: MachineAudit, known: dict[str, frozenset[str]]) -> News:
    """Return what of a record an earlier audit has not."""
    before = known.get(record.machine, frozenset())
    new = tuple(each for each in record.findings if identity(each) not in before)
    is_failure = not record.is_ok and record.state not in before
    return News(replace(record, findings=new), len(record.findings) - len(new), is_failure)
