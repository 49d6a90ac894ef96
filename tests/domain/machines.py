"""Machines for tests: one that is played in memory and speaks QMP's values, and a paced clock."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from guestmap.base import GIB, MIB, AddrRange, PeerError
from guestmap.domain import MemoryDevice, Peer, Route, Scene, Situation, SlotStatus
from guestmap.domain.placing import first_fit
from guestmap.inspect import Snapshot
from guestmap.inspect.text.from_text import MonitorTexts, snapshot_of
from guestmap.qmp.client import Channel, CommandError, GoneError, MonitorEvent

RAM = 256 * MIB
BASE = 4 * GIB
NO_UUID = "00000000-0000-0000-0000-000000000000"
THREAD = 4711
WINDOW = AddrRange(BASE, 4 * GIB - RAM + 4 * GIB)
ROOM = Situation(
    source="unix:/run/fake.sock",
    run=f"{NO_UUID} {THREAD}",
    version="7.2.22",
    machine="pc-i440fx-7.2",
    ram=RAM,
    max_ram=4 * GIB,
    slots=4,
    window=WINDOW,
    sections=1,
    acpi_switch="auto",
    end_of_ram=RAM,
    slot_statuses=tuple(SlotStatus(slot) for slot in range(4)),
    device_names=frozenset({"type"}),
    object_names=frozenset({"type", "pc.ram"}),
    backends={"pc.ram": RAM},
)
"""A machine with -m 256M,slots=4,maxmem=4G and nothing plugged; its guest runs."""


def dimm(slot: int, addr: int, size: int, **more: Any) -> MemoryDevice:
    """Return a DIMM with the id and backend that its slot gives it."""
    known = {"node": 0, "backend": f"memdimm{slot}", **more}
    return MemoryDevice(f"dimm{slot}", "dimm", addr, size, slot, **known)


def virtio_mem(
    name: str, addr: int, size: int, present: int, requested: int, **more: Any
) -> MemoryDevice:
    """Return a virtio-mem device with blocks of 2 MiB."""
    known = {"node": 0, "backend": f"mem{name}", "block": 2 * MIB, **more}
    return MemoryDevice(
        name, "virtio-mem", addr, size, present=present, requested=requested, **known
    )


def _virtio_form(device: MemoryDevice) -> dict[str, Any]:
    return {"type": "virtio-mem", "data": {
        "id": device.id, "memaddr": device.addr, "size": device.present,
        "max-size": device.size, "requested-size": device.requested, "block-size": device.block,
        "node": device.node, "memdev": f"/objects/{device.backend}"}}  # fmt: skip


def holding(*devices: MemoryDevice, **changes: Any) -> Situation:
    """Return the machine with these devices, and their names taken."""
    names = {each.id for each in devices if each.id is not None}
    backends = {each.backend: each.size for each in devices if each.backend is not None}
    situation = replace(
        ROOM,
        sections=ROOM.sections + len(devices),
        devices=tuple(sorted(devices, key=lambda each: each.addr)),
        slot_statuses=tuple(
            SlotStatus(slot, next((each.id for each in devices if each.slot == slot), None))
            for slot in range(ROOM.slots)
        ),
        device_names=ROOM.device_names | names,
        object_names=ROOM.object_names | backends.keys(),
        backends=ROOM.backends | backends,
    )
    return replace(situation, **changes)


def scene(situation: Situation = ROOM) -> Scene:
    """Return a situation with a map that fits it."""
    return Scene(situation, map_of(situation.devices))


def map_of(devices: Iterable[MemoryDevice]) -> Snapshot:
    """Return the map of the machine with these devices."""
    return snapshot_of(texts_of(devices), source="fake", version="7.2.22")


def texts_of(devices: Iterable[MemoryDevice]) -> MonitorTexts:
    """Return what ``info mtree`` shows of the machine with these devices."""
    lines = [_line(each.addr, each.size, "ram", each.backend or "x") for each in devices]
    tree = "\r\n".join(
        [
            "address-space: memory",
            "  0000000000000000-ffffffffffffffff (prio 0, i/o): system",
            f"    {_line(0, RAM, 'ram', 'pc.ram')}",
            f"    {_line(WINDOW.start, WINDOW.size, 'i/o', 'device-memory')}",
            *(f"      {line}" for line in lines),
        ]
    )
    view = "\r\n".join(
        [
            "FlatView #0",
            ' AS "memory", root: system',
            " Root memory region: system",
            f"  {_line(0, RAM, 'ram', 'pc.ram')}",
            *(f"  {line}" for line in lines),
        ]
    )
    return MonitorTexts(f"{tree}\r\n\r\n", f"{view}\r\n\r\n", "", complete=True)


def _line(start: int, size: int, kind: str, name: str) -> str:
    return f"{start:016x}-{start + size - 1:016x} (prio 0, {kind}): {name}"


Guest = Callable[["FakeMachine", str, str], None]
"""What a guest does when it is told of ``plug`` or ``unplug`` of a device."""


@dataclass(frozen=True, slots=True)
class Silent:
    """A guest that never answers."""

    def __call__(self, machine: FakeMachine, verb: str, device: str) -> None:
        del machine, verb, device


class FakeMachine(Channel):
    """A channel to a machine that keeps DIMMs as QEMU does, and a guest that is played.

    Args:
        guest: what the guest does.
        refuse: commands that are refused, with what is said.
        lost: commands whose answer never comes, though they are done.
    """

    source = "unix:/run/fake.sock"

    def __init__(
        self,
        guest: Guest | None = None,
        *,
        situation: Situation = ROOM,
        refuse: Mapping[str, str] | None = None,
        lost: Iterable[str] = (),
    ) -> None:
        self.guest = guest or Silent()
        self.refuse = dict(refuse or {})
        self.lost = set(lost)
        self.devices = list(situation.devices)
        self.objects = dict(situation.backends)
        self.statuses = list(situation.slot_statuses)
        self.told: list[MonitorEvent] = []
        self.sent: list[tuple[str, dict[str, Any]]] = []
        self.waits: list[Callable[[], None]] = []
        self.gone = False
        self.thread = THREAD

    def peer(self, *, carries_events: bool = True) -> Peer:
        return Peer(self, Route(is_local=False, carries_events=carries_events))

    # what the guest and the machine do

    def ost(self, slot: int, source: int, status: int) -> None:
        """Let the guest say something about a slot."""
        name = next((each.id for each in self.devices if each.slot == slot), None)
        self.statuses[slot] = SlotStatus(slot, name, source, status)
        info = {"source": source, "status": status, "slot": str(slot), "slot-type": "DIMM"}
        self.tell("ACPI_DEVICE_OST", info=info | ({"device": name} if name else {}))

    def eject(self, name: str) -> None:
        """Let the guest give a DIMM back."""
        self.devices = [each for each in self.devices if each.id != name]
        self.tell("DEVICE_DELETED", device=name, path=f"/machine/peripheral/{name}")

    def tell(self, event: str, **data: Any) -> None:
        """Send an event."""
        self.told.append(MonitorEvent(event, data))

    # Channel

    def execute(self, command: str, arguments: Mapping[str, object]) -> object:
        if self.gone:
            raise GoneError("closed the connection")
        if self.waits and command == "query-acpi-ospm-status":
            self.waits.pop(0)()
            if self.gone:
                raise GoneError("closed the connection")
        if command in {"object-add", "object-del", "device_add", "device_del", "qom-set"}:
            self.sent.append((command, dict(arguments)))
            if command in self.refuse:
                raise CommandError(f"{command}: {self.refuse[command]}", "GenericError")
        value = getattr(self, "_" + command.replace("-", "_"))(**_words(arguments))
        if command in self.lost:
            raise PeerError(f"no answer to {command}")
        return value

    def events(self) -> list[MonitorEvent]:
        told, self.told = self.told, []
        return told

    def close(self) -> None:
        self.gone = True

    # commands

    def _object_add(
        self,
        qom_type: str,
        id: str,  # noqa: A002
        size: int,
        *,
        reserve: bool = True,
    ) -> dict[str, Any]:
        self.objects[id] = size
        return {}

    def _object_del(self, id: str) -> dict[str, Any]:  # noqa: A002
        del self.objects[id]
        return {}

    def _device_add(
        self, driver: str, id: str, memdev: str, node: int, **where: int  # noqa: A002
    ) -> dict[str, Any]:  # fmt: skip
        size = self.objects[memdev]
        if driver != "pc-dimm":
            addr = where.get("memaddr") or first_fit(WINDOW, self.devices, size, 2 * MIB)
            requested = where.get("requested_size", 0)
            self.devices.append(virtio_mem(id, addr or 0, size, 0, requested, backend=memdev))
            self.guest(self, "plug", id)
            return {}
        addr = where.get("addr") or first_fit(WINDOW, self.devices, size, 2 * MIB)
        busy = {each.slot for each in self.devices}
        slot = where.get("slot", min(set(range(4)) - busy))
        assert addr is not None
        self.devices.append(MemoryDevice(id, "dimm", addr, size, slot, node, memdev))
        self.guest(self, "plug", id)
        return {}

    def _device_del(self, id: str) -> dict[str, Any]:  # noqa: A002
        self.guest(self, "unplug", id)
        return {}

    def _qom_set(self, path: str, property: str, value: int) -> dict[str, Any]:  # noqa: A002
        assert property == "requested-size"
        name = path.rsplit("/", 1)[-1]
        self.resized(name, requested=value)
        self.guest(self, "resize", name)
        return {}

    def resized(self, name: str, **changes: int) -> None:
        """Let a virtio-mem device have another size, or be asked for one."""
        self.devices = [replace(d, **changes) if d.id == name else d for d in self.devices]

    def _human_monitor_command(self, command_line: str) -> str:
        asked = re.fullmatch(r"xp /([0-9]+)x([bg]) (0x[0-9a-f]+)", command_line)
        if asked is not None:
            return _dump(int(asked[3], 16), int(asked[1]), 8 if asked[2] == "g" else 1)
        texts = texts_of(self.devices)
        answers = {
            "info mtree -o -D": texts.trees,
            "info mtree -f -o": texts.views,
            "info ramblock": "info: unknown",
            "info numa": "1 nodes\r\n",
        }
        return answers.get(command_line, f"unknown command: '{command_line}'\r\n")

    def _query_version(self) -> dict[str, Any]:
        return {"qemu": {"major": 7, "minor": 2, "micro": 22}, "package": ""}

    def _query_target(self) -> dict[str, Any]:
        return {"arch": "x86_64"}

    def _query_pci(self) -> list[dict[str, Any]]:
        return [{"bus": 0, "devices": [
            {"qdev_id": "rp0", "pci_bridge": {"bus": {}, "devices": [{"qdev_id": "nic"}]}},
            {"qdev_id": "rp1", "pci_bridge": {"bus": {}}},
            {"qdev_id": "br0", "pci_bridge": {"bus": {}}}]}]  # fmt: skip

    def _query_status(self) -> dict[str, Any]:
        return {"status": "running", "running": True}

    def _query_uuid(self) -> dict[str, Any]:
        return {"UUID": NO_UUID}

    def _query_cpus_fast(self) -> list[dict[str, Any]]:
        return [{"cpu-index": 0, "thread-id": self.thread}] if self.thread else []

    def _query_kvm(self) -> dict[str, Any]:
        return {"enabled": False, "present": True}

    def _query_migrate(self) -> dict[str, Any]:
        return {}

    def _query_memory_size_summary(self) -> dict[str, Any]:
        return {"base-memory": RAM, "plugged-memory": sum(each.size for each in self.devices)}

    def _query_memdev(self) -> list[dict[str, Any]]:
        return [{"id": name, "size": size} for name, size in self.objects.items()]

    def _query_acpi_ospm_status(self) -> list[dict[str, Any]]:
        names = {each.slot: each.id for each in self.devices}
        return [
            {"slot": str(each.slot), "slot-type": "DIMM", "source": each.source,
             "status": each.status, "device": names.get(each.slot)}
            for each in self.statuses
        ]  # fmt: skip

    def _query_memory_devices(self) -> list[dict[str, Any]]:
        return [
            _virtio_form(each) if each.present is not None else
            {"type": each.kind, "data": {
                "id": each.id, "addr": each.addr, "size": each.size, "slot": each.slot,
                "node": each.node, "memdev": f"/objects/{each.backend}",
                "hotplugged": each.hotplugged, "hotpluggable": each.hotpluggable}}
            for each in self.devices
        ]  # fmt: skip

    def _qom_get(self, path: str, property: str) -> object:  # noqa: A002
        if path == "/machine/device-memory[0]":
            return {"addr": WINDOW.start, "size": WINDOW.size}[property]
        known = {
            "memory": {"size": RAM, "slots": 4, "max-size": 4 * GIB},
            "type": "pc-i440fx-7.2-machine",
            "acpi": "auto",
            "hotplugged": True,
        }
        if property not in known:
            raise CommandError(f"Property '{path}.{property}' not found", "GenericError")
        return known[property]

    def _qom_list(self, path: str) -> list[dict[str, Any]]:
        names = self.objects if path == "/objects" else [each.id for each in self.devices]
        return [{"name": name, "type": "child<x>"} for name in ("type", *names)]


def _words(arguments: Mapping[str, object]) -> dict[str, Any]:
    return {name.replace("-", "_"): value for name, value in arguments.items()}


class FakePace:
    """Time that passes only by sleeping."""

    def __init__(self) -> None:
        self.time = 100.0
        self.slept = 0

    def now(self) -> float:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.slept += 1
        self.time += seconds


def _dump(start: int, count: int, width: int) -> str:
    """Return items as ``xp`` prints them; the byte at an address is the address's second."""
    lines = []
    end = start + count * width
    for row in range(start, end, max(8, 2 * width)):
        told = f"{row:016x}:"
        for at in range(row, min(row + max(8, 2 * width), end), width):
            item = bytes(each >> 8 & 0xFF for each in range(at, at + width))
            told += f" 0x{item[::-1].hex()}"
        lines.append(f"{told}\r\n")
    return "".join(lines)
