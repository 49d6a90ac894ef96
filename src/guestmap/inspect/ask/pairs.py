"""Which region of one map is which region of another.

Ids mean nothing from one map to the next. A region is taken for the same where the regions that
hold it are, and where name and owner agree; of several that share both, those that lie in the same
place with the same contents first, the others in order of address.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from guestmap.inspect.map.snapshot import RegionInfo, Snapshot

_Look = tuple[object, ...]


class Pairs:
    """The regions of ``a`` and ``b`` paired: ``to_b[id in a]`` and ``to_a[id in b]``."""

    def __init__(self, a: Snapshot, b: Snapshot, roots: Iterable[tuple[int, int]]) -> None:
        self.a = a
        self.b = b
        self.to_b: dict[int, int] = {}
        self.to_a: dict[int, int] = {}
        self._aliases: list[tuple[int, int]] = []
        for one, other in roots:
            if a.regions[one].name == b.regions[other].name:
                self._pair(one, other)
        while self._aliases:
            waiting, self._aliases = self._aliases, []
            for alias in waiting:
                self._pair_targets(*alias)
        self._pair_rest()

    def _pair(self, one: int, other: int) -> None:
        """Pair two regions and all that they hold."""
        todo = [(one, other)]
        while todo:
            one, other = todo.pop()
            if one in self.to_b or other in self.to_a:
                continue
            self.to_b[one], self.to_a[other] = other, one
            ours, theirs = self.a.regions[one], self.b.regions[other]
            if ours.alias is not None and theirs.alias is not None:
                self._aliases.append((one, other))
            todo += _match(
                [self.a.regions[c] for c in ours.children],
                [self.b.regions[c] for c in theirs.children],
                self,
            )

    def _pair_targets(self, one: int, other: int) -> None:
        """Pair what two aliases show, by the outermost regions that hold it.

        Where only one of the two is held (a BAR that is mapped or not), the targets themselves.
        """
        ours, theirs = self.a.regions[one].alias, self.b.regions[other].alias
        assert ours is not None
        assert theirs is not None
        if (ours in self.a.containers) == (theirs in self.b.containers):
            while ours in self.a.containers and theirs in self.b.containers:
                ours, theirs = self.a.containers[ours], self.b.containers[theirs]
            if ours in self.a.containers or theirs in self.b.containers:
                return
        if self.a.regions[ours].name == self.b.regions[theirs].name:
            self._pair(ours, theirs)

    def _pair_rest(self) -> None:
        """Pair what no address space leads to, or only aliases that could not be paired."""
        ours = [r for r in self.a.regions if _is_left(r, self.a, self.to_b)]
        theirs = [r for r in self.b.regions if _is_left(r, self.b, self.to_a)]
        for one, other in _match(ours, theirs, self):
            self._pair(one, other)


def _is_left(region: RegionInfo, snapshot: Snapshot, paired: dict[int, int]) -> bool:
    return region.id not in paired and region.id not in snapshot.containers


def _match(ours: list[RegionInfo], theirs: list[RegionInfo], pairs: Pairs) -> list[tuple[int, int]]:
    """Pair the subregions of two containers."""
    with_owner = all(r.owner is not None for r in (*ours, *theirs))
    groups: dict[_Look, tuple[list[RegionInfo], list[RegionInfo]]] = defaultdict(lambda: ([], []))
    for side, regions in enumerate((ours, theirs)):
        for region in sorted(regions, key=lambda r: (r.addr, -r.priority)):
            key = (region.name, region.alias is None, region.owner if with_owner else None)
            groups[key][side].append(region)
    found: list[tuple[int, int]] = []
    for left, right in groups.values():
        there: dict[_Look, list[RegionInfo]] = defaultdict(list)
        for region in right:
            there[_look(region, pairs.b)].append(region)
        rest: list[RegionInfo] = []
        for region in left:
            same = there[_look(region, pairs.a)]
            if same:
                other = same.pop(0)
                right.remove(other)
                found.append((region.id, other.id))
            else:
                rest.append(region)
        found += [(one.id, other.id) for one, other in zip(rest, right, strict=False)]
    return found


def _look(region: RegionInfo, snapshot: Snapshot) -> _Look:
    target = None if region.alias is None else snapshot.regions[region.alias].name
    return region.addr, region.size, region.priority, target, region.alias_offset
