"""What an audit comes to: counted as it comes, so that its size is that of the answer."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from guestmap.fleet.record import MachineAudit
from guestmap.inspect.ask.findings import SEVERITIES, Finding, Severity
from guestmap.inspect.map.report import Report

WORST = 20
"""Machines that are named; the others are counted."""


@dataclass(frozen=True, slots=True)
class KindCount(Report):
    """How often a check found something, and on how many machines."""

    code: str
    severity: Severity
    findings: int
    machines: int


@dataclass(frozen=True, slots=True)
class HostCount(Report):
    """What there is of one host ("": not known): machines, and findings by severity."""

    host: str
    machines: int
    failed: int
    errors: int
    warnings: int


@dataclass(frozen=True, slots=True)
class WorstMachine(Report):
    """A machine that has something: how it went, and its findings by severity."""

    machine: str
    host: str
    state: str
    error: str
    errors: int
    warnings: int
    infos: int


@dataclass(frozen=True, slots=True)
class AuditSummary(Report):
    """What an audit comes to.

    Attributes:
        machines: looked at, or tried. failed: those that could not be looked at, by how.
        kinds: by severity, then the most frequent first. hosts: the worst first.
        worst: machines, the worst first, no more than :data:`WORST`.
        maps: how many different maps there are.
        known: findings that the baseline has, too, and that are left out.
        plugged, left: bytes of all machines that tell. orphans: backends without a device.
    """

    machines: int
    failed: dict[str, int]
    kinds: tuple[KindCount, ...]
    hosts: tuple[HostCount, ...]
    worst: tuple[WorstMachine, ...]
    maps: int
    known: int
    plugged: int
    left: int
    orphans: int


@dataclass(slots=True)
class _Host:
    machines: int = 0
    failed: int = 0
    errors: int = 0
    warnings: int = 0


@dataclass(slots=True)
class Tally:
    """Counts records."""

    machines: int = 0
    known: int = 0
    new_failures: int = 0
    plugged: int = 0
    left: int = 0
    orphans: int = 0
    failed: Counter[str] = field(default_factory=Counter)
    _findings: Counter[tuple[Severity, str]] = field(default_factory=Counter)
    _on: Counter[tuple[Severity, str]] = field(default_factory=Counter)
    _hosts: dict[str, _Host] = field(default_factory=dict)
    _worst: list[tuple[tuple[int, ...], int, WorstMachine]] = field(default_factory=list)
    _maps: set[str] = field(default_factory=set)

    def add(self, record: MachineAudit, known: int = 0, *, is_news: bool = True) -> None:
        """Count a machine.

        Args:
            record: of it; without the findings that the baseline has.
            known: how many those were.
            is_news: false: the baseline has its failure, too.
        """
        self.machines += 1
        self.known += known
        counts = Counter(each.severity for each in record.findings)
        kinds = Counter((each.severity, each.code) for each in record.findings)
        self._findings.update(kinds)
        self._on.update(kinds.keys())
        host = self._hosts.setdefault(record.host, _Host())
        host.machines += 1
        host.errors += counts["error"]
        host.warnings += counts["warning"]
        if record.is_ok:
            self._maps.add(record.digest)
        else:
            host.failed += 1
            self.failed[record.state] += 1
            self.new_failures += is_news
        if record.memory is not None:
            self.plugged += record.memory.plugged
            self.left += record.memory.left
            self.orphans += len(record.memory.orphans)
        self._keep(record, counts)

    def _keep(self, record: MachineAudit, counts: Mapping[Severity, int]) -> None:
        rank = (int(not record.is_ok), *(counts.get(each, 0) for each in SEVERITIES))
        if not any(rank):
            return
        row = WorstMachine(record.machine, record.host, record.state, record.error, *rank[1:])
        item = (rank, -self.machines, row)
        if len(self._worst) < WORST:
            heapq.heappush(self._worst, item)
        else:
            heapq.heappushpop(self._worst, item)

    def severities(self) -> set[Severity]:
        """Return the severities of which there are findings."""
        return {severity for severity, _ in self._findings}

    def summary(self) -> AuditSummary:
        """Return what it comes to so far."""
        return AuditSummary(
            machines=self.machines,
            failed=dict(self.failed.most_common()),
            kinds=tuple(self._kinds()),
            hosts=tuple(sorted(self._host_counts(), key=_badness)),
            worst=tuple(row for _, _, row in sorted(self._worst, reverse=True)),
            maps=len(self._maps),
            known=self.known,
            plugged=self.plugged,
            left=self.left,
            orphans=self.orphans,
        )

    def _kinds(self) -> Iterator[KindCount]:
        order = sorted(
            self._findings.items(),
            key=lambda each: (SEVERITIES.index(each[0][0]), -each[1], each[0][1]),
        )
        for (severity, code), count in order:
            yield KindCount(code, severity, count, self._on[severity, code])

    def _host_counts(self) -> Iterator[HostCount]:
        for name, host in self._hosts.items():
            yield HostCount(name, host.machines, host.failed, host.errors, host.warnings)


def _badness(host: HostCount) -> tuple[int, int, int, str]:
    return (-host.failed, -host.errors, -host.warnings, host.host)


def identity(finding: Finding) -> str:
    """Return what makes a finding the same one in another audit: ids of regions do not."""
    names = " ".join(each.name for each in finding.regions)
    return f"{finding.code} {finding.space} {finding.start:x} {finding.end:x} {names}"
