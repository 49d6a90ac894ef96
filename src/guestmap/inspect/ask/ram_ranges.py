"""``ram_ranges``: where guest-physical memory lies in the RAM blocks.

It is the table that tools need which read a guest's memory from outside (drgn, memflow): for each
run of guest-physical addresses the block of host memory behind it, and from which byte on.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from guestmap.inspect.ask.iommus import are_iommus
from guestmap.inspect.ask.ram_place import RamPlace, place_in_range
from guestmap.inspect.ask.spaces import Spaces
from guestmap.inspect.map.report import Report

if TYPE_CHECKING:
    from guestmap.inspect.map.snapshot import RangeInfo, Snapshot


@dataclass(frozen=True, slots=True)
class RamRange(Report):
    """Addresses ``start <= a < end`` that are host memory; ``place`` is where ``start`` lies.

    Attributes:
        region: name of the region that answers.
        type: ``ram``, ``rom`` (the guest cannot write here), ``romd`` (writes go to a device),
            ``ramd`` (a device's own memory).
        accelerator: who has the range as a slot (``KVM``), a word for each address space.
    """

    start: int
    end: int
    region: str
    type: str
    place: RamPlace
    nonvolatile: bool
    accelerator: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Translated(Report):
    """Addresses ``start <= a < end`` that an IOMMU leads elsewhere."""

    start: int
    end: int
    iommu: str


@dataclass(frozen=True, slots=True)
class RamTable(Report):
    """All memory that an address space shows, sorted by address.

    Attributes:
        translated: where an IOMMU answers: whether there is memory, and which, its tables say.
    """

    space: str
    ranges: tuple[RamRange, ...]
    translated: tuple[Translated, ...] = ()

    def find(self, address: int) -> tuple[str, int] | None:
        """Return the block and the offset in it of a guest-physical address; None: no memory."""
        for each in self.ranges:
            if each.start <= address < each.end:
                return each.place.block, each.place.offset + address - each.start
        return None


def ram_ranges(snapshot: Snapshot, space: str = "memory") -> RamTable:
    """Return where the memory that an address space shows lies in the RAM blocks.

    Raises:
        ConfigError: there is no such address space.
    """
    spaces = Spaces(snapshot)
    found = spaces.find(space)
    view = spaces.ranges(found)
    ranges = [_ram_range(snapshot, each) for each in view]
    translated = tuple(
        Translated(each.start, each.start + each.size, each.name)
        for each, translates in zip(view, are_iommus(snapshot, view), strict=True)
        if translates
    )
    return RamTable(found.name, tuple(each for each in ranges if each is not None), translated)


def _ram_range(snapshot: Snapshot, shown: RangeInfo) -> RamRange | None:
    place = place_in_range(snapshot, shown)
    if place is None:
        return None
    end = shown.start + shown.size
    return RamRange(
        shown.start, end, shown.name, shown.type, place, shown.nonvolatile, shown.accelerator
    )
