"""Two trees side by side: regions that came, went, or changed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from guestmap.inspect.map.report import Report
from guestmap.inspect.map.unshown import is_unshown

if TYPE_CHECKING:
    from guestmap.inspect.ask.pairs import Pairs
    from guestmap.inspect.map.snapshot import RegionInfo, Snapshot

Change = Literal[
    "added", "removed", "moved", "resized", "enabled", "disabled", "repointed", "priority",
    "readonly", "writable", "retyped",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class RegionState(Report):
    """What can change of a region; ``target`` names what an alias shows."""

    addr: int
    size: int
    priority: int
    type: str
    enabled: bool
    readonly: bool
    target: str | None
    alias_offset: int


@dataclass(frozen=True, slots=True)
class RegionChange(Report):
    """A region that is not as it was.

    Attributes:
        path: names from the root on; ``NAME#2`` is the second of that name in its container.
        place: its address in the root's terms, all containers on the path added up.
        changes: all that happened to it; what is known from before or after though it was in no
            container then (an unmapped BAR that an alias shows) is added or removed all the same.
        below: where it came or went: how many regions it holds.
    """

    path: tuple[str, ...]
    owner: str | None
    changes: tuple[Change, ...]
    before: RegionState | None
    after: RegionState | None
    place: int
    below: int = 0

    @property
    def name(self) -> str:
        """The region's name."""
        return self.path[-1].partition("#")[0]

    @property
    def container(self) -> str:
        """The name of what holds it; "" for a root."""
        return self.path[-2].partition("#")[0] if len(self.path) > 1 else ""

    @property
    def state(self) -> RegionState:
        """The region as it is after, or was before it went."""
        state = self.before if "removed" in self.changes else self.after
        assert state is not None
        return state


def region_changes(pairs: Pairs) -> tuple[RegionChange, ...]:
    """Return all regions that differ; of trees that came or went only the top.

    Nothing is said of a region, or of what it holds, that one map knows by its name only.
    """
    found: list[RegionChange] = []
    unknown = _unknown(pairs.a, pairs.to_b, pairs.b), _unknown(pairs.b, pairs.to_a, pairs.a)
    for one in pairs.a.regions:
        if one.id in unknown[0] or pairs.a.containers.get(one.id) in unknown[0]:
            continue
        if one.id in pairs.to_b:
            other = pairs.b.regions[pairs.to_b[one.id]]
            changes = _changes(one, other, pairs)
            if changes:
                states = _state(one, pairs.a), _state(other, pairs.b)
                gone = "removed" in changes
                side = (pairs.a, one) if gone else (pairs.b, other)
                path, place = path_names(*side), _place(*side)
                found.append(RegionChange(path, other.owner, changes, *states, place))
        elif pairs.a.containers.get(one.id, -1) in pairs.to_b or one.id not in pairs.a.containers:
            state, path = _state(one, pairs.a), path_names(pairs.a, one)
            place, below = _place(pairs.a, one), _below(pairs.a, one)
            found.append(RegionChange(path, one.owner, ("removed",), state, None, place, below))
    for other in pairs.b.regions:
        if other.id in pairs.to_a or pairs.b.containers.get(other.id) in unknown[1]:
            continue
        if pairs.b.containers.get(other.id, -1) in pairs.to_a or other.id not in pairs.b.containers:
            state, path = _state(other, pairs.b), path_names(pairs.b, other)
            place, below = _place(pairs.b, other), _below(pairs.b, other)
            found.append(RegionChange(path, other.owner, ("added",), None, state, place, below))
    return tuple(found)


def _unknown(snapshot: Snapshot, paired: dict[int, int], beside: Snapshot) -> set[int | None]:
    """Return the regions that one of two maps knows by name only, by their ids in the first."""
    return {
        region.id
        for region in snapshot.regions
        if is_unshown(region)
        or (region.id in paired and is_unshown(beside.regions[paired[region.id]]))
    }


def path_names(snapshot: Snapshot, region: RegionInfo) -> tuple[str, ...]:
    """Return the names from the root to a region, numbered where siblings share one."""
    names: list[str] = []
    each: RegionInfo | None = region
    while each is not None:
        holder = snapshot.containers.get(each.id)
        names.append(each.name if holder is None else _numbered(snapshot, holder, each))
        each = None if holder is None else snapshot.regions[holder]
    return tuple(reversed(names))


def _place(snapshot: Snapshot, region: RegionInfo) -> int:
    place, holder = region.addr, snapshot.containers.get(region.id)
    while holder is not None:
        place += snapshot.regions[holder].addr
        holder = snapshot.containers.get(holder)
    return place


def _numbered(snapshot: Snapshot, holder: int, region: RegionInfo) -> str:
    siblings = [snapshot.regions[c] for c in snapshot.regions[holder].children]
    same = sorted((s.addr, s.id) for s in siblings if s.name == region.name)
    number = same.index((region.addr, region.id)) + 1
    return region.name if number == 1 else f"{region.name}#{number}"


def _changes(one: RegionInfo, other: RegionInfo, pairs: Pairs) -> tuple[Change, ...]:
    was_held, is_held = one.id in pairs.a.containers, other.id in pairs.b.containers
    if was_held != is_held:
        return ("added",) if is_held else ("removed",)
    repointed = one.alias_offset != other.alias_offset or (
        one.alias is not None and pairs.to_b.get(one.alias) != other.alias
    )
    table: tuple[tuple[bool, Change], ...] = (
        (one.addr != other.addr, "moved"),
        (one.size != other.size, "resized"),
        (one.enabled and not other.enabled, "disabled"),
        (other.enabled and not one.enabled, "enabled"),
        (repointed, "repointed"),
        (one.priority != other.priority, "priority"),
        (other.readonly and not one.readonly, "readonly"),
        (one.readonly and not other.readonly, "writable"),
        (one.alias is None and one.type != other.type, "retyped"),
    )
    return tuple(change for is_so, change in table if is_so)


def _state(region: RegionInfo, snapshot: Snapshot) -> RegionState:
    target = None if region.alias is None else snapshot.regions[region.alias].name
    return RegionState(
        region.addr, region.size, region.priority, region.type, region.enabled, region.readonly,
        target, region.alias_offset,
    )  # fmt: skip


def _below(snapshot: Snapshot, region: RegionInfo) -> int:
    count, todo = -1, [region.id]
    while todo:
        count += 1
        todo += snapshot.regions[todo.pop()].children
    return count
