"""The flat views of a snapshot: the source's own, or else what its trees imply."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from guestmap.base import ConfigError
from guestmap.inspect.ask.spaces import NamedSpace, Spaces
from guestmap.inspect.map.report import Report
from guestmap.inspect.map.snapshot import RangeInfo, RegionType, ViewInfo, ViewUser
from guestmap.inspect.map.views import flat, physical_root

if TYPE_CHECKING:
    from guestmap.inspect.map.snapshot import Snapshot


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
    spaces = Spaces(snapshot)
    return [_block(snapshot, view, spaces) for view in with_views(snapshot, space=space).views]


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
        named = Spaces(snapshot).named(space)
        views = tuple(view for view in views if any(_is_of(snapshot, view, one) for one in named))
        if not views:
            raise ConfigError(f"{snapshot.source or 'the map'} has no flat view of {space!r}")
    return replace(snapshot, views=views)


def _is_of(snapshot: Snapshot, view: ViewInfo, space: NamedSpace) -> bool:
    """Tell whether a view is what a space shows."""
    if space.view is not None or space.root is None or snapshot.views:
        return view is space.view
    return view.root_region == physical_root(snapshot, space.root)


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
    ) + tuple(
        ViewInfo((), snapshot.regions[root].name, flat(snapshot, root), root_region=root)
        for root in (each.root for each in Spaces(snapshot).all if each.is_lone)
        if root is not None
    )


def _block(snapshot: Snapshot, view: ViewInfo, spaces: Spaces) -> FlatBlock:
    order = [user.name for user in view.users]
    of = sorted(
        (each for each in spaces.all if not each.is_lone and _is_of(snapshot, view, each)),
        key=lambda each: order.index(each.plain) if each.plain in order else len(order),
    )
    by_type: dict[RegionType, int] = {}
    for each in view.ranges:
        by_type[each.type] = by_type.get(each.type, 0) + each.size
    return FlatBlock(
        spaces=tuple(each.name for each in of),
        root=view.root,
        mapped=sum(by_type.values()),
        by_type=dict(sorted(by_type.items(), key=lambda item: -item[1])),
        ranges=view.ranges,
    )
