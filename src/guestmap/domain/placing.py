"""Where in the device memory a DIMM goes: QEMU's first fit, and the gaps that there are.

The rule (QEMU, hw/mem/memory-device.c): the lowest aligned address of the device memory at which
the DIMM hits none of those that are there, which are looked at by address.
"""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING

from guestmap.base import AddrRange
from guestmap.domain.machine_types import DIMM

if TYPE_CHECKING:
    from collections.abc import Iterable

    from guestmap.domain.plugged import MemoryDevice
    from guestmap.domain.request import PlugRequest
    from guestmap.domain.situation import Situation


def align_up(value: int, alignment: int) -> int:
    """Return the next multiple of ``alignment``."""
    return -(-value // alignment) * alignment


def first_fit(
    window: AddrRange, devices: Iterable[MemoryDevice], size: int, alignment: int
) -> int | None:
    """Return the address that QEMU picks for ``size`` bytes; None where no gap is large enough."""
    address = align_up(window.start, alignment)
    for each in sorted(devices, key=attrgetter("addr")):
        if each.addr >= address + size:
            break
        if address < (end := each.addr + each.size):
            address = -(-end // alignment) * alignment
    return address if address + size <= window.end else None


def gaps(window: AddrRange, devices: Iterable[MemoryDevice]) -> tuple[AddrRange, ...]:
    """Return the free ranges of the device memory, by address."""
    found: list[AddrRange] = []
    address = window.start
    for each in sorted(devices, key=attrgetter("addr")):
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
    return tuple(sorted(hits, key=attrgetter("addr")))


def largest_fit(situation: Situation) -> int:
    """Return the most bytes that one more DIMM may have: aligned, in one gap, within maxmem."""
    if situation.window is None or (DIMM in situation.rule.takes and not situation.has_free_slot):
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


def pick_slot(situation: Situation, request: PlugRequest) -> int | None:
    """Return the slot that QEMU will take: the one asked for, or the lowest free one."""
    if request.slot is not None:
        return request.slot
    return next(iter(situation.free_slots), None)


def pick_address(situation: Situation, request: PlugRequest) -> int | None:
    """Return the address asked for, or the first one where the guest can use the DIMM.

    That is the first gap that starts and ends on the guest's memory blocks; where there is none, or
    QEMU is to choose (address 0), the first that fits.
    """
    window, block = situation.window, situation.block
    own = qemus_choice(situation, request)
    if request.addr is not None or window is None or not request.size or request.size % block:
        return own
    better = first_fit(window, situation.devices, request.size, max(block, situation.alignment))
    return own if better is None else better


def qemus_choice(situation: Situation, request: PlugRequest) -> int | None:
    """Return the address that QEMU takes where it is told none but the one asked for."""
    if request.hint is not None or situation.window is None or not request.size:
        return request.hint
    return first_fit(situation.window, situation.devices, request.size, situation.alignment)
