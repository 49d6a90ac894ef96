"""What ``plug``, ``unplug`` and ``resize`` print with ``--json``: the shapes of its schema."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from guestmap.domain import MemoryDevice
from guestmap.domain.finding import PlanFinding
from guestmap.domain.ost import OstAnswer
from guestmap.inspect.ask.diff import Diff


@dataclass(frozen=True)
class CommandForm:
    """A command of QMP."""

    execute: str
    arguments: dict[str, Any]


@dataclass(frozen=True)
class PlanForm:
    """What was planned."""

    verb: str
    is_stopped: bool
    blockers: list[PlanFinding]
    cautions: list[PlanFinding]
    device: MemoryDevice | None
    backend: str | None
    requested: int | None
    steps: list[CommandForm]
    map_change: Diff | None


@dataclass(frozen=True)
class ResultForm:
    """What became of it; sizes in bytes."""

    outcome: str
    meaning: str
    error: str
    wrong: list[str]
    acknowledged: bool | None
    online_bytes: int | None
    online_told_by: str | None
    notes: list[str]
    answers: list[OstAnswer]
    device: MemoryDevice | None
    map_change: Diff | None
    waited_s: float
    interrupted: bool
    plan: PlanForm


@dataclass(frozen=True)
class OutcomeForm(ResultForm):
    """The same, and how the command ends."""

    exit_status: int
