"""``diff``: what changed between two maps, in their views and in their trees, and probably why."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from guestmap.inspect.ask.causes import LikelyCause, guess_causes
from guestmap.inspect.ask.pairs import Pairs
from guestmap.inspect.ask.region_diff import RegionChange, region_changes
from guestmap.inspect.ask.spaces import NamedSpace, Spaces
from guestmap.inspect.ask.view_diff import RangeChange, range_changes
from guestmap.inspect.ask.without_disabled import without_disabled
from guestmap.inspect.map.report import Report

if TYPE_CHECKING:
    from guestmap.inspect.map.snapshot import Snapshot


@dataclass(frozen=True, slots=True)
class ViewDifference(Report):
    """What changed in the views of some address spaces: the same in all of them."""

    spaces: tuple[str, ...]
    ranges: tuple[RangeChange, ...]


@dataclass(frozen=True, slots=True)
class Diff(Report):
    """The step from one map to another.

    Attributes:
        added, removed: names of address spaces that only one of the maps has.
        views: of the address spaces that both have, those whose view changed.
        regions: those that came, went, or changed; empty where a map has no trees.
        causes: guesses at what happened, from regions and their names.
        notes: what could not be compared, for people.
    """

    added: tuple[str, ...]
    removed: tuple[str, ...]
    views: tuple[ViewDifference, ...]
    regions: tuple[RegionChange, ...]
    causes: tuple[LikelyCause, ...]
    notes: tuple[str, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether the two maps are the same."""
        return not (self.added or self.removed or self.views or self.regions)


def diff(a: Snapshot, b: Snapshot) -> Diff:
    """Return what changed from map ``a`` to map ``b``.

    Address spaces are taken for the same by name; of several of a name those of one device, then
    those that show the same, then the n-th of each. Where one map is of text that hides disabled
    regions, both are compared without theirs.
    """
    before, after = Spaces(a), Spaces(b)
    common = _same_spaces(before, after)
    groups: dict[tuple[RangeChange, ...], list[str]] = {}
    for one, other in common:
        changes = range_changes(before.ranges(one), after.ranges(other))
        if changes:
            groups.setdefault(changes, []).append(other.name if one.is_lone else one.name)
    roots = [(x.root, y.root) for x, y in common if x.root is not None and y.root is not None]
    pairs = _pairs(a, b, roots)
    regions = region_changes(pairs) if a.regions and b.regions else ()
    if pairs.a is not a:
        regions = tuple(told for each in regions if (told := _sure_of(each)).changes)
    gone, come = {x.name for x, _ in common}, {y.name for _, y in common}
    added = tuple(each.name for each in after.all if each.name not in come)
    removed = tuple(each.name for each in before.all if each.name not in gone)
    if common and (before.is_one_lone or after.is_one_lone):
        added = removed = ()  # of them a part without a heading says nothing
    return Diff(
        added=added,
        removed=removed,
        views=tuple(ViewDifference(tuple(spaces), ranges) for ranges, spaces in groups.items()),
        regions=regions,
        causes=guess_causes(pairs, regions, added, removed),
        notes=_notes(a, b),
    )


def _pairs(a: Snapshot, b: Snapshot, roots: list[tuple[int, int]]) -> Pairs:
    """Pair the regions that both maps would show."""
    if not (a.hides_disabled or b.hides_disabled):
        return Pairs(a, b, roots)
    (a, ours), (b, theirs) = without_disabled(a), without_disabled(b)
    return Pairs(a, b, [(ours[one], theirs[other]) for one, other in roots])


def _sure_of(change: RegionChange) -> RegionChange:
    """Leave of a change what text without disabled regions tells: of those, that they are so."""
    if all(state is None or state.enabled for state in (change.before, change.after)):
        return change
    switched = tuple(each for each in change.changes if each in ("enabled", "disabled"))
    return replace(change, changes=switched)


def _notes(a: Snapshot, b: Snapshot) -> tuple[str, ...]:
    if not (a.regions and b.regions) or a.hides_disabled == b.hides_disabled:
        return ()
    hides, shows = (a, b) if a.hides_disabled else (b, a)
    if all(each.enabled for each in shows.regions):
        return ()
    name = hides.source or ("the first map" if hides is a else "the second map")
    note = f"{name} does not show disabled regions, so none are compared: one that was switched"
    return (f"{note} counts as added or removed ('info mtree -D' shows them)",)


def _same_spaces(before: Spaces, after: Spaces) -> list[tuple[NamedSpace, NamedSpace]]:
    """Pair the address spaces of two maps, in the order of the first."""
    if before.is_one_lone or after.is_one_lone:
        return _lone_pair(before, after)
    left: dict[str, list[NamedSpace]] = {}
    for each in after.all:
        left.setdefault(each.plain, []).append(each)
    found: dict[str, tuple[NamedSpace, NamedSpace]] = {}
    for is_same in (
        lambda one, other: one.owner is not None and one.owner == other.owner,
        lambda one, other: before.ranges(one) == after.ranges(other),
        lambda *_: True,
    ):
        for one in before.all:
            others = left.get(one.plain, [])
            other = next((each for each in others if is_same(one, each)), None)
            if one.name not in found and other is not None:
                found[one.name] = one, other
                others.remove(other)
    return [found[each.name] for each in before.all if each.name in found]


def _lone_pair(before: Spaces, after: Spaces) -> list[tuple[NamedSpace, NamedSpace]]:
    """Pair a view or tree without a heading with what it most likely is in the other map."""
    if before.is_one_lone:
        one, twin = before.all[0], after.twin_of(before.all[0])
        return [] if twin is None else [(one, twin)]
    other = after.all[0]
    twin = before.twin_of(other)
    return [] if twin is None else [(twin, other)]
