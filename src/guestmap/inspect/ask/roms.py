"""``roms``: what firmware, kernels and option ROMs are loaded where, against the map.

What was loaded is told by a machine's loader; a map alone tells which memory a guest cannot write,
and which ROMs no address shows. Where an image was put and somebody else answers, it is shadowed:
by RAM into which firmware has copied it, for one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from guestmap.base import format_size
from guestmap.inspect.ask.ram_place import RamPlace, place_in_range
from guestmap.inspect.ask.spaces import Spaces
from guestmap.inspect.ask.words import row_span
from guestmap.inspect.map.report import Report

if TYPE_CHECKING:
    from guestmap.inspect.map.snapshot import RangeInfo, Snapshot
    from guestmap.inspect.text.info_roms import LoadedImage

_READ_ONLY = frozenset({"rom", "romd"})
_FW_CFG_MEMORY = "/rom@"
_KERNEL_LOADERS = ("linuxboot", "multiboot", "pvh", "guestmap-linux")  # option ROMs of -kernel
_ROM_BLOCK = ".rom"  # how QEMU names the memory of option ROMs


@dataclass(frozen=True, slots=True)
class RomRange(Report):
    """Addresses ``start <= a < end`` that one region answers; ``place`` is the memory, if any."""

    start: int
    end: int
    region: str
    type: str
    place: RamPlace | None


@dataclass(frozen=True, slots=True)
class PlacedImage(Report):
    """An image, and who answers where it was put.

    Attributes:
        name: the loader's name for it.
        size: bytes.
        to: ``address``, ``region``, or ``fw_cfg``: a file that firmware reads.
        target: the region's or file's name.
        address: guest-physical; None where it was put to none.
        answers: who answers there now; of a region, where it is seen.
    """

    name: str
    size: int
    to: str
    target: str
    address: int | None
    answers: tuple[RomRange, ...]


@dataclass(frozen=True, slots=True)
class UnseenRom(Report):
    """The memory of an option ROM that no address shows: its BAR is off, or others hide it."""

    block: str
    size: int


@dataclass(frozen=True, slots=True)
class RomTable(Report):
    """What is loaded, and what is read-only.

    Attributes:
        loaded: images of the machine's loader; None where the source cannot tell.
        shown: memory that the CPUs see and cannot write.
        unseen: option ROMs that no address space shows.
    """

    loaded: tuple[PlacedImage, ...] | None
    shown: tuple[RomRange, ...]
    unseen: tuple[UnseenRom, ...]


def rom_table(snapshot: Snapshot, images: Sequence[LoadedImage] | None) -> RomTable:
    """Return what is loaded where.

    Args:
        snapshot: the map.
        images: what the machine's loader told; None where nobody could be asked.

    Raises:
        ConfigError: the map has no address space ``memory``.
    """
    spaces = Spaces(snapshot)
    view = spaces.ranges(spaces.find("memory"))
    loaded = None if images is None else tuple(_placed(snapshot, each, view) for each in images)
    shown = tuple(
        _range(snapshot, each, each.start, each.start + each.size)
        for each in view
        if each.type in _READ_ONLY
    )
    names = {each.name for space in spaces.all for each in spaces.ranges(space)}
    unseen = tuple(
        UnseenRom(each.name, each.used_length)
        for each in snapshot.ram_blocks
        if each.name.endswith(_ROM_BLOCK) and each.name.rpartition("/")[2] not in names
    )
    return RomTable(loaded, shown, unseen)


def _placed(snapshot: Snapshot, image: LoadedImage, view: Sequence[RangeInfo]) -> PlacedImage:
    answers: list[RomRange] = []
    for each in view:
        start, end = each.start, each.start + each.size
        if image.address is not None:
            start, end = max(start, image.address), min(end, image.address + image.size)
        elif image.to != "region" or each.name != image.target:
            continue
        if start < end:
            answers.append(_range(snapshot, each, start, end))
    return PlacedImage(
        image.name, image.size, image.to, image.target, image.address, tuple(answers)
    )


def _range(snapshot: Snapshot, each: RangeInfo, start: int, end: int) -> RomRange:
    place = place_in_range(snapshot, each, start - each.start)
    return RomRange(start, end, each.name, each.type, place)


def rom_sentences(told: RomTable) -> Iterator[str]:
    """Say what is loaded where."""
    if told.loaded is None:
        yield "what was loaded is known to a machine's loader, which a map does not have"
    for image in told.loaded or ():
        yield f"{image.name}, {format_size(image.size)}: {_destination(image)}"
        yield from (f"  {_line(each)}" for each in image.answers)
    yield (
        "memory that the CPUs see and cannot write:"
        if told.shown
        else ("the CPUs see no memory that they cannot write")
    )
    yield from (f"  {_line(each)}" for each in told.shown)
    for rom in told.unseen:
        yield f"{rom.block}, {format_size(rom.size)}: no address shows it: {_why_unseen(rom)}"


def _why_unseen(rom: UnseenRom) -> str:
    if "/" in rom.block:  # behind the path of a device
        return "the guest has not switched its device's ROM BAR on"
    return "others answer in its place"


def _destination(image: PlacedImage) -> str:
    if image.to == "fw_cfg":
        then = "; it loads the kernel" if image.name.startswith(_KERNEL_LOADERS) else ""
        return f"fw_cfg file {image.target!r}, which firmware copies and runs{then}"
    if image.to == "region":
        if image.answers:
            return f"region {image.target!r}"
        if image.target.startswith(_FW_CFG_MEMORY):
            return f"memory {image.target!r}, which firmware reads through fw_cfg"
        return f"region {image.target!r}, which no address of the CPUs shows"
    assert image.address is not None
    end = image.address + image.size
    missing = image.size - sum(each.end - each.start for each in image.answers)
    unanswered = f"; nobody answers at {format_size(missing)} of it" if missing else ""
    return f"loaded at {image.address:#x}-{end - 1:#x}; who answers there now{unanswered}"


def _line(each: RomRange) -> str:
    where = row_span(each.start, each.end)
    if each.place is None:
        return f"{where}  {each.region} ({each.type}), a device's registers"
    return f"{where}  {each.region} ({each.type}), {each.place.block} @{each.place.offset:x}"
