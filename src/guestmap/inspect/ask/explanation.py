"""What :func:`guestmap.inspect.ask.explain.explain` answers, as values."""

from __future__ import annotations

from typing import TYPE_CHECKING

from guestmap.base.dataclass import dataclass
from guestmap.inspect.ask.hole import Hole
from guestmap.inspect.ask.ram_place import RamPlace
from guestmap.inspect.ask.verdict import Reason
from guestmap.inspect.map.report import RegionRef, Report
from guestmap.inspect.map.snapshot import SlotInfo

if TYPE_CHECKING:
    from guestmap.inspect.map.snapshot import Snapshot
    from guestmap.inspect.map.ways import Way


@dataclass(frozen=True, slots=True)
class PathStep(Report):
    """A region on a way, and where the address lies in it.

    Attributes:
        base: address of the region's offset 0 (negative: an alias shows only a later part).
        offset: where in the region the address lies, in bytes.
        alias_of: the region that comes next because this one is an alias of it.
    """

    id: int
    name: str
    base: int
    offset: int
    priority: int
    enabled: bool
    readonly: bool
    alias_of: RegionRef | None = None


@dataclass(frozen=True, slots=True)
class Answer(Report):
    """Who answers.

    Attributes:
        start, end: the addresses around the asked one at which the same is true.
        type: as ``info mtree`` calls it: ``rom`` where writes are refused on the way.
        path: root to region; empty where the source has no trees.
        iommu: it says where an access goes, which a map does not tell.
    """

    name: str
    type: str
    offset: int
    start: int
    end: int
    priority: int
    nonvolatile: bool
    owner: str | None
    ram: RamPlace | None
    id: int | None
    path: tuple[PathStep, ...]
    iommu: bool = False


@dataclass(frozen=True, slots=True)
class Loser(Report):
    """A region that would answer if it were not for ``reason``.

    Attributes:
        start, end: the addresses around the asked one at which it loses for the same reason.
        by: what is disabled or clips, or which sibling or subregion comes first.
        against: the region on the way that loses to ``by``.
        container: what holds ``by`` and ``against`` where they are siblings.
    """

    id: int
    name: str
    type: str
    offset: int
    reason: Reason
    by: RegionRef
    against: RegionRef
    container: RegionRef | None
    start: int
    end: int
    ram: RamPlace | None
    path: tuple[PathStep, ...]


@dataclass(frozen=True, slots=True)
class Explanation(Report):
    """Everything about one address.

    Attributes:
        notes: what the result rests on that may be wrong.
        unknown: why it is not known who answers, where the source leaves out what would; "": it is.
        hole: what is round the address, where nobody answers.
        slot: the hypervisor's memory slot that serves the address, where the source tells it.
    """

    address: int
    space: str
    winner: Answer | None
    losers: tuple[Loser, ...]
    notes: tuple[str, ...] = ()
    unknown: str = ""
    hole: Hole | None = None
    slot: SlotInfo | None = None


def path_of(snapshot: Snapshot, way: Way, address: int) -> tuple[PathStep, ...]:
    """Return a way step by step, root first, with the address's place in each region."""
    return tuple(
        PathStep(
            id=step.region.id,
            name=step.region.name,
            base=step.base,
            offset=address - step.base,
            priority=step.region.priority,
            enabled=step.region.enabled,
            readonly=step.region.readonly,
            alias_of=None
            if step.region.alias is None
            else RegionRef.to(snapshot.regions[step.region.alias]),
        )
        for step in way.steps()
    )
