"""What QEMU, or its host, would refuse: every reason at once, each with its remedy.

QEMU stops at the first (hw/mem/pc-dimm.c, hw/mem/memory-device.c, hw/i386/pc.c); here each check
stands alone, and says nothing where another one's trouble is the cause of its own.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from guestmap.base import format_size
from guestmap.domain.finding import Finding, device_place, gap_list, span
from guestmap.domain.placing import first_fit, gaps, largest_fit, overlapping
from guestmap.domain.situation import backend_id

if TYPE_CHECKING:
    from collections.abc import Iterator

    from guestmap.base import AddrRange
    from guestmap.domain.request import PlugRequest
    from guestmap.domain.situation import Situation

IDENTIFIER = re.compile(r"[A-Za-z][A-Za-z0-9._-]*")
"""What QEMU takes for an id (util/id.c)."""


def plug_blockers(situation: Situation, request: PlugRequest) -> tuple[Finding, ...]:
    """Return all that would refuse a DIMM; empty: QEMU will take it."""
    return (
        *migration(situation),
        *_machine(situation),
        *_slot(situation, request),
        *_size(situation, request),
        *_total(situation, request),
        *_address(situation, request),
        *_id(situation, request),
        *_node(situation, request),
        *_host(situation, request),
    )


def migration(situation: Situation) -> Iterator[Finding]:
    """Find a migration: QEMU changes no devices while it lasts."""
    if situation.migration:
        yield Finding(
            "migrating",
            f"the machine is being migrated ({situation.migration})",
            "wait for the end of the migration, or cancel it (migrate_cancel)",
        )


def _machine(situation: Situation) -> Iterator[Finding]:
    if situation.acpi is False:
        yield Finding(
            "no-acpi",
            f"the machine ({situation.machine or 'of unknown type'}) has no ACPI memory hot-plug",
            "start it as a pc or q35 machine without acpi=off",
        )
    if situation.window is None:
        yield Finding(
            "no-device-memory",
            "the machine was started without room for memory devices (no maxmem)",
            f"start it with -m {_mib(situation.ram)},slots=N,maxmem=SIZE",
        )
    elif situation.slots == 0:
        yield Finding(
            "no-slots",
            "the machine was started without slots for DIMMs",
            f"start it with -m {_mib(situation.ram)},slots=N,maxmem={_mib(situation.max_ram)}",
        )


def _slot(situation: Situation, request: PlugRequest) -> Iterator[Finding]:
    if situation.slots == 0:
        return
    free, last = situation.free_slots, situation.slots - 1
    listed = f"free: {_numbers(free)}" if free else "none is free"
    if request.slot is None:
        if not free:
            yield Finding(
                "slots-full",
                f"all {situation.slots} slots hold a DIMM",
                "unplug one (guestmap unplug), or start the machine with more slots (at most 256)",
            )
    elif request.slot > last:
        yield Finding(
            "slot-range",
            f"slot {request.slot} is not one of 0 to {last}",
            f"choose one of these, or give no --slot ({listed})",
        )
    elif (holder := situation.in_slots.get(request.slot)) is not None:
        yield Finding(
            "slot-busy",
            f"slot {request.slot} holds {device_place(holder)}",
            f"choose another, or give no --slot ({listed})",
        )


def _size(situation: Situation, request: PlugRequest) -> Iterator[Finding]:
    unit, size = situation.alignment, request.size
    if size == 0:
        yield Finding("size-zero", "a DIMM of no bytes", f"give a multiple of {format_size(unit)}")
    elif size % unit:
        down, up = size // unit * unit, -(-size // unit) * unit
        near = " or ".join(f"{value:#x}" for value in (down, up) if value)
        yield Finding(
            "size-unaligned",
            f"{size:#x} bytes are not a multiple of {unit:#x} ({format_size(unit)})",
            f"give {near}",
        )


def _total(situation: Situation, request: PlugRequest) -> Iterator[Finding]:
    if situation.window is not None and request.size > situation.bytes_left:
        yield Finding(
            "over-maxmem",
            f"{format_size(request.size)} do not fit: {format_size(situation.used)} of"
            f" {format_size(situation.capacity)} for memory devices are used,"
            f" {format_size(situation.bytes_left)} are left",
            f"give at most {largest_fit(situation):#x} bytes, unplug a DIMM, or start the machine"
            " with a larger maxmem",
        )


def _address(situation: Situation, request: PlugRequest) -> Iterator[Finding]:
    window, size = situation.window, request.size
    if window is None or size == 0:
        return
    if request.hint is not None:
        yield from _hint(situation, window, request.hint, size)
    elif (
        size <= situation.bytes_left
        and first_fit(window, situation.devices, size, situation.alignment) is None
    ):
        yield Finding(
            "fragmented",
            f"no gap of the device memory takes {format_size(size)}; the gaps:"
            f" {gap_list(gaps(window, situation.devices))}",
            f"plug smaller DIMMs (at most {largest_fit(situation):#x} bytes now), or unplug one"
            " that lies between two gaps",
        )


def _hint(situation: Situation, window: AddrRange, address: int, size: int) -> Iterator[Finding]:
    unit = situation.alignment
    free = gap_list(gaps(window, situation.devices))
    if address % unit:
        yield Finding(
            "address-unaligned",
            f"address {address:#x} is not a multiple of {unit:#x} ({format_size(unit)})",
            f"give {address // unit * unit:#x} or {-(-address // unit) * unit:#x}",
        )
    if address < window.start or address + size > window.end:
        yield Finding(
            "address-outside",
            f"{span(address, size)} is not within the device memory,"
            f" {span(window.start, window.size)}",
            f"choose an address in a gap, or give no --addr (gaps: {free})",
        )
    for each in overlapping(situation.devices, address, size):
        yield Finding(
            "address-overlap",
            f"{span(address, size)} overlaps {device_place(each)}",
            f"choose an address in a gap, or give no --addr (gaps: {free})",
        )


def _id(situation: Situation, request: PlugRequest) -> Iterator[Finding]:
    name = request.id
    if name is None:
        return
    if not IDENTIFIER.fullmatch(name):
        yield Finding(
            "id-invalid",
            f"{name!r} is not an id for QEMU",
            "begin with a letter, then letters, digits, '-', '.' and '_' (ASCII)",
        )
        return
    if name in situation.device_names:
        yield Finding("id-taken", f"there is a device {name!r} already", "choose another --id")
    backend = backend_id(name)
    if backend not in situation.object_names:
        return
    user = next((each for each in situation.devices if each.backend == backend), None)
    if user is not None:
        yield Finding(
            "backend-taken",
            f"the backend {backend!r} that it would have is that of {device_place(user)}",
            "choose another --id",
        )
    else:
        yield Finding(
            "backend-orphaned",
            f"there is an object {backend!r} already, and no memory device uses it: perhaps left"
            " by a plug that failed",
            f"choose another --id, or delete the object (QMP: object-del id={backend})",
        )


def _node(situation: Situation, request: PlugRequest) -> Iterator[Finding]:
    nodes = situation.nodes
    if nodes is None or request.node < max(nodes, 1):
        return
    which = "0 to " + str(nodes - 1) if nodes > 1 else "0"
    yield Finding(
        "node",
        f"node {request.node} does not exist (NUMA nodes of the machine: {nodes})",
        f"choose node {which}, or start the machine with more (-numa node)",
    )


def _host(situation: Situation, request: PlugRequest) -> Iterator[Finding]:
    host = situation.host
    if host is None:
        return
    room = {0: host.total + host.swap_total, 2: host.commit_left}.get(host.overcommit)
    if room is not None and request.size > room:
        yield Finding(
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
