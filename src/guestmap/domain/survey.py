"""Reading a machine's situation: questions only, each asked once, as many at a time as may be.

Sources of the facts: QEMU QMP Reference Manual; the machine's own properties in its object model
(``memory`` since QEMU 7.1, ``acpi-device``, the region ``device-memory[0]``). What has a structured
command is not asked of the human monitor.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from guestmap.base import ADDRESS_SPACE_SIZE, GIB, AddrRange
from guestmap.domain.devices import DEVICES, SLOTS, devices_of, slots_of, with_origins, with_paths
from guestmap.domain.host import VHOST_REGIONS, read_host_memory, read_number
from guestmap.domain.machine_types import guest_block, rule_of
from guestmap.domain.plugged import MemoryDevice
from guestmap.domain.predict import DEVICE_MEMORY
from guestmap.domain.questions import Question, line, machine_text, prop
from guestmap.domain.replies import (
    CpuThread,
    Kvm,
    MachineMemory,
    Memdev,
    Migration,
    Named,
    Sizes,
    StatusInfo,
    Target,
    Uuid,
)
from guestmap.domain.situation import ALIGNMENT, Scene, Situation
from guestmap.domain.survey_acpi import with_acpi
from guestmap.inspect.ask.ram_place import RAM_TYPES
from guestmap.inspect.ask.spaces import Spaces
from guestmap.inspect.text.from_text import MonitorTexts, snapshot_of
from guestmap.qmp.client import VersionReply

if TYPE_CHECKING:
    from guestmap.domain.peer import Peer
    from guestmap.inspect import RangeInfo, Snapshot

_MEMORY_SPACE = "memory"
_OLD_ALIGNMENT = 4096
_HIGH = 4 * GIB
_VHOST = "child<vhost-"
_DONE_MIGRATING = {"", "none", "completed", "failed", "cancelled"}
_OLD = ("0.", "1.", "2.")
"""Versions whose device memory has another name in the object tree."""
_WINDOW = "/machine/device-memory[0]"

_FIRST = {
    "version": Question("query-version", VersionReply, required=True),
    "status": Question("query-status", StatusInfo, required=True),
    "target": Question("query-target", Target),
    "uuid": Question("query-uuid", Uuid),
    "cpus": Question("query-cpus-fast", list[CpuThread]),
    "kvm": Question("query-kvm", Kvm),
    "migration": Question("query-migrate", Migration),
    "type": prop("/machine", "type", str),
    "memory": prop("/machine", "memory", MachineMemory),
    "acpi": prop("/machine", "acpi", str),
    "acpi-device": prop("/machine", "acpi-device", str),
    "start": prop(_WINDOW, "addr", int),
    "size": prop(_WINDOW, "size", int),
    "slots": SLOTS,
    "devices": DEVICES,
    "sizes": Question("query-memory-size-summary", Sizes),
    "peripherals": Question("qom-list", list[Named], {"path": "/machine/peripheral"}),
    "objects": Question("qom-list", list[Named], {"path": "/objects"}),
    "backends": Question("query-memdev", list[Memdev]),
    "views": line("info mtree -f -o"),
}
"""What is asked first; nothing of it depends on an answer."""


def survey(peer: Peer) -> Scene:
    """Return a machine's situation and map.

    Raises:
        PeerError: the machine does not answer as QMP promises, or has gone.
        UnsupportedError: it has no ``info mtree``.
    """
    told = dict(zip(_FIRST, peer.ask_many(list(_FIRST.values())), strict=True))
    devices = with_origins(peer, with_paths(peer, devices_of(told["devices"])))
    snapshot = _map(peer, told)
    situation = _running(Situation(source=peer.source), told)
    situation = _memory(situation, told, devices, snapshot)
    situation = with_acpi(peer, situation, told)
    return Scene(_surroundings(peer, situation), snapshot)


def device_memory(snapshot: Snapshot) -> AddrRange | None:
    """Return the place of the device memory in a map's trees; None where there is none."""
    found = next((r for r in snapshot.regions if r.name == DEVICE_MEMORY and r.alias is None), None)
    return None if found is None else AddrRange(found.addr, found.size)


def memory_sections(snapshot: Snapshot) -> int:
    """Return how many ranges of memory the guest sees: KVM and vhost count these."""
    return sum(1 for each in _memory_ranges(snapshot) if each.type in RAM_TYPES)


def _memory_ranges(snapshot: Snapshot) -> tuple[RangeInfo, ...]:
    spaces = Spaces(snapshot)
    found = next((space for space in spaces.all if space.name == _MEMORY_SPACE), None)
    return () if found is None else tuple(spaces.ranges(found))


