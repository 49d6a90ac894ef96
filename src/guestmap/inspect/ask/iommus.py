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
    from collections.abc import Iterable

    from guestmap.inspect.map.snapshot import RangeInfo, RegionType

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


def seen_end(name: str, ranges: Iterable[RangeInfo]) -> int:
    """Return how far a region reaches at least, bytes, as the ranges of a view show it."""
    ends = (each.offset_in_region + each.size for each in ranges if each.name == name)
    return max(ends, default=0)
