"""Every way that leads from a root to a region: the core that the analyses share.

A region can be reached in several ways, because aliases show it again. A :class:`Way` is one of
them: where it puts the region, what of it is left after every region on the way has cut it to its
own extent, and whether all of them are enabled. Ways come in the order in which QEMU renders: the
subregions of a region by priority, newest first among equals, then the region itself
(docs/devel/memory.rst, "Visibility"). So among the ways that show an address, the first whose
region answers accesses wins.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from guestmap.base import ADDRESS_SPACE_SIZE, PeerError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from guestmap.inspect.map.reach import Reach
    from guestmap.inspect.map.snapshot import RegionInfo, Snapshot

MAX_VISITS = 300_000
"""Regions met in one walk, once for each way that leads to them."""

MAX_ALIASES = 256
"""Aliases on one way, or as many as the map has; more come only from aliases of what holds them."""


class Way:
    """A region as it is met on one way from a root. Treat as immutable.

    Attributes:
        region: what is met.
        base: the address of its offset 0; an alias can put it below 0.
        lo, hi: its extent after every region on the way cut it; ``lo >= hi``: nothing is left.
        parent: the way to the region that holds it, or to the alias that shows it.
        enabled: it and all on the way are.
        readonly, nonvolatile: it or one on the way is.
        depth: how many regions are on the way above it.
        aliases: how many of those are aliases.
    """

    __slots__ = (
        "aliases",
        "base",
        "depth",
        "enabled",
        "hi",
        "lo",
        "nonvolatile",
        "parent",
        "readonly",
        "region",
    )

    def __init__(self, region: RegionInfo, base: int, parent: Way | None) -> None:
        self.region = region
        self.base = base
        self.parent = parent
        end = base + region.size
        if parent is None:
            self.depth = self.aliases = 0
            self.lo, self.hi = max(base, 0), min(end, ADDRESS_SPACE_SIZE)
            self.enabled = region.enabled
            self.readonly = region.readonly
            self.nonvolatile = region.nonvolatile
        else:
            self.depth = parent.depth + 1
            self.aliases = parent.aliases + (parent.region.alias is not None)
            lo, hi = parent.lo, parent.hi
            self.lo = lo if lo > base else base  # noqa: FURB136 - no calls for each region
            self.hi = hi if hi < end else end  # noqa: FURB136
            self.enabled = parent.enabled and region.enabled
            self.readonly = parent.readonly or region.readonly
            self.nonvolatile = parent.nonvolatile or region.nonvolatile

    @property
    def answers(self) -> bool:
        """Whether the region answers accesses where nothing hides it."""
        return self.region.terminates and self.region.alias is None

    @property
    def extent(self) -> tuple[int, int]:
        """First address, and first address after the whole region, cut by nothing."""
        return self.base, self.base + self.region.size

    @property
    def claim(self) -> tuple[int, int]:
        """Which addresses the region lays claim to.

        Its extent; but an alias of it asks for no more of it than the alias is long.
        """
        lo, hi = self.extent
        way = self.parent
        while way is not None and way.region.alias is not None:
            lo, hi = max(lo, way.base), min(hi, way.base + way.region.size)
            way = way.parent
        return lo, hi

    @property
    def claim_in_windows(self) -> tuple[int, int]:
        """The claim, as far as every alias on the way reaches."""
        lo, hi = self.claim
        way = self.parent
        while way is not None:
            if way.region.alias is not None:
                lo, hi = max(lo, way.base), min(hi, way.base + way.region.size)
            way = way.parent
        return lo, hi

    def shows(self, address: int) -> bool:
        """Tell whether the address is in what the way leaves of the region."""
        return self.lo <= address < self.hi

    @property
    def worth(self) -> tuple[bool, int]:
        """How near the way comes to showing its region: is it enabled, how much does it show."""
        return self.enabled, max(self.hi - self.lo, 0)

    @property
    def is_circular(self) -> bool:
        """Whether an alias on the way leads back to a region on the way."""
        ids = [step.region.id for step in self.steps()]
        return len(set(ids)) < len(ids)

    def steps(self) -> list[Way]:
        """Return all ways on this way, the root's first, this one last."""
        steps: list[Way] = []
        way: Way | None = self
        while way is not None:
            steps.append(way)
            way = way.parent
        steps.reverse()
        return steps

    def __repr__(self) -> str:
        names = "/".join(step.region.name for step in self.steps())
        return f"<Way {names} [0x{self.lo:x}, 0x{self.hi:x})>"


