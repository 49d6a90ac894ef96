"""Which of those who answer are IOMMUs: they say where an access goes, and a map does not tell it.

``info mtree`` prints an IOMMU region as it does any device's. It is told by its name, and by its
size where others bear such names too: most IOMMUs fill the 64-bit space, registers never do.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from guestmap.base import ADDRESS_SPACE_SIZE
from guestmap.inspect.text.rebuild.rules import IOMMU_NAMES

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from guestmap.inspect.map.snapshot import RangeInfo, RegionType, Snapshot

_SMALLER = re.compile(
    r"tce-iommu-[0-9a-f]+"  # hw/ppc/spapr_iommu.c: a window for DMA, as large as the guest has it
    r"|tz-mpc-upstream"  # hw/misc/tz-mpc.c: lets a part of memory pass, or blocks it
    r"|iommu\.dma"  # hw/dma/rc4030.c: 4 GiB
)
"""Names of IOMMUs that do not fill the 64-bit space."""


def is_iommu(name: str, kind: RegionType, end: int) -> bool:
    """Tell whether a region that answers is an IOMMU.

    Args:
        name: the region's.
        kind: what ``info mtree`` calls it.
        end: its size, bytes, or how far it is seen to reach.
    """
    if kind != "i/o":
        return False
    fills_all = end == ADDRESS_SPACE_SIZE and IOMMU_NAMES.search(name) is not None
    return fills_all or _SMALLER.fullmatch(name) is not None


def are_iommus(snapshot: Snapshot, view: Sequence[RangeInfo]) -> list[bool]:
    """Tell of each range of a flat view whether an IOMMU answers there."""
    seen: dict[str, int] = {}
    for each in view:
        reach = each.offset_in_region + each.size
        seen[each.name] = max(reach, seen.get(each.name, 0))
    return [
        is_iommu(
            each.name,
            each.type,
            seen[each.name] if each.region is None else snapshot.regions[each.region].size,
        )
        for each in view
    ]


def seen_end(name: str, ranges: Iterable[RangeInfo]) -> int:
    """Return how far a region reaches at least, bytes, as the ranges of a view show it."""
    ends = (each.offset_in_region + each.size for each in ranges if each.name == name)
    return max(ends, default=0)
