"""What each address space of a snapshot shows: as the source said, or as its tree implies."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from guestmap.inspect.map.snapshot import RangeInfo
from guestmap.inspect.map.unshown import is_unshown
from guestmap.inspect.map.ways import shown

if TYPE_CHECKING:
    from guestmap.inspect.map.snapshot import Snapshot
    from guestmap.inspect.map.ways import Shown


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
