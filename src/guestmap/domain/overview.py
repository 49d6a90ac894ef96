"""A machine's memory devices at a glance: who sits where, what is free, what is left."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from guestmap.base import AddrRange
from guestmap.domain.ost import OstAnswer, explain
from guestmap.domain.placing import gaps, largest_fit
from guestmap.domain.situation import SLOT_KINDS, MemoryDevice
from guestmap.inspect.report import Report

if TYPE_CHECKING:
    from guestmap.domain.situation import Situation


@dataclass(frozen=True, slots=True)
class SlotRow(Report):
    """One slot: who holds it, and what the guest last said about it; None: nobody, nothing."""

    slot: int
    device: MemoryDevice | None
    last: OstAnswer | None


@dataclass(frozen=True, slots=True)
class Overview(Report):
    """Everything that ``guestmap dimms`` shows; sizes in bytes.

    Attributes:
        capacity, used, left: of memory devices in all: maxmem without RAM.
        largest: the most that one more DIMM may have.
        slots: by number. others: memory devices that hold no slot, by address.
        gaps: free ranges of the device memory, by address.
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
    left: int
    largest: int
    window: AddrRange | None
    slots: tuple[SlotRow, ...]
    slots_left: int
    others: tuple[MemoryDevice, ...]
    gaps: tuple[AddrRange, ...]
    orphans: tuple[str, ...]


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
        left=situation.bytes_left,
        largest=largest_fit(situation),
        window=situation.window,
        slots=tuple(
            SlotRow(slot, held.get(slot), _last(situation, slot)) for slot in range(situation.slots)
        ),
        slots_left=len(situation.free_slots),
        others=tuple(
            each for each in situation.devices if each.slot is None or each.kind not in SLOT_KINDS
        ),
        gaps=gaps(situation.window, situation.devices) if situation.window else (),
        orphans=situation.orphans,
    )


def _last(situation: Situation, slot: int) -> OstAnswer | None:
    """Return what the guest last said; both numbers 0 are what a slot starts with."""
    said = situation.slot_status(slot)
    return explain(said.source, said.status) if said.source or said.status else None
