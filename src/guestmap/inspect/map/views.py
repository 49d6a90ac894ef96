"""What each address space of a snapshot shows: as the source said, or as its tree implies."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from guestmap.inspect.map.shown import shown
from guestmap.inspect.map.snapshot import RangeInfo
from guestmap.inspect.map.unshown import is_unshown

if TYPE_CHECKING:
    from guestmap.inspect.map.shown import Shown
    from guestmap.inspect.map.snapshot import Snapshot


def flat(snapshot: Snapshot, root: int) -> tuple[RangeInfo, ...]:
    """Return the ranges that a tree shows, neighbours of one region joined."""
    return join(shown(snapshot, root))


def join(ranges: list[Shown]) -> tuple[RangeInfo, ...]:
    """Return ranges as values; those that continue each other become one (QEMU's rule)."""
    joined: list[RangeInfo] = []
    last = None
    for start, end, way in ranges:
        if is_unshown(way.region):
            continue
        if (
            last is not None
            and joined[-1].start + joined[-1].size == start
            and last.region is way.region
            and last.base == way.base
            and (last.readonly, last.nonvolatile) == (way.readonly, way.nonvolatile)
        ):
            joined[-1] = msgspec.structs.replace(joined[-1], size=end - joined[-1].start)
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


def why_nothing(snapshot: Snapshot, root: int) -> str:
    """Say why a root shows nothing, of which :func:`physical_root` gave None."""
    regions = snapshot.regions
    region = regions[root]
    while region.enabled:
        if region.alias is not None:
            region = regions[region.alias]
            continue
        is_bus_master = region.name.startswith("bus master")
        enabled = [regions[each] for each in region.children if regions[each].enabled]
        if enabled:
            region = enabled[0]
        elif region.children:
            names = ", ".join(dict.fromkeys(regions[each].name for each in region.children))
            why = " (bus mastering is off)" if is_bus_master else ""
            return f"all that {region.name} holds is disabled: {names}{why}"
        elif is_bus_master:
            return f"{region.name} holds nothing that is enabled (bus mastering is off)"
        elif "terminates" in region.inferred:
            return (
                f"{region.name} holds nothing, and whether it answers itself the source does not"
                " say: it is taken for a container"
            )
        else:
            return f"{region.name} is a container that holds nothing"
    return f"{region.name} is disabled"


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
