"""A part of a region as it shows in an address space (QEMU's ``MemoryRegionSection``)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from guestmap.base.named_tuple import NamedTuple
from guestmap.memory.map.flat_range import FlatRange
from guestmap.memory.map.flatview import FlatView

if TYPE_CHECKING:
    from guestmap.memory.map.region import MemoryRegion
    from guestmap.memory.map.space import ViewedSpace


class MemoryRegionSection(NamedTuple):
    """A part of a region as it shows in an address space.

    Attributes:
        region: the region that answers.
        offset_within_region: first byte of it that shows.
        size: bytes, up to 2**64.
        offset_within_address_space: the address of that first byte.
        readonly, nonvolatile, unmergeable: with what parents and aliases add.
        address_space: where it shows.
        view: the view it was taken from; for a listener the one before the change.
    """

    region: MemoryRegion
    offset_within_region: int
    size: int
    offset_within_address_space: int
    readonly: bool
    nonvolatile: bool
    unmergeable: bool
    address_space: ViewedSpace
    view: FlatView

    @classmethod
    def of(cls, each: FlatRange, space: ViewedSpace, view: FlatView) -> MemoryRegionSection:
        """Return the section that is one range of an address space."""
        return cls(
            each.region,
            each.offset_in_region,
            each.end - each.start,
            each.start,
            each.readonly,
            each.nonvolatile,
            each.unmergeable,
            space,
            view,
        )
