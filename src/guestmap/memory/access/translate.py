"""From an address to who answers there: through the flat view, and through IOMMUs.

The loop is QEMU's ``address_space_translate_iommu``; unlike QEMU's it ends: a guest that programs
two IOMMUs to lead to each other gets the answer of an address where nobody is.
"""

from __future__ import annotations

from guestmap.memory.map.flat_range import FlatRange
from guestmap.memory.map.flatview import FlatView
from guestmap.memory.map.iommu_entry import IommuPerm
from guestmap.memory.map.ops import MemTxAttrs

ADDRESS_MASK = (1 << 64) - 1
MAX_HOPS = 16
"""IOMMUs on the way of one access; more are taken for a circle."""

Place = tuple[FlatView, FlatRange | None, int, int]
"""Where an access goes: the view, the range there (None: nobody), the address in that view, and
how many bytes from there on go the same way. A range may end before that."""


def locate(view: FlatView, at: int, length: int, is_write: bool, attrs: MemTxAttrs) -> Place:
    """Return who answers ``length`` bytes at ``at``, or the first of them."""
    found = view.find(at)
    if found is None:
        return view, None, at, hole(view, at, length)
    if found.region.iommu is None:
        return view, found, at, length
    return _follow(view, found, at, length, is_write, attrs)


def _follow(
    view: FlatView, found: FlatRange, at: int, length: int, is_write: bool, attrs: MemTxAttrs
) -> Place:
    access = IommuPerm.WRITE if is_write else IommuPerm.READ
    for _ in range(MAX_HOPS + 1):  # the last look is at what the last of them leads to
        iommu = found.region.iommu
        if iommu is None:
            return view, found, at, length
        length = min(length, found.end - at)
        offset = found.offset_in_region + at - found.start
        entry = iommu.translate(offset, access, attrs)
        if entry is None:
            page = iommu.translator.min_page_size - 1
            return view, None, at, min(length, (offset | page) - offset + 1)
        length = min(length, (offset | entry.mask) - offset + 1)
        at = ((entry.translated & ~entry.mask) | (offset & entry.mask)) & ADDRESS_MASK
        view = entry.target.view
        beyond = view.find(at)
        if beyond is None:
            return view, None, at, hole(view, at, length)
        found = beyond
    return view, None, at, length


def hole(view: FlatView, at: int, length: int) -> int:
    """Return how many of ``length`` bytes from ``at`` on nobody answers."""
    following = view.next_start(at)
    if following is None:
        following = ADDRESS_MASK + 1
    return min(length, following - at)
