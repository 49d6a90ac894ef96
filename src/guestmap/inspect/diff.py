"""``diff``: what changed between two maps, in their views and in their trees, and probably why."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from guestmap.inspect.causes import Cause, guess_causes
from guestmap.inspect.pairs import Pairs
from guestmap.inspect.region_diff import RegionChange, region_changes
from guestmap.inspect.report import Report
from guestmap.inspect.view_diff import RangeChange, range_changes
from guestmap.inspect.views import recorded, space_names, view_at

if TYPE_CHECKING:
    from guestmap.inspect.snapshot import RangeInfo, Snapshot


@dataclass(frozen=True, slots=True)
class ViewChange(Report):
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
    """

    added: tuple[str, ...]
    removed: tuple[str, ...]
    views: tuple[ViewChange, ...]
    regions: tuple[RegionChange, ...]
    causes: tuple[Cause, ...]

    @property
    def is_empty(self) -> bool:
        """Whether the two maps are the same."""
        return not (self.added or self.removed or self.views or self.regions)


def diff(a: Snapshot, b: Snapshot) -> Diff:
    """Return what changed from map ``a`` to map ``b``.

    Address spaces are taken for the same by name (the n-th of a name is the n-th of it).
    """
    before, after = _views(a), _views(b)
    groups: dict[tuple[RangeChange, ...], list[str]] = {}
    for key, view in before.items():
        if key in after:
            changes = range_changes(view, after[key])
            if changes:
                groups.setdefault(changes, []).append(key[0])
    pairs = Pairs(a, b)
    regions = region_changes(pairs) if a.regions and b.regions else ()
    added = tuple(name for name, number in after if (name, number) not in before)
    removed = tuple(name for name, number in before if (name, number) not in after)
    return Diff(
        added=added,
        removed=removed,
        views=tuple(ViewChange(tuple(spaces), ranges) for ranges, spaces in groups.items()),
        regions=regions,
        causes=guess_causes(pairs, regions, added, removed),
    )


def _views(snapshot: Snapshot) -> dict[tuple[str, int], tuple[RangeInfo, ...]]:
    """Return every address space's view, keyed by name and number among its equals."""
    views: dict[tuple[str, int], tuple[RangeInfo, ...]] = {}
    rendered: dict[int | None, tuple[RangeInfo, ...]] = {}
    names = space_names(snapshot)
    for index, name in enumerate(names):
        number = names[:index].count(name)
        said = recorded(snapshot, name)
        if said is not None:
            views[name, number] = said.ranges
        elif snapshot.address_spaces:
            views[name, number] = view_at(snapshot, index, rendered)
    return views
