"""The parts of a panel: what some address spaces see, and the tree that makes it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from guestmap.inspect.ask.slot_words import SEEN_BY_CPUS
from guestmap.inspect.ask.spaces import NamedSpace, Spaces
from guestmap.inspect.ask.view_diff import range_changes
from guestmap.inspect.map.shown import shown
from guestmap.inspect.map.views import join, physical_root
from guestmap.inspect.map.ways import Way, walk
from guestmap.view.flat_boxes import flat_layer
from guestmap.view.tree_boxes import LaneKey, Layer, tree_layers

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from guestmap.inspect import RangeInfo, Snapshot
    from guestmap.inspect.map.snapshot import SlotInfo


@dataclass(slots=True)
class Section:
    """Address spaces that see the same.

    Attributes:
        end: the first address after the root.
        places: regions that lie at their own addresses below the root, with their bases.
        differs: the source showed another view than its tree implies.
    """

    spaces: list[str]
    end: int
    flat: Layer
    layers: dict[LaneKey, Layer]
    root: int | None
    ranges: tuple[RangeInfo, ...]
    places: set[tuple[int, int]] = field(default_factory=set)
    differs: bool = False


@dataclass(slots=True)
class Family:
    """Sections whose addresses mean the same, so that they share an axis.

    Attributes:
        number: its place among those of its snapshot.
    """

    sections: list[Section]
    number: int = 0


@dataclass(slots=True)
class SnapshotSections:
    """All of a snapshot that can be drawn.

    Attributes:
        blind: the names of spaces that show nothing.
        by_view: the sections by what they show.
    """

    families: list[Family]
    blind: list[str]
    by_view: dict[tuple[object, ...], Section] = field(default_factory=dict)
    by_root: dict[tuple[int, int], int] = field(default_factory=dict)
    """The family of a root at its own address, by its number."""
    by_place: dict[tuple[int, int], int] = field(default_factory=dict)
    """The first family that a region lies in at an address, by its number."""


def find_sections(snapshot: Snapshot, *, show_disabled: bool = False) -> SnapshotSections:
    """Return what a snapshot has to show, address spaces that see the same put together."""
    findings = SnapshotSections([], [])
    if snapshot.regions:
        _from_trees(snapshot, findings, show_disabled=show_disabled)
    else:
        _from_views(snapshot, findings)
    return findings


def _from_trees(snapshot: Snapshot, findings: SnapshotSections, *, show_disabled: bool) -> None:
    spaces = Spaces(snapshot)
    groups: dict[int | None, list[NamedSpace]] = {}
    for space in spaces.all:
        if space.root is not None:
            groups.setdefault(physical_root(snapshot, space.root), []).append(space)
    named = [([each.name for each in group], root) for root, group in groups.items()]
    for unsorted, root in sorted(named, key=lambda each: _rank(each[0])):
        names = sorted(unsorted, key=lambda name: _rank((name,)))
        if root is None:
            findings.blind += names
            continue
        ways = list(walk(snapshot, root, disabled=show_disabled))
        view = spaces.ranges(next(each for each in groups[root] if each.name == names[0]))
        if _joined(findings, view, names):
            continue
        places = {(way.region.id, way.base) for way in ways if way.enabled}
        family = _related(findings, snapshot, root, places)
        others = {each.root for each in family.sections if each.root is not None}
        seen = shown(snapshot, root)
        layers = tree_layers(_not_below(ways, others), seen, show_disabled=show_disabled)
        name = snapshot.regions[root].name
        section = Section(
            spaces=list(names),
            end=snapshot.regions[root].addr + snapshot.regions[root].size,
            flat=flat_layer(view, seen, layers.values(), name, _slots(snapshot, names)),
            layers=layers,
            root=root,
            ranges=tuple(view),
            places=places,
            differs=bool(range_changes(view, join(seen))),
        )
        _add(findings, family, section)
        findings.by_root[root, snapshot.regions[root].addr] = family.number


def _from_views(snapshot: Snapshot, findings: SnapshotSections) -> None:
    every = Spaces(snapshot).all
    named = [([each.name for each in every if each.view is v], v) for v in snapshot.views]
    for spaces, view in sorted(named, key=lambda each: _rank(each[0])):
        names = sorted(spaces, key=lambda name: _rank((name,)))
        if not view.ranges:
            findings.blind += names
            continue
        if _joined(findings, view.ranges, names):
            continue
        ranges = set(view.ranges)
        family = next(
            (each for each in findings.families if ranges & set(each.sections[0].ranges)),
            Family([]),
        )
        last = view.ranges[-1]
        flat = flat_layer(view.ranges, [], (), view.root, _slots(snapshot, names))
        section = Section(names, last.start + last.size, flat, {}, None, view.ranges)
        _add(findings, family, section)


def _slots(snapshot: Snapshot, names: Collection[str]) -> tuple[SlotInfo, ...]:
    """Return the memory slots that serve what some address spaces see."""
    return snapshot.slots if any(name.startswith(SEEN_BY_CPUS) for name in names) else ()


def _rank(names: Collection[str]) -> int:
    """Return in which order spaces appear: what everybody asks for first, then as in the source."""
    wanted = ("memory", "I/O")
    return min((i for i, name in enumerate(wanted) if name in names), default=len(wanted))


def _add(findings: SnapshotSections, family: Family, section: Section) -> None:
    if not family.sections:
        family.number = len(findings.families)
        findings.families.append(family)
    family.sections.append(section)
    findings.by_view[_content(section.ranges)] = section
    for place in section.places:
        known = findings.by_place.get(place, family.number)
        findings.by_place[place] = min(known, family.number)


def _joined(findings: SnapshotSections, view: Sequence[RangeInfo], names: Collection[str]) -> bool:
    """Add names to the section that already shows the same; tell whether there is one."""
    section = findings.by_view.get(_content(view))
    if section is None:
        return False
    section.spaces += names
    return True


def _content(view: Sequence[RangeInfo]) -> tuple[object, ...]:
    """Return what a view shows as a key: who answers where, byte by byte."""
    runs: list[tuple[int, int, str, str, int, bool]] = []
    for each in view:
        start, end, base = each.start, each.start + each.size, each.start - each.offset_in_region
        who = (each.name, each.type, base, each.nonvolatile)
        if runs and runs[-1][1] == start and runs[-1][2:] == who:
            start = runs.pop()[0]
        runs.append((start, end, *who))
    return tuple(runs)


def _related(
    findings: SnapshotSections, snapshot: Snapshot, root: int, places: set[tuple[int, int]]
) -> Family:
    """Return the family of which one root lies in the other at its own addresses, or a new one."""
    here = (root, snapshot.regions[root].addr)
    found = [findings.by_root[place] for place in places & findings.by_root.keys()]
    if here in findings.by_place:
        found.append(findings.by_place[here])
    return findings.families[min(found)] if found else Family([])


def _not_below(ways: list[Way], roots: set[int]) -> list[Way]:
    """Leave out what another section shows already, below one of ``roots``."""
    below: set[Way] = set()
    for way in reversed(ways):  # a way comes after all that is below it
        above = way.parent
        if above is not None and (above in below or above.region.id in roots):
            below.add(way)
    return [way for way in ways if way not in below]
