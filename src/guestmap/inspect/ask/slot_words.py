"""A hypervisor's memory slots in words: which one serves an address, and which came and went."""

from __future__ import annotations

from typing import TYPE_CHECKING

from guestmap.inspect.ask.words import span

if TYPE_CHECKING:
    from guestmap.inspect.map.snapshot import SlotInfo, Snapshot

SEEN_BY_CPUS = ("memory", "cpu-memory")
"""How the names of address spaces begin whose addresses slots serve."""


def slot_words(slot: SlotInfo) -> str:
    """Say what a slot is: number, addresses, whether writes come out, how much is written."""
    words = f"slot {slot.number} of KVM, {span(slot.start, slot.start + slot.size)}"
    words += ", read-only: writes come out" if slot.readonly else ", writable"
    if slot.logged:
        noted = "written pages are noted"
        words += f", {noted}" if slot.dirty is None else f", {noted}: {slot.dirty} now"
    return words


def slot_changes(before: Snapshot, after: Snapshot) -> list[str]:
    """Say which slots came and went between two moments, by address; those that stay are not told.

    How many pages are written is no change.
    """
    old, new = {*map(_same, before.slots)}, {*map(_same, after.slots)}
    gone = [f"gone: {slot_words(each)}" for each in before.slots if _same(each) not in new]
    come = [f"new: {slot_words(each)}" for each in after.slots if _same(each) not in old]
    return gone + come


def _same(slot: SlotInfo) -> tuple[int, int, int, int, bool, bool]:
    return slot.number, slot.start, slot.size, slot.host, slot.readonly, slot.logged
