"""Port lists: old PC devices whose ports have gaps and answer some access widths only.

A list entry says which offsets answer one access size. An access of a size that no entry has is
split once, 16 bits into two bytes; anything else reads as all ones and writes nothing (QEMU's
``MemoryRegionPortio``, docs/devel/memory.rst). Neighbouring offsets make one region, a hole starts
the next.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from guestmap.base.named_tuple import NamedTuple
from guestmap.hw.device import IoRegion, Place, Space
from guestmap.memory import AccessSizes, Endianness, MemoryRegionOps

if TYPE_CHECKING:
    from collections.abc import Sequence

PortRead = Callable[[int], int]
PortWrite = Callable[[int, int], None]


class PortEntry(NamedTuple):
    """``length`` offsets from ``offset`` on that answer accesses of ``size`` bytes."""

    offset: int
    length: int
    size: int
    read: PortRead
    """``(offset in the list) -> value``"""
    write: PortWrite
    """``(offset in the list, value)``"""


def all_ones(_offset: int, size: int) -> int:
    """Answer a read as a port does that nobody drives."""
    return (1 << (8 * size)) - 1


def ignore(_offset: int, _value: int, _size: int) -> None:
    """Take a write that means nothing."""


def port_places(name: str, base: int, entries: Sequence[PortEntry]) -> tuple[Place, ...]:
    """Return the place of each run of neighbouring offsets; ``base`` is the port of offset 0.

    All regions get the same ``name``, as in QEMU.
    """
    runs: list[tuple[int, int]] = []
    for entry in sorted(entries):
        start, end = entry.offset, entry.offset + entry.length + entry.size - 1
        if runs and start <= runs[-1][1]:
            # A wide entry's last bytes make no port of their own where narrower ones follow.
            runs[-1] = (runs[-1][0], max(runs[-1][1], end))
        else:
            runs.append((start, end))
    return tuple(
        Place(Space.IO, base + start, IoRegion(name, end - start, _run_ops(start, end, entries)))
        for start, end in runs
    )


def _run_ops(start: int, end: int, entries: Sequence[PortEntry]) -> MemoryRegionOps:
    # (offset in the region, size) -> the entry's callback and the offset in the list
    exact: dict[tuple[int, int], PortEntry] = {}
    for entry in entries:
        for offset in range(max(start, entry.offset), min(end, entry.offset + entry.length)):
            exact.setdefault((offset - start, entry.size), entry)

    def read(offset: int, size: int) -> int:
        entry = exact.get((offset, size))
        if entry is not None:
            return entry.read(start + offset)
        if size == 2 and (entry := exact.get((offset, 1))) is not None:
            low = entry.read(start + offset)
            if start + offset + 1 < entry.offset + entry.length:
                return low | entry.read(start + offset + 1) << 8
            return low | 0xFF00
        return all_ones(offset, size)

    def write(offset: int, value: int, size: int) -> None:
        entry = exact.get((offset, size))
        if entry is not None:
            entry.write(start + offset, value)
        elif size == 2 and (entry := exact.get((offset, 1))) is not None:
            entry.write(start + offset, value & 0xFF)
            if start + offset + 1 < entry.offset + entry.length:
                entry.write(start + offset + 1, value >> 8 & 0xFF)

    anywhere = AccessSizes(unaligned=True)
    return MemoryRegionOps(
        read=read, write=write, endianness=Endianness.LITTLE, valid=anywhere, impl=anywhere
    )
