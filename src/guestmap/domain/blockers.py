"""What QEMU, or its host, would refuse: every reason at once, each with its remedy.

QEMU stops at the first (hw/mem/pc-dimm.c, hw/mem/memory-device.c, hw/i386/pc.c); here each check
stands alone, and says nothing where another one's trouble is the cause of its own.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from guestmap.base import format_size
from guestmap.domain import virtio_mem
from guestmap.domain.finding import PlanFinding, device_place
from guestmap.domain.machine_types import VIRTIO_MEM, Announcement
from guestmap.domain.place_blockers import address_blockers, size_blockers, total_blockers
from guestmap.domain.situation import backend_id

if TYPE_CHECKING:
    from collections.abc import Iterator

    from guestmap.domain.request import PlugRequest
    from guestmap.domain.situation import Situation

IDENTIFIER = re.compile(r"[A-Za-z][A-Za-z0-9._-]*")
"""What QEMU takes for an id (util/id.c)."""


def plug_blockers(situation: Situation, request: PlugRequest) -> tuple[PlanFinding, ...]:
    """Return all that would refuse a memory device; empty: QEMU will take it."""
    if request.kind == VIRTIO_MEM and VIRTIO_MEM not in situation.rule.takes:
        return (*migration(situation), *virtio_mem.plug_blockers(situation, request))
    if request.kind == VIRTIO_MEM:
        return (
            *migration(situation),
            *virtio_mem.plug_blockers(situation, request),
            *_window(situation),
            *size_blockers(situation, request),
            *total_blockers(situation, request),
            *address_blockers(situation, request),
            *_id(situation, request),
            *_node(situation, request),
        )
    if situation.rule.announces is Announcement.NONE:
        return (*migration(situation), *_no_hotplug(situation))
    return (
        *migration(situation),
        *_machine(situation),
        *_slot(situation, request),
        *size_blockers(situation, request),
        *total_blockers(situation, request),
        *address_blockers(situation, request),
        *_id(situation, request),
        *_node(situation, request),
        *_host(situation, request),
    )


def migration(situation: Situation) -> Iterator[PlanFinding]:
    """Find a migration: QEMU changes no devices while it lasts."""
    if situation.migration:
        yield PlanFinding(
            "migrating",
            f"the machine is being migrated ({situation.migration})",
            "wait for the end of the migration, or cancel it (migrate_cancel)",
        )


def _no_hotplug(situation: Situation) -> Iterator[PlanFinding]:
    rule = situation.rule
    yield PlanFinding(
        "no-hotplug",
        f"{situation.machine_title} {rule.why_not}",
        rule.remedy,
    )


def _machine(situation: Situation) -> Iterator[PlanFinding]:
    rule = situation.rule
    if rule.announces is Announcement.ACPI and situation.acpi is False:
        is_off = situation.acpi_switch == "off"
        yield PlanFinding(
            "no-acpi",
            f"{situation.machine_title} {rule.why_not}",
            rule.remedy_off if is_off else rule.remedy,
        )
    yield from _window(situation)
    if situation.window is not None and situation.slots == 0:
        yield PlanFinding(
            "no-slots",
            f"{situation.machine_title} was started without slots for DIMMs",
            f"start it with -m {_mib(situation.ram)},slots=N,maxmem={_mib(situation.max_ram)}",
        )


def _window(situation: Situation) -> Iterator[PlanFinding]:
    if situation.window is None:
        yield PlanFinding(
            "no-device-memory",
            f"{situation.machine_title} was started without room for memory devices (no maxmem)",
            f"start it with -m {_mib(situation.ram)},slots=N,maxmem=SIZE",
        )


def _slot(situation: Situation, request: PlugRequest) -> Iterator[PlanFinding]:
    if situation.slots == 0:
        return
    last = situation.slots - 1
    if request.slot is None:
        if not situation.has_free_slot:
            yield PlanFinding(
                "slots-full",
                f"all {situation.slots} slots hold a DIMM",
                "unplug one (guestmap unplug), or start the machine with more slots (at most 256)",
            )
        return
    if request.slot > last:
        yield PlanFinding(
            "slot-range",
            f"slot {request.slot} is not one of 0 to {last}",
            f"choose one of these, or give no --slot ({_free(situation)})",
        )
    elif (holder := situation.in_slots.get(request.slot)) is not None:
        yield PlanFinding(
            "slot-busy",
            f"slot {request.slot} holds {device_place(holder)}",
            f"choose another, or give no --slot ({_free(situation)})",
        )


def _free(situation: Situation) -> str:
    free = situation.free_slots
    return f"free: {_numbers(free)}" if free else "none is free"


def _id(situation: Situation, request: PlugRequest) -> Iterator[PlanFinding]:
    name = request.id
    if name is None:
        return
    if not IDENTIFIER.fullmatch(name):
        yield PlanFinding(
            "id-invalid",
            f"{name!r} is not an id for QEMU",
            "begin with a letter, then letters, digits, '-', '.' and '_' (ASCII)",
        )
        return
    if name in situation.device_names:
        yield PlanFinding("id-taken", f"there is a device {name!r} already", "choose another --id")
        return
    backend = backend_id(name)
    if backend not in situation.object_names:
        return
    user = next((each for each in situation.devices if each.backend == backend), None)
    if user is not None:
        yield PlanFinding(
            "backend-taken",
            f"the backend {backend!r} that it would have is that of {device_place(user)}",
            "choose another --id",
        )
    else:
        yield PlanFinding(
            "backend-orphaned",
            f"there is an object {backend!r} already, and no memory device uses it: perhaps left"
            " by a plug that failed",
            f"choose another --id, or have it deleted (guestmap dimms SOURCE --clean {backend})",
        )


def _node(situation: Situation, request: PlugRequest) -> Iterator[PlanFinding]:
    nodes = situation.nodes
    if nodes is None or request.node < max(nodes, 1):
        return
    which = "0 to " + str(nodes - 1) if nodes > 1 else "0"
    yield PlanFinding(
        "node",
        f"node {request.node} does not exist (NUMA nodes of the machine: {nodes})",
        f"choose node {which}, or start the machine with more (-numa node)",
    )


def _host(situation: Situation, request: PlugRequest) -> Iterator[PlanFinding]:
    host = situation.host
    if host is None:
        return
    room = {0: host.total + host.swap_total, 2: host.commit_left}.get(host.overcommit)
    if room is not None and request.size > room:
        yield PlanFinding(
            "host-memory",
            f"the host does not promise {format_size(request.size)}: vm.overcommit_memory is"
            f" {host.overcommit}, and {format_size(room)} is the most it gives now",
            "plug less, give the host memory or swap, or set vm.overcommit_memory to 1",
        )


def _mib(size: int) -> str:
    return f"{size >> 20}M"


def _numbers(numbers: tuple[int, ...], most: int = 8) -> str:
    more = f" and {len(numbers) - most} more" if len(numbers) > most else ""
    return ", ".join(map(str, numbers[:most])) + more
