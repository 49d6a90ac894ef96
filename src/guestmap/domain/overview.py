"""A machine's memory devices at a glance: who sits where, what is free, what is left."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from guestmap.base import AddrRange
from guestmap.domain.ost import EJECTIONS, OstAnswer, OstKind, explain
from guestmap.domain.placing import gaps, largest_fit
from guestmap.domain.plugged import SLOT_KINDS, MemoryDevice
from guestmap.inspect.map.report import Report

if TYPE_CHECKING:
    from guestmap.domain.situation import Situation


@dataclass(frozen=True, slots=True)
class SlotRow(Report):
    """One slot: who holds it, and what was last heard in it; None: nobody, nothing.

    QEMU keeps what a guest said by slot and not by DIMM: it outlives the DIMM.

    Attributes:
        of_before: it was said of a DIMM that is gone: the slot is empty, or the guest told that it
            had let go. Else it may be of this DIMM or of the one before.
    """

    slot: int
    device: MemoryDevice | None
    last: OstAnswer | None
    of_before: bool = False


@dataclass(frozen=True, slots=True)
class Overview(Report):
    """Everything that ``guestmap dimms`` shows; sizes in bytes.

    Attributes:
        capacity, used, left: of memory devices in all: maxmem without RAM.
        plugged: RAM that they add now.
        largest: the most that one more DIMM may have.
        slots: by number. others: memory devices that hold no slot, by address.
        gaps: free ranges of the device memory, by address.
        why_no_room: where there is no device memory, what is the cause.
        orphans: backends that no device uses, and that are named as those of DIMMs are.
    """

    source: str
    version: str
    machine: str
    status: str
    ram: int
    max_ram: int
    capacity: int
    used: int
    plugged: int
    left: int
    largest: int
    window: AddrRange | None
    slots: tuple[SlotRow, ...]
    slots_left: int
    others: tuple[MemoryDevice, ...]
    gaps: tuple[AddrRange, ...]
    orphans: tuple[str, ...]
    why_no_room: str = ""


def overview(situation: Situation) -> Overview:
    """Return a machine's memory devices at a glance."""
    held = situation.in_slots
    return Overview(
        source=situation.source,
        version=situation.version,
        machine=situation.machine,
        status=situation.status,
        ram=situation.ram,
        max_ram=situation.max_ram,
        capacity=situation.capacity,
        used=situation.used,
        plugged=situation.plugged,
        left=situation.bytes_left,
        largest=largest_fit(situation),
        window=situation.window,
        slots=tuple(_row(situation, slot, held.get(slot)) for slot in range(situation.slots)),
        slots_left=len(situation.free_slots),
        others=tuple(each for each in situation.devices if not _is_in_a_slot(situation, each)),
        gaps=gaps(situation.window, situation.devices) if situation.window else (),
        orphans=situation.orphans,
        why_no_room=_why_no_room(situation),
    )


def _is_in_a_slot(situation: Situation, device: MemoryDevice) -> bool:
    # A machine type that places no DIMMs may take one at its start, and tells of it in slot -1.
    return device.kind in SLOT_KINDS and device.slot in range(situation.slots)


def _why_no_room(situation: Situation) -> str:
    if situation.window is not None:
        return ""
    rule = situation.rule
    if not rule.takes:
        return f"{situation.machine_title} {rule.why_not}"
    return f"{situation.machine_title} was started without maxmem"


def _row(situation: Situation, slot: int, device: MemoryDevice | None) -> SlotRow:
    """Return a slot's row; both numbers 0 are what a slot starts with."""
    said = situation.slot_status(slot)
    if not said.source and not said.status:
        return SlotRow(slot, device, None)
    last = explain(said.source, said.status)
    # A DIMM of which the guest let go is gone, so a report of that is not of the one there now.
    has_gone = said.source in EJECTIONS and last.kind is OstKind.SUCCESS
    return SlotRow(slot, device, last, of_before=device is None or has_gone)
