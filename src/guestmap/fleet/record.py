"""What an audit knows of one machine: a line of its report."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from guestmap.domain.overview import Overview
from guestmap.inspect.ask.findings import Finding
from guestmap.inspect.map.report import Report
from guestmap.inspect.map.snapshot import Snapshot

State = Literal["ok", "unreachable", "slow", "nonsense", "refused", "lost"]
"""How a machine was looked at.

- ``unreachable``: the operating system, or libvirt, does not connect;
- ``slow``: it did not answer in time;
- ``nonsense``: what came is not what was promised, or somebody else holds its monitor;
- ``refused``: its source names nothing, or what it needs is not installed;
- ``lost``: the worker that looked at it has gone, or there is none for its host.
"""

SILENT: frozenset[State] = frozenset({"unreachable", "slow"})
"""How machines look whose host is down."""


@dataclass(frozen=True, slots=True)
class MachineAudit(Report):
    """One machine, looked at once.

    Attributes:
        machine, host, labels: of the inventory. source: without passwords.
        state: how that went. error: why it did not; "" where it is ``ok``.
        attempts: how often it was tried. seconds: how long it took; cpu_s: the worker's own time.
        version: the program whose map it is.
        findings: as ``guestmap lint`` gives them, the worst first.
        memory: as ``guestmap dimms`` gives it; None of a dump.
        digest: names its map: two machines with one map have one.
        map: the map, where it was asked for, as ``guestmap snapshot`` gives it.
    """

    machine: str
    source: str
    host: str = ""
    labels: dict[str, str] = field(default_factory=dict)
    state: State = "ok"
    error: str = ""
    attempts: int = 1
    seconds: float = 0.0
    cpu_s: float = 0.0
    version: str = ""
    findings: tuple[Finding, ...] = ()
    memory: Overview | None = None
    digest: str = ""
    map: Snapshot | None = None

    @property
    def is_ok(self) -> bool:
        """Whether it could be looked at."""
        return self.state == "ok"
