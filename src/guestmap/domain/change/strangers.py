"""What QEMU refuses because somebody else changed the machine: who has it, and what to do.

libvirt repeats QEMU's words, which say what is taken and not by whom: it knows its own devices.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from guestmap.domain.rules.device_rules import free_slots

if TYPE_CHECKING:
    from guestmap.domain.change.link import Link
    from guestmap.domain.rules.errors import DomainError

_SLOT_TAKEN = re.compile(r"slot (\d+) is busy")


def of_backend(link: Link, backend: str, error: DomainError) -> str:
    """Return what to do about a backend that is there already; "" for any other refusal."""
    if f"'{backend}'" not in error.text or "duplicate" not in error.text:
        return ""
    user = next(
        (d.data.id for d in link.memory_devices() if (d.data.memdev or "").endswith(f"/{backend}")),
        None,
    )
    if user:
        return f"{backend} is the memory of {user}: choose another alias"
    return (
        f"{backend} belongs to no device, and was not made here: another manager may be"
        f" between its two commands; else: guestmap dimms {link.wire.source} --clean {backend}"
    )


def of_slot(link: Link, error: DomainError) -> str:
    """Return who has a slot that is in use, and which are free; "" for any other refusal."""
    said = _SLOT_TAKEN.search(error.text)
    if said is None:
        return ""
    devices = link.memory_devices()
    holder = next((each for each in devices if each.data.slot == int(said[1])), None)
    if holder is None:
        return "whoever had it has let go of it since: try again"
    found = link.status.definition
    is_known = holder.data.id in {each.alias for each in found.devices}
    stranger = "" if is_known else ", which was plugged by somebody else,"
    free = free_slots(found.slots, {each.data.slot for each in devices})
    return (
        f"{holder.data.id or 'a device without an id'}{stranger} has it:"
        f" give <address type='dimm' slot='N'/>, {free or 'but no slot is free'}"
    )
