"""Reading a machine's situation: questions only, each with another way where a QEMU cannot tell.

Sources of the facts: QEMU QMP Reference Manual; the machine's own properties in its object model
(``memory`` since QEMU 7.1, ``acpi-device``); the device memory's place from ``info mtree``.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from guestmap.base import GIB, AddrRange
from guestmap.domain.host import VHOST_REGIONS, read_host_memory, read_number
from guestmap.domain.replies import (
    Device,
    DeviceData,
    Kvm,
    Machine,
    Memdev,
    Migration,
    Named,
    Ospm,
    Sizes,
    Status,
)
from guestmap.domain.situation import (
    ALIGNMENT,
    MemoryDevice,
    Scene,
    Situation,
    SlotStatus,
)
from guestmap.inspect.attach import VersionReply
from guestmap.inspect.ram_place import RAM_TYPES
from guestmap.inspect.views import space_names, view_of

if TYPE_CHECKING:
    from guestmap.domain.peer import Peer
    from guestmap.inspect import Snapshot

DEVICE_MEMORY = "device-memory"
_MEMORY_SPACE = "memory"
_OLD_ALIGNMENT = 4096
_VHOST = "child<vhost-"
_GPE_MEMORY = 1 << 3
_PORT = re.compile(r"= 0x([0-9a-f]+)")
_NODES = re.compile(r"(\d+) nodes")
_DONE_MIGRATING = {"", "none", "completed", "failed", "cancelled"}


def survey(peer: Peer) -> Scene:
    """Return a machine's situation and map.

    Raises:
        PeerError: the machine does not answer as QMP promises, or has gone.
        UnsupportedError: it has no ``info mtree``.
    """
    snapshot = peer.snapshot()
    situation = _memory(peer, Situation(source=peer.source), snapshot)
    situation = _surroundings(peer, _running(peer, situation))
    return Scene(situation, snapshot)


def read_devices(peer: Peer) -> tuple[MemoryDevice, ...]:
    """Return what is plugged, by address."""
    found = peer.ask("query-memory-devices", list[Device])
    devices = (_device(each.type, each.data) for each in found)
    return tuple(sorted((d for d in devices if d is not None), key=lambda each: each.addr))


def read_slots(peer: Peer) -> tuple[SlotStatus, ...] | None:
    """Return what the guest last said about each DIMM slot; None where there is no ACPI."""
    found = peer.try_ask("query-acpi-ospm-status", list[Ospm])
    if found is None:
        return None
    statuses = (
        SlotStatus(int(each.slot), each.device, each.source, each.status)
        for each in found
        if each.slot_type == "DIMM"
    )
    return tuple(sorted(statuses, key=lambda each: each.slot))


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
    )


def _memory(peer: Peer, situation: Situation, snapshot: Snapshot) -> Situation:
    """Add what is known of the machine's memory."""
    slots = read_slots(peer)
    peripherals = _children(peer, "/machine/peripheral")
    window = device_memory(snapshot)
    said = _property(peer, "/machine", "memory", Machine) or Machine()
    sizes = peer.try_ask("query-memory-size-summary", Sizes)
    ram = said.size or (sizes.base_memory if sizes else 0)
    count = said.slots or len(slots or ())
    max_ram, alignment = said.max_size, ALIGNMENT
    if window is not None:
        # QEMU keeps one GiB for each slot beside maxmem; machine types before 2.2 do not, and
        # align to the page only.
        is_padded = not max_ram or window.size >= max_ram - ram + count * GIB
        max_ram = max_ram or ram + window.size - count * GIB
        alignment = ALIGNMENT if is_padded else _OLD_ALIGNMENT
    return replace(
        situation,
        ram=ram,
        max_ram=max_ram if window else 0,
        slots=count,
        window=window,
        alignment=alignment,
        sections=memory_sections(snapshot),
        nodes=_nodes(peer),
        devices=read_devices(peer),
        slot_statuses=slots or (),
        device_names=frozenset(each.name for each in peripherals),
        object_names=frozenset(each.name for each in _children(peer, "/objects")),
        vhost=tuple(each.name for each in peripherals if each.type.startswith(_VHOST)),
        backends={
            each.id: each.size
            for each in peer.try_ask("query-memdev", list[Memdev]) or ()
            if each.id is not None
        },
        acpi=_has_acpi(peer, answers=slots is not None),
    )