def _map(peer: Peer, told: dict[str, Any]) -> Snapshot:
    """Return the flat views: to read the trees too takes many times as long.

    A QEMU that lacks the flags, or the object that tells where the device memory is, is asked by
    what it has.
    """
    views = machine_text(told["views"])
    if not views or (told["start"] is None and str(told["version"]).startswith(_OLD)):
        return peer.snapshot()
    texts = MonitorTexts(views=views)
    return snapshot_of(texts, source=peer.source, version=str(told["version"]))


def _running(situation: Situation, told: dict[str, Any]) -> Situation:
    """Add what is known of the machine and its guest."""
    status, kvm, migration, target = (
        told[name] for name in ("status", "kvm", "migration", "target")
    )
    state = migration.status if migration else ""
    return replace(
        situation,
        run=_run_of(told),
        version=str(told["version"]),
        machine=(told["type"] or "").removesuffix("-machine"),
        arch=target.arch if target else situation.arch,
        status=status.status,
        running=status.running,
        migration="" if state in _DONE_MIGRATING else state,
        kvm=kvm is not None and kvm.enabled,
    )


def _run_of(told: dict[str, Any]) -> str:
    """Return what tells this run of a machine from others at the same place; "" if nothing does.

    A thread's number is given anew to whatever starts next, and the first CPU stays as long as the
    machine does.
    """
    uuid, cpus = told["uuid"], told["cpus"]
    words = [uuid.uuid] if uuid else []
    return " ".join([*words, str(cpus[0].thread_id)]) if cpus else ""


def _memory(
    situation: Situation,
    told: dict[str, Any],
    devices: tuple[MemoryDevice, ...],
    snapshot: Snapshot,
) -> Situation:
    """Add what is known of the machine's memory."""
    slots = slots_of(told["slots"])
    said, sizes = told["memory"] or MachineMemory(), told["sizes"]
    ram = said.size or (sizes.base_memory if sizes else 0)
    count = said.slots or len(slots or ())
    window = _window(told, snapshot)
    max_ram, alignment = _room(situation, said.max_size, ram, count, window)
    end_of_ram = _end_of_ram(snapshot, ram, window)
    block, block_by = guest_block(situation.arch, end_of_ram)
    peripherals = told["peripherals"] or ()
    return replace(
        situation,
        ram=ram,
        end_of_ram=end_of_ram,
        max_ram=max_ram if window else 0,
        slots=count,
        window=window,
        alignment=alignment,
        block=block,
        block_by=block_by,
        sections=memory_sections(snapshot),
        devices=devices,
        slot_statuses=slots or (),
        device_names=frozenset(each.name for each in peripherals),
        object_names=frozenset(each.name for each in told["objects"] or ()),
        vhost=tuple(each.name for each in peripherals if each.type.startswith(_VHOST)),
        backends={e.id: e.size for e in told["backends"] or () if e.id is not None},
    )


def _window(told: dict[str, Any], snapshot: Snapshot) -> AddrRange | None:
    start, size = told["start"], told["size"]
    if start is None or size is None or not 0 <= start <= start + size <= ADDRESS_SPACE_SIZE:
        return device_memory(snapshot)
    return AddrRange(start, size)


def _room(
    situation: Situation, max_ram: int, ram: int, slots: int, window: AddrRange | None
) -> tuple[int, int]:
    """Return maxmem, and what sizes and addresses are aligned to."""
    if window is None:
        return max_ram, ALIGNMENT
    if not rule_of(situation.arch, situation.machine).pads_slots:
        return max_ram or ram + window.size, ALIGNMENT
    # QEMU keeps one GiB for each slot beside maxmem; machine types before 2.2 do not, and align to
    # the page only.
    is_padded = not max_ram or window.size >= max_ram - ram + slots * GIB
    max_ram = max_ram or ram + window.size - slots * GIB
    return max_ram, ALIGNMENT if is_padded else _OLD_ALIGNMENT


def _end_of_ram(snapshot: Snapshot, ram: int, window: AddrRange | None) -> int:
    """Return the address after the RAM from the start: a PC has the rest of it from 4 GiB on."""
    if ram <= _HIGH:
        return ram
    last = window.start if window is not None else ADDRESS_SPACE_SIZE
    ends = (
        each.start + each.size
        for each in _memory_ranges(snapshot)
        if each.type == "ram" and _HIGH <= each.start < last
    )
    return max(ends, default=ram)


def _surroundings(peer: Peer, situation: Situation) -> Situation:
    """Add what is known of the host and of the way to the machine."""
    is_local = peer.route.is_local
    return replace(
        situation,
        host=read_host_memory() if is_local else None,
        vhost_limit=read_number(VHOST_REGIONS) if is_local else None,
        carries_events=peer.route.carries_events,
        is_libvirts=peer.route.is_libvirts,
        begun=peer.journal.unfinished(peer.source, situation.run) if peer.journal else (),
    )