def walk(
    snapshot: Snapshot,
    root: int,
    start: int = 0,
    end: int = ADDRESS_SPACE_SIZE,
    *,
    disabled: bool = True,
    beyond: Reach | None = None,
    only: Collection[int] | None = None,
) -> Iterator[Way]:
    """Yield the ways from ``root`` to all regions, in rendering order.

    Args:
        snapshot: the map.
        root: id of the region to start at; its own address counts.
        start: first address of the window that a way must show some of.
        end: first address after that window.
        disabled: follow ways through disabled regions too.
        beyond: also yield regions that reach into the window but were cut off on the way.
        only: ids of regions to follow; others, with all below them, are left out.

    Raises:
        PeerError: aliases show each other so many times over that no end is in sight, or there are
            more regions than :data:`MAX_VISITS`.
    """
    regions = snapshot.regions
    todo: list[tuple[Way, bool]] = []
    path = _Path(snapshot)
    most_aliases = MAX_ALIASES

    def plan(region: RegionInfo, base: int, parent: Way | None) -> None:
        if (only is not None and region.id not in only) or not (disabled or region.enabled):
            return
        # Most subregions are elsewhere: look before making anything.
        above_lo, above_hi = (0, ADDRESS_SPACE_SIZE) if parent is None else (parent.lo, parent.hi)
        below_hi = base + region.size
        lo = above_lo if above_lo > base else base  # noqa: FURB136 - no calls for each region
        hi = above_hi if above_hi < below_hi else below_hi  # noqa: FURB136
        visible = lo < end and hi > start and lo < hi
        if visible or (beyond is not None and beyond.meets(region.id, base, start, end)):
            way = Way(region, base, parent)
            if parent is None or parent.region.alias is None or not path.is_circle(way, visible):
                todo.append((way, False))

    plan(regions[root], regions[root].addr, None)
    visits = 0
    while todo:
        way, done = todo.pop()
        if done:
            path.leave(way)
            yield way
            continue
        visits += 1
        if visits > MAX_VISITS or way.aliases > most_aliases:
            most_aliases = _allowed_aliases(snapshot, root, visits, way)
        region = way.region
        if region.alias is None and not region.children:
            yield way
            continue
        todo.append((way, True))
        path.enter(way)
        if region.alias is not None:
            plan(regions[region.alias], way.base - region.alias_offset, way)
        base = way.base
        for child in reversed(region.children):
            below = regions[child]
            plan(below, base + below.addr, way)


def _allowed_aliases(snapshot: Snapshot, root: int, visits: int, way: Way) -> int:
    """Return how many aliases there may be on one way: each of the map's, where that is more.

    Raises:
        PeerError: there are more on this one, or the walk takes too long.
    """
    regions = snapshot.regions
    most = max(MAX_ALIASES, sum(1 for each in regions if each.alias is not None))
    if visits <= MAX_VISITS and way.aliases <= most:
        return most
    why = "aliases show each other too many times over"
    if len(regions) > MAX_VISITS:
        why = f"the map has {len(regions)} regions, more than are looked at"
    raise PeerError(
        f"the ways below {regions[root].name!r} were given up after {visits} steps: {why}"
    )


class _Path:
    """The regions on the way to where a walk is, and where they lie: how often each.

    Nothing is kept of a map without aliases: no way leads back in one.
    """

    def __init__(self, snapshot: Snapshot) -> None:
        self._is_kept = snapshot.has_aliases
        self._regions: defaultdict[int, int] = defaultdict(int)
        self._places: defaultdict[tuple[int, int], int] = defaultdict(int)

    def enter(self, way: Way) -> None:
        """Go on to what lies below a region."""
        if self._is_kept:
            self._regions[way.region.id] += 1
            self._places[way.region.id, way.base] += 1

    def leave(self, way: Way) -> None:
        """Go back from below a region."""
        if self._is_kept:
            self._regions[way.region.id] -= 1
            self._places[way.region.id, way.base] -= 1

    def is_circle(self, way: Way, visible: bool) -> bool:
        """Tell whether an alias, the last step, leads back to a region, where it can add nothing.

        Where it puts the region elsewhere it can, but cut off it would never come to an end.
        """
        if self._places.get((way.region.id, way.base)):
            return True
        return not visible and self._regions.get(way.region.id, 0) > 0


def leading_to(snapshot: Snapshot, region: int) -> set[int]:
    """Return the ids of all regions on any way to ``region``, itself included."""
    shown_by: dict[int, list[int]] = {}
    for each in snapshot.regions:
        for below in (*each.children, *(() if each.alias is None else (each.alias,))):
            shown_by.setdefault(below, []).append(each.id)
    found, todo = {region}, [region]
    while todo:
        for above in shown_by.get(todo.pop(), ()):
            if above not in found:
                found.add(above)
                todo.append(above)
    return found
