"""Two audits of a fleet, machine by machine: what changed, causes first.

Machines that made the same step from one map to another are compared once.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from guestmap.base import ConfigError
from guestmap.fleet.audit_files import MAPS, read_records
from guestmap.fleet.record import MachineAudit, State
from guestmap.fleet.tally import identity
from guestmap.inspect import Snapshot
from guestmap.inspect.ask.diff import Diff, diff
from guestmap.inspect.ask.findings import Finding
from guestmap.inspect.map.report import Report
from guestmap.inspect.sources.open import load_snapshot


@dataclass(frozen=True, slots=True)
class MachineChange(Report):
    """What changed of one machine from one audit to the next.

    Attributes:
        machine, host: of the later audit, or of the earlier where it is gone.
        was, now: how it could be looked at; None: it is not in that audit.
        versions: of the program whose map it is, before and after.
        plugged: bytes that memory devices add, before and after; None where that is not known.
        found, settled: findings that came, and that went.
        map_change: of the map; None where it is the same, or one of both is not known.
    """

    machine: str
    host: str
    was: State | None
    now: State | None
    versions: tuple[str, str]
    plugged: tuple[int | None, int | None]
    found: tuple[Finding, ...]
    settled: tuple[Finding, ...]
    map_change: Diff | None

    @property
    def is_empty(self) -> bool:
        """Whether nothing changed."""
        return (
            self.was == self.now
            and self.versions[0] == self.versions[1]
            and self.plugged[0] == self.plugged[1]
            and not (self.found or self.settled)
            and (self.map_change is None or self.map_change.is_empty)
        )


def compare_audits(before: Path, after: Path) -> Iterator[MachineChange]:
    """Yield what changed of each machine of two audits, in the later one's order.

    Args:
        before: a folder that ``guestmap fleet audit -o`` made.
        after: another one.

    Raises:
        ConfigError, PeerError, HostError: one is no such folder, or a map of it is missing.
    """
    old = {each.machine: each for each in read_records(before)}
    steps: dict[tuple[str, str], Diff] = {}
    for now in read_records(after):
        was = old.pop(now.machine, None)
        yield _change(was, now, _step(was, now, before, after, steps))
    for was in old.values():
        yield _change(was, None, None)


def _step(
    was: MachineAudit | None,
    now: MachineAudit,
    before: Path,
    after: Path,
    steps: dict[tuple[str, str], Diff],
) -> Diff | None:
    if was is None or not was.digest or not now.digest or was.digest == now.digest:
        return None
    key = was.digest, now.digest
    if key not in steps:
        steps[key] = diff(_map(before, was.digest), _map(after, now.digest))
    return steps[key]


def _map(folder: Path, digest: str) -> Snapshot:
    path = folder / MAPS / f"{digest}.json"
    if not path.is_file():
        raise ConfigError(
            f"the audit {str(folder)!r} has not the map {digest}: write it with -o FOLDER"
        )
    return load_snapshot(str(path))


def _change(was: MachineAudit | None, now: MachineAudit | None, step: Diff | None) -> MachineChange:
    known = now or was
    assert known is not None
    old = {} if was is None else {identity(each): each for each in was.findings}
    new = {} if now is None else {identity(each): each for each in now.findings}
    return MachineChange(
        machine=known.machine,
        host=known.host,
        was=None if was is None else was.state,
        now=None if now is None else now.state,
        versions=(was.version if was else "", now.version if now else ""),
        plugged=(_plugged(was), _plugged(now)),
        found=tuple(each for key, each in new.items() if key not in old),
        settled=tuple(each for key, each in old.items() if key not in new),
        map_change=step,
    )


def _plugged(record: MachineAudit | None) -> int | None:
    return None if record is None or record.memory is None else record.memory.plugged
