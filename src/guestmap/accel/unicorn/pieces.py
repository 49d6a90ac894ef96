"""Runs of guest-physical addresses that are host memory, and how to cut and join them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from guestmap.base.named_tuple import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

    from guestmap.base.address_map import AddressMap
    from guestmap.memory import MemoryRegionSection
    from guestmap.memory.ram import RamBlock

PAGE = 0x1000
"""Bytes of a page: what Unicorn maps in multiples of."""


class Piece(NamedTuple):
    """A run of addresses that is host memory.

    Attributes:
        start, end: guest-physical.
        block: the RAM block.
        offset: of ``start`` in the block.
        writable: for the CPU.
        romd: writes go to a device.
    """

    start: int
    end: int
    block: RamBlock
    offset: int
    writable: bool
    romd: bool

    def cut(self, start: int, end: int) -> Piece:
        """Return the part between two addresses."""
        start, end = max(start, self.start), min(end, self.end)
        return self._replace(start=start, end=end, offset=self.offset + start - self.start)

    def continues(self, before: Piece) -> bool:
        """Tell whether the piece and the one before it are one run of host memory."""
        return (
            self.start == before.end
            and self.block is before.block
            and self.offset == before.offset + before.end - before.start
            and self.writable == before.writable
            and self.romd == before.romd
        )


def direct(section: MemoryRegionSection, limit: int) -> Piece | None:
    """Return the part of a section that the CPU may touch without asking, if there is one.

    Args:
        section: what shows.
        limit: the first address that is not the guest's.
    """
    region = section.region
    block = region.ram_block
    if block is None or not block.host_address or not (region.reads_directly or region.ram_device):
        return None
    start, offset = section.offset_within_address_space, section.offset_within_region
    size = min(section.size, len(block.buffer) - offset)
    if size <= 0 or start + size > limit:
        return None
    writable = not (section.readonly or region.readonly or region.rom_device)
    return Piece(start, start + size, block, offset, writable, region.rom_device)


def whole_pages(piece: Piece) -> Iterator[Piece]:
    """Yield the whole pages of a piece, as one; nothing where there is none."""
    start, end = (piece.start + PAGE - 1) & -PAGE, piece.end & -PAGE
    if start < end:
        yield piece.cut(start, end)


def overlapping(pieces: AddressMap[Piece], low: int, high: int) -> Iterator[Piece]:
    """Yield the pieces that have an address between two, in order."""
    first = pieces.bisect_right(low) - 1
    if first >= 0:
        piece = pieces.peekitem(first)[1]
        if piece.end > low:
            yield piece
    for start in pieces.irange(low, high, inclusive=(False, False)):
        yield pieces[start]
