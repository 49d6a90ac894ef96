"""The flat views of a snapshot: the source's own, or else what its trees imply."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from guestmap.base import ConfigError
from guestmap.inspect.report import Report
from guestmap.inspect.snapshot import ViewInfo, ViewUser
from guestmap.inspect.views import find_root, flat, physical_root, space_names

if TYPE_CHECKING:
    from guestmap.inspect.snapshot import RangeInfo, RegionType, Snapshot


@dataclass(frozen=True, slots=True)
class FlatBlock(Report):
    """A view, and who shares it.

    Attributes:
        spaces: the address spaces.
        root: the region that is rendered for them; None where they show nothing.
        mapped: bytes at which somebody answers.
        by_type: of these, how many each type of region answers, most first.
        ranges: sorted by address.
    """

    spaces: tuple[str, ...]
    root: str | None
    mapped: int
    by_type: dict[RegionType, int]
    ranges: tuple[RangeInfo, ...]


def flat_blocks(snapshot: Snapshot, *, space: str | None = None) -> list[FlatBlock]:
    """Return all views, or that of one address space.

    Raises:
        ConfigError: there is no such address space.
    """
    return [_block(view) for view in with_views(snapshot, space=space).views]


def with_views(snapshot: Snapshot, *, space: str | None = None) -> Snapshot:
    """Return the snapshot with the views that its trees imply, where the source showed none.

    Args:
        snapshot: the map.
        space: leave out the views that this address space does not share; None: keep all.

    Raises:
        ConfigError: there is no such address space.
    """
    views = snapshot.views or _implied(snapshot)
    if space is not None:
        if snapshot.address_spaces:
            find_root(snapshot, space)  # says which there are
        views = tuple(v for v in views if not v.users or space in [user.name for user in v.users])
        if not views:
            names = ", ".join(sorted(set(space_names(snapshot))))
            raise ConfigError(f"there is no view of {space!r}; there are those of: {names}")
    return replace(snapshot, views=views)


def _implied(snapshot: Snapshot) -> tuple[ViewInfo, ...]:
    users: dict[int | None, list[ViewUser]] = {}
    for space in snapshot.address_spaces:
        region = snapshot.regions[space.root]
        target = None if region.alias is None else snapshot.regions[region.alias].name
        shows = physical_root(snapshot, space.root)
        users.setdefault(shows, []).append(ViewUser(space.name, region.name, target))
    return tuple(
        ViewInfo(tuple(each), None, ())
        if root is None
        else ViewInfo(
            tuple(each), snapshot.regions[root].name, flat(snapshot, root), root_region=root
        )
        for root, each in users.items()
    )


def _block(view: ViewInfo) -> FlatBlock:
    by_type: dict[RegionType, int] = {}
    for each in view.ranges:
        by_type[each.type] = by_type.get(each.type, 0) + each.size
    return FlatBlock(
        spaces=tuple(user.name for user in view.users),
        root=view.root,
        mapped=sum(by_type.values()),
        by_type=dict(sorted(by_type.items(), key=lambda item: -item[1])),
        ranges=view.ranges,
    )
