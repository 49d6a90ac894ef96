"""One machine that an inventory names twice: by its socket, and by libvirt, say.

A libvirt gives every machine a UUID, and the first CPU's thread is the machine's own on its host:
both together are one run of one machine, whatever leads there. A QEMU that was given none tells
zeros; then two sockets of one host are compared by the thread alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from uuid import UUID

import msgspec

from guestmap.base import GuestmapError
from guestmap.fleet.fleet_plan import PlannedMachine, Reason
from guestmap.qmp.client import parse_target
from guestmap.qmp.client.address import UnixTarget


def told_once(machines: Iterable[PlannedMachine]) -> Iterator[PlannedMachine]:
    """Yield machines; what is one of them by another source is blocked, and says which."""
    seen: dict[tuple[str, ...], PlannedMachine] = {}
    for each in machines:
        first = seen.setdefault(_who(each), each)
        if first is each:
            yield each
        else:
            text = f"it is {first.machine}, whose source is {first.source}"
            remedy = "leave one of them out of the inventory, or choose with --select"
            reasons = (Reason("named-twice", text, remedy), *each.reasons)
            yield msgspec.structs.replace(each, verdict="blocked", reasons=reasons)


def _who(machine: PlannedMachine) -> tuple[str, ...]:
    """Return what no other machine has."""
    uuid, _, thread = machine.run.partition(" ")
    try:
        if thread and UUID(uuid).int:
            return uuid, thread
        if thread and isinstance(parse_target(machine.source), UnixTarget):
            return "", machine.host, thread
    except (ValueError, GuestmapError):
        pass
    return "", "", "", machine.machine