def _running(peer: Peer, situation: Situation) -> Situation:
    """Add what is known of the machine and its guest."""
    status = peer.ask("query-status", Status)
    kvm = peer.try_ask("query-kvm", Kvm)
    migration = peer.try_ask("query-migrate", Migration)
    state = migration.status if migration else ""
    machine = _property(peer, "/machine", "type", str) or ""
    return replace(
        situation,
        version=str(peer.ask("query-version", VersionReply)),
        machine=machine.removesuffix("-machine"),
        status=status.status,
        running=status.running,
        migration="" if state in _DONE_MIGRATING else state,
        kvm=kvm is not None and kvm.enabled,
        gpe_enabled=_gpe_enabled(peer),
    )


def _surroundings(peer: Peer, situation: Situation) -> Situation:
    """Add what is known of the host and of the way to the machine."""
    is_local = peer.route.is_local
    return replace(
        situation,
        host=read_host_memory() if is_local else None,
        vhost_limit=read_number(VHOST_REGIONS) if is_local else None,
        carries_events=peer.route.carries_events,
        is_libvirts=peer.route.is_libvirts,
    )


def device_memory(snapshot: Snapshot) -> AddrRange | None:
    """Return the place of the device memory in a map; None where there is none."""
    found = next((r for r in snapshot.regions if r.name == DEVICE_MEMORY and r.alias is None), None)
    return None if found is None else AddrRange(found.addr, found.size)


def memory_sections(snapshot: Snapshot) -> int:
    """Return how many ranges of memory the guest sees: KVM and vhost count these."""
    if _MEMORY_SPACE not in space_names(snapshot):
        return 0
    return sum(1 for each in view_of(snapshot, _MEMORY_SPACE) if each.type in RAM_TYPES)


def _property(peer: Peer, path: str, name: str, shape: type[Any]) -> Any:
    return peer.try_ask("qom-get", shape, {"path": path, "property": name})


def _children(peer: Peer, path: str) -> list[Named]:
    """Return the names taken below a path, ``type`` among them: it is a property's."""
    return peer.try_ask("qom-list", list[Named], {"path": path}) or []


def _has_acpi(peer: Peer, *, answers: bool) -> bool:
    """Tell whether DIMMs can be announced; ``answers``: the slots' statuses could be asked for."""
    path = _property(peer, "/machine", "acpi-device", str)
    if path:
        return _property(peer, path, "memory-hotplug-support", bool) is not False
    return answers and _property(peer, "/machine", "acpi", str) != "off"


def _gpe_enabled(peer: Peer) -> bool | None:
    """Tell whether the guest enabled GPE 3, by which memory is announced; None: not known."""
    path = _property(peer, "/machine", "acpi-device", str)
    if not path:
        return None
    block = _property(peer, path, "gpe0_blk", int)
    length = _property(peer, path, "gpe0_blk_len", int)
    if not block or not length:
        return None
    if block < 0x100:
        return False  # the chip's ports have no place yet: no firmware ran
    text = peer.human(f"i /1xb {block + length // 2:#x}")
    match = _PORT.search(text) if text else None
    return None if match is None else bool(int(match[1], 16) & _GPE_MEMORY)


def _nodes(peer: Peer) -> int | None:
    """Return the number of NUMA nodes; None where it cannot be told.

    No structured command tells: query-hotpluggable-cpus knows no node that has memory alone.
    """
    text = peer.human("info numa")
    match = _NODES.match(text) if text else None
    return int(match[1]) if match is not None else None
