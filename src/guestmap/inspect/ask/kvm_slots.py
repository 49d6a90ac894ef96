"""The memory slots that a QEMU on KVM must have for a map, and what a trace of one says it has.

The rules are QEMU's (accel/kvm/kvm-all.c, ``kvm_set_phys_mem``): a range that is RAM, ROM, or a
ROM device in its ROM mode is a slot, in whole pages of the host; it is read-only where the *region*
is, or is a ROM device. RAM that is shown read-only through an alias (a PAM segment) is a slot that
the guest can write.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from guestmap.base import PeerError
from guestmap.inspect.ask.ram_ranges import RamRange, ram_ranges
from guestmap.inspect.map.report import Report

if TYPE_CHECKING:
    from collections.abc import Iterable

    from guestmap.inspect.map.snapshot import Snapshot

_PAGE = 0x1000
_READONLY = 2
_TRACE = re.compile(
    r"kvm_set_user_memory (?:AddrSpace#(?P<space>\d+) )?Slot#(?P<number>\d+)"
    r" flags=0x(?P<flags>[0-9a-f]+) gpa=0x(?P<gpa>[0-9a-f]+) size=0x(?P<size>[0-9a-f]+)"
    r" ua=0x(?P<host>[0-9a-f]+).* ret=(?P<ret>-?\d+)"
)
_SYSTEM = "memory"


@dataclass(frozen=True, slots=True)
class KvmSlot(Report):
    """Guest-physical addresses ``start <= a < end`` that are one slot.

    Attributes:
        readonly: writes of the guest come out to QEMU.
        region: name of the region that answers; "" of a slot that only a trace tells of.
        number: the slot's, where a trace tells it.
    """

    start: int
    end: int
    readonly: bool
    region: str = ""
    number: int | None = None


@dataclass(frozen=True, slots=True)
class KvmSlots(Report):
    """The slots of a map, by address; and where a trace differs.

    Attributes:
        slots: that there must be, with their numbers where a trace has them.
        missing: that the trace does not end with.
        surplus: that the trace ends with, and the map does not have.
        refused: requests in the trace that the kernel refused.
        compared: whether there was a trace.
    """

    slots: tuple[KvmSlot, ...]
    missing: tuple[KvmSlot, ...] = ()
    surplus: tuple[KvmSlot, ...] = ()
    refused: int = 0
    compared: bool = False


def kvm_slots(snapshot: Snapshot, trace: Iterable[str] | None = None) -> KvmSlots:
    """Return the slots that a map needs, compared with a trace where one is given.

    Args:
        snapshot: of the machine.
        trace: what QEMU wrote with ``-trace kvm_set_user_memory``, line by line.

    Raises:
        ConfigError: the map has no address space ``memory``.
        PeerError: the trace has no line of that event.
    """
    writable = {
        each.name for view in snapshot.views for each in view.ranges if each.type == "ram"
    } | {each.name for each in snapshot.regions if each.type == "ram"}
    needed = [
        slot
        for each in ram_ranges(snapshot, _SYSTEM).ranges
        if (slot := _slot(each, each.region in writable)) is not None
    ]
    if trace is None:
        return KvmSlots(tuple(needed))
    live, refused = traced_slots(trace)
    numbers = {(each.start, each.end, each.readonly): each.number for each in live}
    keys = {(each.start, each.end, each.readonly) for each in needed}
    return KvmSlots(
        tuple(_numbered(each, numbers) for each in needed),
        tuple(each for each in needed if (each.start, each.end, each.readonly) not in numbers),
        tuple(each for each in live if (each.start, each.end, each.readonly) not in keys),
        refused,
        compared=True,
    )


def traced_slots(trace: Iterable[str]) -> tuple[list[KvmSlot], int]:
    """Return the slots that stand at the end of a trace, by address, and how many were refused.

    Slots of the address space of system management mode (1) are left out.

    Raises:
        PeerError: there is no line of the event ``kvm_set_user_memory``.
    """
    live: dict[int, KvmSlot] = {}
    refused, seen = 0, False
    for line in trace:
        found = _TRACE.search(line)
        if found is None:
            continue
        seen = True
        if int(found["space"] or 0):
            continue
        number, size, start = int(found["number"]), int(found["size"], 16), int(found["gpa"], 16)
        if int(found["ret"]):
            refused += 1
        elif size:
            readonly = bool(int(found["flags"], 16) & _READONLY)
            live[number] = KvmSlot(start, start + size, readonly, number=number)
        else:
            live.pop(number, None)
    if not seen:
        raise PeerError(
            "the trace has no line of kvm_set_user_memory: start QEMU with"
            " -accel kvm -trace kvm_set_user_memory"
        )
    return sorted(live.values(), key=lambda each: each.start), refused


def _slot(shown: RamRange, is_writable: bool) -> KvmSlot | None:
    start, end = (shown.start + _PAGE - 1) & -_PAGE, shown.end & -_PAGE
    if start >= end:
        return None
    readonly = shown.type == "romd" or (shown.type == "rom" and not is_writable)
    return KvmSlot(start, end, readonly, shown.region)


def _numbered(slot: KvmSlot, numbers: dict[tuple[int, int, bool], int | None]) -> KvmSlot:
    number = numbers.get((slot.start, slot.end, slot.readonly))
    return KvmSlot(slot.start, slot.end, slot.readonly, slot.region, number)
