"""A machine's memory devices and DIMM slots out of QMP's answers.

Kinds that QEMU may have tomorrow are taken as they come: their place where it is told, and nothing
else. Source: QEMU QMP Reference Manual (MemoryDeviceInfo, ACPIOSTInfo).
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from guestmap.domain.plugged import MemoryDevice, SlotStatus
from guestmap.domain.questions import Question, prop
from guestmap.domain.replies import DeviceData, MemoryDeviceInfo, Named, Ospm

if TYPE_CHECKING:
    from collections.abc import Iterable

    from guestmap.domain.peer import Peer

DEVICES = Question("query-memory-devices", list[MemoryDeviceInfo], required=True)
SLOTS = Question("query-acpi-ospm-status", list[Ospm])

_ANONYMOUS = "/machine/peripheral-anon"
_PLACES = {"pc-dimm": "addr", "nvdimm": "addr", "sp-mem": "addr"}
"""Types of devices that take addresses, and the property that has theirs; others: ``memaddr``."""


def read_devices(peer: Peer) -> tuple[MemoryDevice, ...]:
    """Return what is plugged, by address."""
    (found,) = peer.ask_many([DEVICES])
    return devices_of(found)


def read_slots(peer: Peer) -> tuple[SlotStatus, ...] | None:
    """Return what the guest last said about each DIMM slot; None where there is no ACPI."""
    (found,) = peer.ask_many([SLOTS])
    return slots_of(found)


def devices_of(found: Iterable[MemoryDeviceInfo]) -> tuple[MemoryDevice, ...]:
    """Return memory devices from QMP's form, by address."""
    devices = (_device(each.type, each.data) for each in found)
    return tuple(sorted((d for d in devices if d is not None), key=lambda each: each.addr))


def slots_of(found: Iterable[Ospm] | None) -> tuple[SlotStatus, ...] | None:
    """Return the DIMM slots' statuses from QMP's form, by slot."""
    if found is None:
        return None
    statuses = (
        SlotStatus(int(each.slot), each.device, each.source, each.status)
        for each in found
        if each.slot_type == "DIMM"
    )
    return tuple(sorted(statuses, key=lambda each: each.slot))


def with_paths(peer: Peer, devices: tuple[MemoryDevice, ...]) -> tuple[MemoryDevice, ...]:
    """Return the devices, those without an id with their path in the object tree."""
    if all(each.id is not None for each in devices):
        return devices
    (found,) = peer.ask_many([Question("qom-list", list[Named], {"path": _ANONYMOUS})])
    kinds = {f"{_ANONYMOUS}/{each.name}": each.type for each in found or ()}
    names = [path for path, kind in kinds.items() if kind.startswith("child<")]
    asked = [
        prop(path, _PLACES.get(kinds[path][len("child<") : -1], "memaddr"), int) for path in names
    ]
    by_place = dict(zip(peer.ask_many(asked), names, strict=True))
    return tuple(
        each if each.id is not None else replace(each, path=by_place.get(each.addr))
        for each in devices
    )


def with_origins(peer: Peer, devices: tuple[MemoryDevice, ...]) -> tuple[MemoryDevice, ...]:
    """Return the devices, with whether they were plugged where query-memory-devices keeps it."""
    untold = [each for each in devices if each.hotplugged is None and each.name]
    if not untold:
        return devices
    paths = [each.path or f"/machine/peripheral/{each.id}" for each in untold]
    told = peer.ask_many([prop(path, "hotplugged", bool) for path in paths])
    by_name = {each.name: answer for each, answer in zip(untold, told, strict=True)}
    return tuple(
        replace(each, hotplugged=by_name.get(each.name)) if each.hotplugged is None else each
        for each in devices
    )


def _device(kind: str, data: DeviceData) -> MemoryDevice | None:
    """Return a device from QMP's form; None for one that takes no addresses."""
    addr = data.memaddr if data.addr is None else data.addr
    size = data.max_size or data.size
    if addr is None or not size:
        return None
    return MemoryDevice(
        id=data.id,
        kind=kind,
        addr=addr,
        size=size,
        slot=data.slot,
        node=data.node,
        backend=data.memdev.rsplit("/", 1)[-1] if data.memdev else None,
        hotplugged=data.hotplugged,
        hotpluggable=data.hotpluggable,
        present=data.size if data.max_size else None,
        requested=data.requested_size,
        block=data.block_size,
    )
