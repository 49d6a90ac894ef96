"""Which RAM block is behind a region, and where in it a region's offset lies."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from guestmap.inspect.map.report import Report

if TYPE_CHECKING:
    from guestmap.inspect.map.snapshot import RamBlockInfo, RangeInfo, Snapshot

RAM_TYPES = frozenset({"ram", "rom", "romd", "ramd"})
"""What ``info mtree`` calls regions that have memory of their own."""


@dataclass(frozen=True, slots=True)
class RamPlace(Report):
    """A byte of RAM.

    Attributes:
        block: the RAM block's name; the region's where the source lists no blocks.
        offset: in the block, in bytes.
        ram_addr: in the space of all RAM; None where the source does not say.
    """

    block: str
    offset: int
    ram_addr: int | None


def ram_place(snapshot: Snapshot, name: str, kind: str, offset: int) -> RamPlace | None:
    """Return the RAM behind ``offset`` of the region called ``name``; None for a device."""
    if kind not in RAM_TYPES:
        return None
    block = find_block(snapshot, name)
    if block is None:
        return RamPlace(name, offset, None)
    return RamPlace(block.name, offset, block.offset + offset)


def place_in_range(snapshot: Snapshot, shown: RangeInfo, skip: int = 0) -> RamPlace | None:
    """Return the RAM ``skip`` bytes behind the start of a view's range; None for a device."""
    # A range that is read-only prints as rom, even where a device answers.
    kind = shown.type if shown.region is None else snapshot.regions[shown.region].type
    return ram_place(snapshot, shown.name, kind, shown.offset_in_region + skip)


def find_block(snapshot: Snapshot, region: str) -> RamBlockInfo | None:
    """Return the only block that can be a region's; None where there are none or several.

    A block has its region's name, behind the path of the device that owns it and a slash.
    """
    found = [
        block
        for block in snapshot.ram_blocks
        if block.name == region or block.name.endswith(f"/{region}")
    ]
    return found[0] if len(found) == 1 else None
