"""What the verbs of ``guestmap fleet`` print with ``--json``: the shapes of their schemas."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

from guestmap.cli.plug_forms import ResultForm
from guestmap.domain.overview import Overview
from guestmap.fleet.applied import Ending
from guestmap.fleet.fleet_plan import FleetPlan
from guestmap.fleet.record import State
from guestmap.fleet.tally import HostCount, KindCount, WorstMachine
from guestmap.inspect.ask.diff import Diff
from guestmap.inspect.ask.findings import Finding


@dataclass(frozen=True)
class FleetAuditLine:
    """A machine of an audit; see the fields of ``guestmap.fleet.record.MachineAudit``."""

    format: str
    format_version: int
    machine: str
    source: str
    host: str
    labels: dict[str, str]
    state: State
    error: str
    attempts: int
    seconds: float
    cpu_s: float
    version: str
    findings: list[Finding]
    memory: Overview | None
    digest: str


@dataclass(frozen=True)
class FleetAuditEnd:
    """The last line of an audit; see ``guestmap.fleet.tally.AuditSummary``."""

    format: str
    format_version: int
    machines: int
    failed: dict[str, int]
    kinds: list[KindCount]
    hosts: list[HostCount]
    worst: list[WorstMachine]
    maps: int
    known: int
    plugged: int
    left: int
    orphans: int


@dataclass(frozen=True)
class FleetAppliedLine:
    """A machine of a plan; see ``guestmap.fleet.applied.AppliedMachine``."""

    format: str
    format_version: int
    machine: str
    host: str
    ending: Ending
    outcome: str
    error: str
    earlier: bool
    settled: str
    result: ResultForm | None


@dataclass(frozen=True)
class FleetAnswerLine:
    """A machine's answer; ``answer`` is what the question's own command prints."""

    format: str
    format_version: int
    machine: str
    host: str
    state: State
    error: str
    answer: dict[str, Any] | None


@dataclass(frozen=True)
class FleetDiffLine:
    """A machine that changed; see ``guestmap.fleet.comparing.MachineChange``."""

    format: str
    format_version: int
    machine: str
    host: str
    was: State | None
    now: State | None
    versions: tuple[str, str]
    plugged: tuple[int | None, int | None]
    found: list[Finding]
    settled: list[Finding]
    map_change: Diff | None


FLEET_FORMS: Final[Mapping[str, tuple[type, ...]]] = MappingProxyType({
    "audit": (FleetAuditLine, FleetAuditEnd),
    "diff": (FleetDiffLine,),
    "ask": (FleetAnswerLine,),
    "plan": (FleetPlan,),
    "apply": (FleetAppliedLine,),
    "undo": (FleetAppliedLine,),
})  # fmt: skip
"""By verb."""
