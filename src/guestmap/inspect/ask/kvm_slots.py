"""The memory slots that a machine on KVM must have for a map, and those that it says it has.

The rules are QEMU's (accel/kvm/kvm-all.c, ``kvm_set_phys_mem``): a range that is RAM, ROM, or a
ROM device in its ROM mode is a slot, in whole pages of the host; it is read-only where the *region*
is, or is a ROM device. RAM that is shown read-only through an alias (a PAM segment) is a slot that
the guest can write. In our own machine it is read-only, as on the chipset; such a machine tells its
slots itself, a QEMU writes a trace.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from guestmap.base import ConfigError, PeerError
from guestmap.inspect.ask.mappings import ProcessMapping, is_mapped
from guestmap.inspect.ask.ram_ranges import RamRange, ram_ranges
from guestmap.inspect.map.report import Report

if TYPE_CHECKING:
    from collections.abc import Iterable

    from guestmap.inspect.map.snapshot import Snapshot

_PAGE = 0x1000
_LOGGED, _READONLY = 1, 2
_OURS = "guestmap "
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
        number: the slot's, where a trace, or the machine, tells it.
        host: where its memory is in the process, likewise.
        logged: the kernel notes the pages that the guest writes; ``dirty`` of them now, where the
            machine tells.
    """

    start: int
    end: int
    readonly: bool
    region: str = ""
    number: int | None = None
    host: int | None = None
    logged: bool = False
    dirty: int | None = None

    @property
    def key(self) -> tuple[int, int, bool]:
        """What makes it the slot that a map needs."""
        return self.start, self.end, self.readonly


@dataclass(frozen=True, slots=True)
class KvmSlots(Report):
    """The slots of a map, by address; and where those that are told of differ.

    Attributes:
        slots: that there must be, with their numbers where a trace or the machine has them.
        missing: that are not among those that it has.
        surplus: that it has, and the map does not need.
        refused: requests in the trace that the kernel refused.
        compared: whether a trace, or the machine itself, told the slots.
        unmapped: whose memory the process has not mapped, or not so that the guest could write.
    """

    slots: tuple[KvmSlot, ...]
    missing: tuple[KvmSlot, ...] = ()
    surplus: tuple[KvmSlot, ...] = ()
    refused: int = 0
    compared: bool = False
    unmapped: tuple[KvmSlot, ...] = ()


def kvm_slots(
    snapshot: Snapshot,
    trace: Iterable[str] | None = None,
    mappings: Iterable[ProcessMapping] | None = None,
) -> KvmSlots:
    """Return the slots that a map needs, compared with a trace, or else what the machine tells.

    Args:
        snapshot: of the machine.
        trace: what QEMU wrote with ``-trace kvm_set_user_memory``, line by line.
        mappings: what the machine's process has mapped.

    Raises:
        ConfigError: the map has no address space ``memory``; ``mappings`` are given, and nothing
            says where the slots' memory is.
        PeerError: the trace has no line of that event.
    """
    needed = _needed(snapshot)
    refused = 0
    if trace is not None:
        live, refused = traced_slots(trace)
    elif snapshot.slots:
        live = [
            KvmSlot(x.start, x.start + x.size, x.readonly, "", x.number, x.host, x.logged, x.dirty)
            for x in snapshot.slots
        ]
    elif mappings is not None:
        raise ConfigError("where the slots' memory is, a trace must tell: give --trace, too")
    else:
        return KvmSlots(tuple(needed))
    told = {each.key: each for each in live}
    keys = {each.key for each in needed}
    return KvmSlots(
        tuple(replace(told.get(each.key, each), region=each.region) for each in needed),
        tuple(each for each in needed if each.key not in told),
        tuple(each for each in live if each.key not in keys),
        refused,
        compared=True,
        unmapped=_unmapped(live, mappings),
    )


def _needed(snapshot: Snapshot) -> list[KvmSlot]:
    """Return the slots that a map needs, by its machine's rules."""
    writable: set[str] = set()
    if not snapshot.version.startswith(_OURS):
        shown = [each for view in snapshot.views for each in view.ranges]
        writable = {each.name for each in shown if each.type == "ram"}
        writable |= {each.name for each in snapshot.regions if each.type == "ram"}
    slots = (_slot(x, x.region in writable) for x in ram_ranges(snapshot, _SYSTEM).ranges)
    return [each for each in slots if each is not None]


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
            host = int(found["host"], 16)
            logged = bool(int(found["flags"], 16) & _LOGGED)
            live[number] = KvmSlot(start, start + size, readonly, "", number, host, logged)
        else:
            live.pop(number, None)
    if not seen:
        raise PeerError(
            "the trace has no line of kvm_set_user_memory: start QEMU with"
            " -accel kvm -trace kvm_set_user_memory"
        )
    return sorted(live.values(), key=lambda each: each.start), refused


def _unmapped(
    live: list[KvmSlot], mappings: Iterable[ProcessMapping] | None
) -> tuple[KvmSlot, ...]:
    if mappings is None:
        return ()
    there = sorted(mappings)
    return tuple(
        each
        for each in live
        if each.host is not None
        and not is_mapped(there, each.host, each.end - each.start, writable=not each.readonly)
    )


def _slot(shown: RamRange, is_writable: bool) -> KvmSlot | None:
    start, end = (shown.start + _PAGE - 1) & -_PAGE, shown.end & -_PAGE
    if start >= end:
        return None
    readonly = shown.type == "romd" or (shown.type == "rom" and not is_writable)
    return KvmSlot(start, end, readonly, shown.region)
