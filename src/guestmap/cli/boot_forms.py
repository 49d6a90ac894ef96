"""What ``guestmap boot --json`` prints: the shapes of its schema."""

from __future__ import annotations

from dataclasses import dataclass

from guestmap.inspect.map.snapshot import Snapshot


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
class VainAccessForm:
    """An access that came to nothing; ``value`` is null of a read."""

    time_s: float
    address: int
    value: int | None


@dataclass(frozen=True)
class VainAccessesForm:
    """What one instruction did in vain: ``why`` is rom, nobody or refused.

    Where not ``exact``, ``ip`` is that of the instruction or one before it since the last jump; on
    KVM, where the CPU goes on.
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
    Not ``exact``: ``ip`` is where the CPU goes on, which is all that KVM tells of a write.
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
    exact: bool


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
class ModesForm:
    """How often the CPU went from one mode to another."""

    before: str
    after: str
    count: int


@dataclass(frozen=True)
class EntryForm:
    """An entry by the reset vector, and what the firmware decided to do."""

    time_s: float
    cause: str
    decision: str


@dataclass(frozen=True)
class StackForm:
    """A stack: ``low`` and ``high`` are linear addresses that the stack pointer had.

    ``causes`` tells by which interrupts it was come to, and how often.
    """

    number: int
    kind: str
    meaning: str
    place: str
    low: int
    high: int
    born_s: float
    left_s: float
    lives: int
    hops: int
    causes: dict[str, int]


@dataclass(frozen=True)
class FlowForm:
    """The firmware's flow: what it did with modes, stacks and interrupts; the newest events.

    ``windows`` is how often hardware interrupts were opened, ``came_in`` what came in, by vector,
    ``calls`` each INT n.
    """

    modes: list[ModesForm]
    smis: int
    entries: list[EntryForm]
    windows: int
    came_in: dict[str, int]
    calls: dict[str, int]
    stacks: list[StackForm]
    events: list[LineForm]


@dataclass(frozen=True)
class Boot:
    """A boot; times count from the first instruction. ``before`` is the map at reset.

    ``in_vain`` is null where the engine does not tell, ``trace`` and ``flow`` where they were not
    asked for.
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
    flow: FlowForm | None
    statistics: dict[str, int]
    before: Snapshot
    after: Snapshot
