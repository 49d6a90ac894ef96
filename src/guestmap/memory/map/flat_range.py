"""One range of a flat view, and when two of them are one."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from guestmap.memory.map.region import MemoryRegion


class FlatRange:
    """One run of addresses that one region answers. Treat as immutable.

    Attributes:
        start, end: first address, and first address after (up to 2**64).
        region: the region that answers: never a container without ops, never an alias.
        offset_in_region: where in the region the range starts, in bytes.
        readonly, nonvolatile, unmergeable: with what the parents and aliases on the way add.
        romd_mode: the region's ROM-device mode at the time of rendering.
        dirty_log_mask: the clients for which writes are logged.
    """

    __slots__ = (
        "dirty_log_mask",
        "end",
        "nonvolatile",
        "offset_in_region",
        "readonly",
        "region",
        "romd_mode",
        "start",
        "unmergeable",
    )

    def __init__(
        self,
        start: int,
        end: int,
        region: MemoryRegion,
        offset_in_region: int,
        readonly: bool,
        nonvolatile: bool,
        unmergeable: bool,
    ) -> None:
        self.start = start
        self.end = end
        self.region = region
        self.offset_in_region = offset_in_region
        self.readonly = readonly
        self.nonvolatile = nonvolatile
        self.unmergeable = unmergeable
        self.romd_mode = region.romd_mode
        self.dirty_log_mask = region.dirty_log_mask

    @property
    def size(self) -> int:
        """Bytes in the range."""
        return self.end - self.start

    @property
    def reads_directly(self) -> bool:
        """Whether reads are copies from host memory; writes are too, if it is also writable RAM."""
        region = self.region
        if region.rom_device:
            return self.romd_mode
        return region.ram and not region.ram_device

    def mtree_type(self) -> str:
        """Return the type word of ``info mtree -f``: "rom" where anything makes it read-only."""
        return "rom" if self.readonly else self.region.mtree_type()

    def cut(self, start: int, end: int) -> FlatRange:
        """Return the part between two addresses inside the range, as it was rendered."""
        part = self.extended(end)
        part.start = start
        part.offset_in_region += start - self.start
        return part

    def extended(self, end: int) -> FlatRange:
        """Return the same run going on until ``end``."""
        whole = FlatRange(
            self.start,
            end,
            self.region,
            self.offset_in_region,
            self.readonly,
            self.nonvolatile,
            self.unmergeable,
        )
        whole.romd_mode = self.romd_mode
        whole.dirty_log_mask = self.dirty_log_mask
        return whole

    def continues(self, other: FlatRange) -> bool:
        """Tell whether ``other`` is this range going on (QEMU's ``can_merge``)."""
        return (
            self.end == other.start
            and self.region is other.region
            and self.offset_in_region + (self.end - self.start) == other.offset_in_region
            and self.dirty_log_mask == other.dirty_log_mask
            and self.romd_mode == other.romd_mode
            and self.readonly == other.readonly
            and self.nonvolatile == other.nonvolatile
            and not self.unmergeable
            and not other.unmergeable
        )

    def same_mapping(self, other: FlatRange) -> bool:
        """Tell whether a listener need not hear of the step from one to the other.

        This is QEMU's ``flatrange_equal``: everything but the dirty log mask.
        """
        return (
            self.region is other.region
            and self.start == other.start
            and self.end == other.end
            and self.offset_in_region == other.offset_in_region
            and self.romd_mode == other.romd_mode
            and self.readonly == other.readonly
            and self.nonvolatile == other.nonvolatile
            and self.unmergeable == other.unmergeable
        )

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, FlatRange):
            return NotImplemented
        return self.same_mapping(other) and self.dirty_log_mask == other.dirty_log_mask

    def __hash__(self) -> int:
        return hash((self.start, self.end, id(self.region)))

    def __repr__(self) -> str:
        return (
            f"<FlatRange 0x{self.start:x}-0x{self.end - 1:x} {self.mtree_type()} {self.region.name}"
            f" @0x{self.offset_in_region:x}>"
        )


def simplify(ranges: list[FlatRange]) -> list[FlatRange]:
    """Join neighbours that continue each other, greedily from the left."""
    for a, b in pairwise(ranges):
        if a.end == b.start and a.region is b.region and a.continues(b):
            break
    else:
        return ranges
    joined: list[FlatRange] = []
    for each in ranges:
        if joined and joined[-1].continues(each):
            joined[-1] = joined[-1].extended(each.end)
        else:
            joined.append(each)
    return joined
