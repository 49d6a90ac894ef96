"""What ``--json`` prints where that is no analysis' own result: the shapes of its schema."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

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
    """The same of each map in a folder, by its path; and why one cannot be read."""

    dumps: dict[str, list[MapFinding]]
    unread: dict[str, str]


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
