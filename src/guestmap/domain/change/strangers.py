"""What QEMU refuses because somebody else changed the machine: who has it, and what to do.

libvirt repeats QEMU's words, which say what is taken and not by whom: it knows its own devices.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from guestmap.domain.rules.errors import DomainError

if TYPE_CHECKING:
    from guestmap.domain.change.link import Link
    from guestmap.domain.replies import MemoryDeviceInfo

_SLOT_TAKEN = re.compile(r"slot (\d+) is busy")
_MOST_FREE = 8


def backend_taken(link: Link, backend: str, error: DomainError) -> DomainError:
    """Say of a backend that is there already whose it is; any other refusal stays as it is."""
    if f"'{backend}'" not in error.text or "duplicate" not in error.text:
        return error
    user = next(
        (d.data.id for d in link.memory_devices() if (d.data.memdev or "").endswith(f"/{backend}")),
        None,
    )
    return _advised(
        error,
        f"{backend} is the memory of {user}: choose another alias"
        if user
        else f"{backend} belongs to no device, and was not made here: another manager may be"
        f" between its two commands; else: guestmap dimms {link.wire.source} --clean {backend}",
    )


def slot_taken(link: Link, error: DomainError) -> DomainError:
    """Say of a slot that is in use who has it; any other refusal stays as it is."""
    said = _SLOT_TAKEN.search(error.text)
    if said is None:
        return error
    devices = link.memory_devices()
    holder = next((each for each in devices if each.data.slot == int(said[1])), None)
    if holder is None:
        return _advised(error, "whoever had it has let go of it since: try again")
    known = {each.alias for each in link.status.definition.devices}
    stranger = "" if holder.data.id in known else ", which was plugged by somebody else,"
    return _advised(
        error,
        f"{holder.data.id or 'a device without an id'}{stranger} has it:"
        f" give <address type='dimm' slot='N'/>, {_free(link, devices)}",
    )


def _free(link: Link, devices: list[MemoryDeviceInfo]) -> str:
    busy = {each.data.slot for each in devices}
    free = [slot for slot in range(link.status.definition.slots) if slot not in busy]
    return f"free: {', '.join(map(str, free[:_MOST_FREE]))}" if free else "but no slot is free"


def _advised(error: DomainError, remedy: str) -> DomainError:
    text = error.text.removeprefix("internal error: ")
    return DomainError(error.code, text, domain=error.domain, speaker=error.speaker, remedy=remedy)
