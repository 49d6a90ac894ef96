"""``dma``: what a device reaches by itself, as a bus master.

QEMU gives each bus master an address space of its own, named after the device's type. What it shows
is what the device's reads and writes meet: memory, other devices, or an IOMMU, whose tables say
where they go and which a map does not tell.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from guestmap.base import ConfigError
from guestmap.inspect.ask.iommus import are_iommus
from guestmap.inspect.ask.ram_place import RamPlace, place_in_range
from guestmap.inspect.ask.spaces import NamedSpace, Spaces
from guestmap.inspect.ask.words import row_span
from guestmap.inspect.map.report import Report

if TYPE_CHECKING:
    from guestmap.inspect.map.snapshot import Snapshot

_OF_CPUS = re.compile(r"memory|I/O|cpu-(?:secure-)?memory-\d+|cpu-smm-\d+")
_WRITABLE = frozenset({"ram", "ramd", "i/o", "romd"})  # a write to romd is a command to the device


@dataclass(frozen=True, slots=True)
class DmaRange(Report):
    """Addresses ``start <= a < end`` at which a device's accesses are answered.

    Attributes:
        region, type: who answers, and what that is.
        writes: whether a write does anything.
        place: the RAM behind it; None for a device.
        translates: an IOMMU answers: its tables say where accesses go.
    """

    start: int
    end: int
    region: str
    type: str
    writes: bool
    place: RamPlace | None
    translates: bool


@dataclass(frozen=True, slots=True)
class DmaSpace(Report):
    """What one bus master reaches; nothing, where it must not: its driver has not let it yet.

    Attributes:
        space: the address space's name, ``NAME#N`` where several have one.
        owner: the device that it belongs to; None where not known.
    """

    space: str
    owner: str | None
    ranges: tuple[DmaRange, ...]


@dataclass(frozen=True, slots=True)
class DmaReach(Report):
    """What the devices of a name, or of an id, reach."""

    device: str
    spaces: tuple[DmaSpace, ...]


def dma_reach(snapshot: Snapshot, device: str) -> DmaReach:
    """Return what a device reaches.

    Args:
        snapshot: the map.
        device: its address space's name, ``e1000`` or ``e1000#2``; or its id, where the source
            has owners.

    Raises:
        ConfigError: there is no such address space, which says which there are; or it is what the
            CPUs see.
    """
    spaces = Spaces(snapshot)
    found = _of_owner(spaces, device) or spaces.named(device)
    if any(_OF_CPUS.fullmatch(name) for name in (device, *(each.plain for each in found))):
        raise ConfigError(f"{device!r} is what the CPUs see: name a device that is a bus master")
    return DmaReach(device, tuple(_space(snapshot, spaces, each) for each in found))


def _of_owner(spaces: Spaces, device: str) -> list[NamedSpace]:
    return [
        each
        for each in spaces.all
        if each.owner is not None and each.owner.rpartition("/")[2] == device
    ]


def _space(snapshot: Snapshot, spaces: Spaces, space: NamedSpace) -> DmaSpace:
    view = spaces.ranges(space)
    ranges = tuple(
        DmaRange(
            each.start,
            each.start + each.size,
            each.name,
            each.type,
            each.type in _WRITABLE,
            place_in_range(snapshot, each),
            translates,
        )
        for each, translates in zip(view, are_iommus(snapshot, view), strict=True)
    )
    return DmaSpace(space.name, space.owner, ranges)


def dma_sentences(told: DmaReach) -> Iterator[str]:
    """Say what a device reaches."""
    for space in told.spaces:
        owner = f" ({space.owner})" if space.owner else ""
        if not space.ranges:
            yield (
                f"{space.space}{owner} reaches nothing: its driver has not made it a bus master"
                " (bit 2 of a PCI device's command register), or nobody is behind its bus"
            )
            continue
        yield f"{space.space}{owner} reaches:"
        yield from (f"  {_line(each)}" for each in space.ranges)


def _line(each: DmaRange) -> str:
    where = row_span(each.start, each.end)
    if each.translates:
        return (
            f"{where}  {each.region} translates: its tables say where an access goes, not the map"
        )
    if each.place is None:
        return f"{where}  {each.region}, a device's registers"
    write = "" if each.writes else ", which a write does not change"
    return f"{where}  {each.place.block} @{each.place.offset:x}, memory{write}"
