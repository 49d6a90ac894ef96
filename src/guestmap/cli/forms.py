"""What ``--json`` prints where that is no analysis' own result: the shapes of its schema."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from guestmap.domain import MemoryDevice
from guestmap.domain.finding import PlanFinding
from guestmap.domain.ost import OstAnswer
from guestmap.inspect.ask.diff import Diff
from guestmap.inspect.ask.findings import Finding as MapFinding
from guestmap.inspect.ask.flats import FlatBlock
from guestmap.inspect.ask.pci.unmapped import Unmapped
from guestmap.inspect.ask.trees import TreeBlock
from guestmap.inspect.map.snapshot import Snapshot


@dataclass(frozen=True)
class Trees:
    """The trees of a map; ``version`` is the program whose map it is."""

    source: str
    version: str
    trees: list[TreeBlock]


@dataclass(frozen=True)
class Views:
    """The flat views of a map; ``version`` is the program whose map it is."""

    source: str
    version: str
    views: list[FlatBlock]


@dataclass(frozen=True)
class OnlyUnmapped:
    """Regions of a running machine that are in no tree."""

    unmapped: list[Unmapped]


@dataclass(frozen=True)
class Lint:
    """What is wrong or suspicious in a map."""

    findings: list[MapFinding]


@dataclass(frozen=True)
class LintOfDumps:
    """The same of each map in a folder, by its path."""

    dumps: dict[str, list[MapFinding]]


# -- boot, and watch -------------------------------------------------------------------------------


@dataclass(frozen=True)
class MachineForm:
    """The machine that was booted; ``ram_size`` in bytes."""

    board: str
    ram_size: int
    cpus: int
    engine: str
    engine_parts: dict[str, str]


@dataclass(frozen=True)
class PhaseForm:
    """A phase of the firmware, and what showed that it began."""

    name: str
    time_s: float
    evidence: str


@dataclass(frozen=True)
class LineForm:
    """A line of the firmware's log."""

    time_s: float
    text: str


@dataclass(frozen=True)
class Reset:
    """A reset of the machine."""

    time_s: float
    reason: str


@dataclass(frozen=True)
class CommitRange:
    """A range of a view, in bytes."""

    start: int
    size: int
    type: str
    name: str
    offset_in_region: int


@dataclass(frozen=True)
class CommitChange:
    """What changed in the views of one root."""

    root: str
    removed: list[CommitRange]
    added: list[CommitRange]


@dataclass(frozen=True)
class Commit:
    """A change of the map, and its cause."""

    generation: int
    time_s: float
    cause: str
    rerouted: list[str]
    changes: list[CommitChange]


@dataclass(frozen=True)
class BytesRange:
    """Who answers where the bytes are from; ``end`` is the address after the last."""

    start: int
    end: int
    name: str
    type: str


@dataclass(frozen=True)
class BytesPlace:
    """Where bytes lie in a file of guest RAM: ``start`` at ``offset`` in the block."""

    start: int
    end: int
    block: str
    offset: int
    file: str
    file_offset: int


@dataclass(frozen=True)
class Bytes:
    """Bytes from ``start`` to ``end``: in ``hex``, or in ``file``.

    ``places`` is empty where they are not from files of guest RAM.
    """

    start: int
    end: int
    ranges: list[BytesRange]
    places: list[BytesPlace]
    hex: str | None
    file: str | None


@dataclass(frozen=True)
class VainAccessForm:
    """An access that came to nothing; ``value`` is null of a read."""

    time_s: float
    address: int
    value: int | None


@dataclass(frozen=True)
class VainAccessesForm:
    """What one instruction did in vain: ``why`` is rom, nobody or refused.

    Where not ``exact``, ``ip`` is that of the instruction or one before it since the last jump.
    """

    space: str
    why: str
    kind: str
    size: int
    region: str | None
    cs: int
    ip: int
    exact: bool
    low: int
    high: int
    count: int
    first: VainAccessForm
    last: VainAccessForm


@dataclass(frozen=True)
class InVainForm:
    """What the guest did in vain; ``unlisted`` accesses found no room in the list."""

    entries: list[VainAccessesForm]
    unlisted: int


@dataclass(frozen=True)
class TracedForm:
    """An access that was traced: ``kind`` is read, write or execute; ``region`` null for nobody.

    ``address`` is physical; of an instruction that is executed, linear, and its ``value`` null.
    """

    time_s: float
    kind: str
    address: int
    size: int
    value: int | None
    region: str | None
    offset: int
    cs: int
    ip: int


@dataclass(frozen=True)
class SegmentForm:
    """A segment register, or a descriptor table."""

    selector: int
    base: int
    limit: int


@dataclass(frozen=True)
class RegistersForm:
    """The registers of a CPU, by name."""

    general: dict[str, int]
    segments: dict[str, SegmentForm]


@dataclass(frozen=True)
class TraceForm:
    """What was traced: the newest accesses, those ``forgotten`` before, and what it stopped at."""

    forgotten: int
    accesses: list[TracedForm]
    stopped: TracedForm | None
    registers: RegistersForm | None


@dataclass(frozen=True)
class Boot:
    """A boot; times count from the first instruction. ``before`` is the map at reset.

    ``in_vain`` is null where the engine does not tell, ``trace`` where none was asked for.
    """

    version: str
    machine: MachineForm
    state: str
    phases: list[PhaseForm]
    log: list[LineForm]
    resets: list[Reset]
    commits_forgotten: int
    commits: list[Commit]
    in_vain: InVainForm | None
    trace: TraceForm | None
    statistics: dict[str, int]
    before: Snapshot
    after: Snapshot


@dataclass(frozen=True)
class EventForm:
    """An event of QMP."""

    name: str
    data: dict[str, Any]


@dataclass(frozen=True)
class WatchBegin:
    """The first line: the machine as it was found."""

    format: str
    format_version: int
    source: str
    version: str
    interval_s: float | None
    snapshot: Snapshot


@dataclass(frozen=True)
class WatchLook:
    """A line for each look at which something was new; ``cause`` where it is known."""

    time_s: float
    events: list[EventForm]
    diff: Diff | None = None
    snapshot: Snapshot | None = None
    cause: str | None = None


@dataclass(frozen=True)
class WatchEnd:
    """The last line: what it came to."""

    time_s: float
    looks: int
    changes: int
    events: int
    ended: bool


# -- plug, unplug, resize, doctor, and errors ------------------------------------------------------


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
class OutcomeForm:
    """What became of it; sizes in bytes."""

    exit_status: int
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
class CheckForm:
    """One thing that was looked at."""

    area: str
    name: str
    health: str
    found: str
    needed_for: str
    remedy: str


@dataclass(frozen=True)
class Checks:
    """All that was looked at."""

    checks: list[CheckForm]


@dataclass(frozen=True)
class Error:
    """Why there is no answer; ``errno`` and ``call`` where the host refused."""

    format: str
    format_version: int
    error: str
    message: str
    exit_status: int
    errno: int | None = None
    call: str | None = None
