"""Where in the device memory a DIMM goes: QEMU's first fit, and the gaps that there are.

The rule (QEMU, hw/mem/memory-device.c): the lowest aligned address of the device memory at which
the DIMM hits none of those that are there, which are looked at by address.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from guestmap.base import AddrRange
from guestmap.domain.machine_types import DIMM

if TYPE_CHECKING:
    from collections.abc import Iterable

    from guestmap.domain.situation import MemoryDevice, Situation


def align_up(value: int, alignment: int) -> int:
    """Return the next multiple of ``alignment``."""
    return -(-value // alignment) * alignment


def first_fit(
    window: AddrRange, devices: Iterable[MemoryDevice], size: int, alignment: int
) -> int | None:
    """Return the address that QEMU picks for ``size`` bytes; None where no gap is large enough."""
    address = align_up(window.start, alignment)
    for each in sorted(devices, key=lambda device: device.addr):
        if address < each.end and each.addr < address + size:
            address = align_up(each.end, alignment)
        elif each.addr >= address + size:
            break
    return address if address + size <= window.end else None


def gaps(window: AddrRange, devices: Iterable[MemoryDevice]) -> tuple[AddrRange, ...]:
    """Return the free ranges of the device memory, by address."""
    found: list[AddrRange] = []
    address = window.start
    for each in sorted(devices, key=lambda device: device.addr):
        if each.addr > address:
            found.append(AddrRange(address, each.addr - address))
        address = max(address, each.end)
    if address < window.end:
        found.append(AddrRange(address, window.end - address))
    return tuple(found)


def overlapping(
    devices: Iterable[MemoryDevice], address: int, size: int
) -> tuple[MemoryDevice, ...]:
    """Return the devices that share an address with a range, by address."""
    place = AddrRange(address, size)
    hits = (each for each in devices if place.intersects(AddrRange(each.addr, each.size)))
    return tuple(sorted(hits, key=lambda each: each.addr))


def largest_fit(situation: Situation) -> int:
    """Return the most bytes that one more DIMM may have: aligned, in one gap, within maxmem."""
    if situation.window is None or (DIMM in situation.rule.takes and not situation.free_slots):
        return 0
    unit = max(situation.alignment, situation.rule.unit)
    room = max(
        (
            each.end // unit * unit - align_up(each.start, unit)
            for each in gaps(situation.window, situation.devices)
        ),
        default=0,
    )
    return max(0, min(room, situation.bytes_left // unit * unit))
