"""What each address space of a snapshot shows: as the source said, or as its tree implies."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from guestmap.base import ConfigError
from guestmap.inspect.paths import shown
from guestmap.inspect.snapshot import RangeInfo

if TYPE_CHECKING:
    from guestmap.inspect.paths import Shown
    from guestmap.inspect.snapshot import Snapshot, ViewInfo


def space_names(snapshot: Snapshot) -> list[str]:
    """Return the names of all address spaces; those of the views where there are no trees."""
    if snapshot.address_spaces:
        return [space.name for space in snapshot.address_spaces]
    return [user.name for view in snapshot.views for user in view.users]


def find_root(snapshot: Snapshot, space: str) -> int:
    """Return the root's id of the first address space of that name.

    Raises:
        ConfigError: there is none; lists the names that there are.
    """
    for each in snapshot.address_spaces:
        if each.name == space:
            return each.root
    raise _no_such_space(snapshot, space)


def flat(snapshot: Snapshot, root: int) -> tuple[RangeInfo, ...]:
    """Return the ranges that a tree shows, neighbours of one region joined."""
    return join(shown(snapshot, root))


def join(ranges: list[Shown]) -> tuple[RangeInfo, ...]:
    """Return ranges as values; those that continue each other become one (QEMU's rule)."""
    joined: list[RangeInfo] = []
    last = None
    for start, end, way in ranges:
        if (
            last is not None
            and joined[-1].start + joined[-1].size == start
            and last.region is way.region
            and last.base == way.base
            and (last.readonly, last.nonvolatile) == (way.readonly, way.nonvolatile)
        ):
            joined[-1] = replace(joined[-1], size=end - joined[-1].start)
            continue
        last = way
        region = way.region
        joined.append(
            RangeInfo(
                start=start,
                size=end - start,
                priority=region.priority,
                type="rom" if way.readonly else region.type,
                name=region.name,
                offset_in_region=start - way.base,
                nonvolatile=way.nonvolatile,
                owner=region.owner,
                region=region.id,
            )
        )
    return tuple(joined)


def recorded(snapshot: Snapshot, space: str) -> ViewInfo | None:
    """Return the view that the source itself showed for a space.

    None where it showed none, and where several spaces of that name have different ones.
    """
    found = [view for view in snapshot.views if any(user.name == space for user in view.users)]
    if not found and len(snapshot.views) == 1 and not snapshot.views[0].users:
        return snapshot.views[0]  # pasted without its heading
    return found[0] if len(found) == 1 else None


def view_of(snapshot: Snapshot, space: str) -> tuple[RangeInfo, ...]:
    """Return what a space shows: as the source said, or else as its tree implies.

    Raises:
        ConfigError: there is no such address space.
    """
    view = recorded(snapshot, space)
    if view is not None:
        return view.ranges
    return flat(snapshot, find_root(snapshot, space))


def view_at(
    snapshot: Snapshot, index: int, rendered: dict[int | None, tuple[RangeInfo, ...]]
) -> tuple[RangeInfo, ...]:
    """Return what the address space at ``index`` shows; ``rendered`` remembers, by root."""
    root = physical_root(snapshot, snapshot.address_spaces[index].root)
    if root not in rendered:
        rendered[root] = () if root is None else flat(snapshot, root)
    return rendered[root]


def physical_root(snapshot: Snapshot, root: int) -> int | None:
    """Return the region that is rendered for ``root``; None where it shows nothing.

    The rule is QEMU's: through aliases that show a whole region from its start, and through
    containers of which one enabled subregion is all there is (a bus master's view of memory).
    """
    regions = snapshot.regions
    met: set[int] = set()
    while root not in met:
        met.add(root)
        region = regions[root]
        if not region.enabled:
            return None
        if region.alias is not None:
            target = regions[region.alias]
            if region.alias_offset or region.size < target.size:
                break
            root = target.id
        elif region.terminates:
            break
        else:
            children = [regions[c] for c in region.children if regions[c].enabled]
            if not children:
                return None
            only = children[0]
            if len(children) > 1 or only.addr or region.size < only.size:
                break
            root = only.id
    return root


def _no_such_space(snapshot: Snapshot, space: str) -> ConfigError:
    names = ", ".join(sorted(set(space_names(snapshot)))) or "none"
    return ConfigError(f"there is no address space {space!r}; there are: {names}")
