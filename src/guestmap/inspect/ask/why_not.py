"""``why-not``: where a region is visible, where it is not, and because of whom."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING

from guestmap.base import ConfigError
from guestmap.inspect.ask.spaces import Spaces
from guestmap.inspect.ask.visibility import Hidden, RegionVisibility, Visible
from guestmap.inspect.map.reach import Reach
from guestmap.inspect.map.report import RegionRef, Report
from guestmap.inspect.map.shown import Shown, shown
from guestmap.inspect.map.views import physical_root, why_nothing
from guestmap.inspect.map.ways import leading_to, walk

if TYPE_CHECKING:
    from guestmap.inspect.map.snapshot import RegionInfo, Snapshot


@dataclass(frozen=True, slots=True)
class Sight(Report):
    """A region as some address spaces that show the same see it."""

    spaces: tuple[str, ...]
    visible: tuple[Visible, ...]
    hidden: tuple[Hidden, ...]


@dataclass(frozen=True, slots=True)
class RegionSight(Report):
    """One region that has the asked name.

    Attributes:
        sights: one for each group of address spaces that the region has a place in.
        blind: address spaces that show nothing at all (a bus master that is off).
        blind_because: why each of those does, in their order.
        absent: other address spaces in which nothing leads to the region.
    """

    region: RegionRef
    size: int
    enabled: bool
    sights: tuple[Sight, ...]
    blind: tuple[str, ...]
    blind_because: tuple[str, ...]
    absent: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class WhyNot(Report):
    """The answer for each region of the asked name or id."""

    asked: str
    regions: tuple[RegionSight, ...]


def why_not(snapshot: Snapshot, region: str | int) -> WhyNot:
    """Return where a region is visible and where not; ``region`` is a name, or an id.

    A container or an alias is visible where something in or behind it answers.

    Raises:
        ConfigError: there is no such region, or the snapshot has no trees to look in.
    """
    found = [each for each in snapshot.regions if region in (each.name, each.id)]
    if not found:
        raise ConfigError(_no_such_region(snapshot, region))
    views: dict[int, list[Shown]] = {}
    reach = Reach(snapshot)
    return WhyNot(str(region), tuple(_sight_of(snapshot, each, views, reach) for each in found))


def _sight_of(
    snapshot: Snapshot, region: RegionInfo, views: dict[int, list[Shown]], reach: Reach
) -> RegionSight:
    only = leading_to(snapshot, region.id)
    spaces = Spaces(snapshot).all
    roots = {space.root for space in spaces}
    groups: dict[int, list[str]] = {}
    blind: dict[str, str] = {}
    absent: list[str] = []
    for space in spaces:
        if space.root is None:
            continue
        root = physical_root(snapshot, space.root)
        if space.root not in only:
            absent.append(space.name)
        elif root is None:
            blind[space.name] = why_nothing(snapshot, space.root)
        else:
            # One space speaks for all that show the same, unless the region is on the way there.
            shared = root in only and root in roots
            groups.setdefault(root if shared else space.root, []).append(space.name)
    sights: list[Sight] = []
    for root, names in groups.items():
        ways = walk(snapshot, root, beyond=reach, only=only)
        found = [way for way in ways if way.region.id == region.id]
        if root not in views:
            views[root] = shown(snapshot, root)
        sighting = RegionVisibility(snapshot, views[root], found)
        sights.append(Sight(tuple(names), sighting.visible(), sighting.hidden()))
    return RegionSight(
        RegionRef.to(region), region.size, region.enabled, tuple(sights), tuple(blind),
        tuple(blind.values()), tuple(absent),
    )  # fmt: skip


def _no_such_region(snapshot: Snapshot, region: str | int) -> str:
    if not snapshot.regions:
        return "the source shows flat views only: what is hidden in them cannot be told"
    by_fold = {each.name.casefold(): each.name for each in snapshot.regions}
    close = [by_fold[each] for each in get_close_matches(str(region).casefold(), by_fold, n=3)]
    hint = f"; did you mean {' or '.join(map(repr, close))}?" if close else ""
    return f"there is no region {region!r} in {snapshot.source or 'the map'}{hint}"
