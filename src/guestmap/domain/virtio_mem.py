"""virtio-mem: memory that a guest takes and gives in blocks, towards a size that is requested.

Sources: QEMU's documentation of the device (docs, ``-device virtio-mem-pci,help``), the Virtio
specification 1.2, section 5.15, and Linux, Documentation/admin-guide/mm/memory-hotplug.rst.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from guestmap.base import MIB, exact_size, format_size
from guestmap.domain.finding import PlanFinding, device_place
from guestmap.domain.machine_types import VIRTIO_MEM
from guestmap.domain.questions import Question
from guestmap.domain.replies import Named, PciDeviceInfo, PciInfo
from guestmap.domain.steps import Step

if TYPE_CHECKING:
    from collections.abc import Iterator

    from guestmap.domain.peer import Peer
    from guestmap.domain.plugged import MemoryDevice
    from guestmap.domain.request import PlugRequest, ResizeRequest
    from guestmap.domain.situation import Situation

BLOCK = 2 * MIB
"""QEMU's block of a virtio-mem device on hosts with huge pages of 2 MiB."""

_ROOT_PORT = "child<pcie-root-port>"
_CONVENTIONAL = re.compile(r"pc(?!-q35)(?:-.*)?")
_UNPLUGGING_SINCE = 8
_MAJOR = re.compile(r"(\d+)\.")


def free_ports(peer: Peer) -> tuple[str, ...]:
    """Return the ids of the PCI Express root ports that have an id and nothing plugged in."""
    buses, children = peer.ask_many(
        [
            Question("query-pci", list[PciInfo]),
            Question("qom-list", list[Named], {"path": "/machine/peripheral"}),
        ]
    )
    ports = {each.name for each in children or () if each.type == _ROOT_PORT}
    devices: list[PciDeviceInfo] = [device for bus in buses or () for device in bus.devices]
    return tuple(
        device.qdev_id
        for device in devices
        if device.qdev_id in ports and device.pci_bridge and not device.pci_bridge.devices
    )


def plug_blockers(situation: Situation, request: PlugRequest) -> Iterator[PlanFinding]:
    """Find what is in the way of a virtio-mem device and of no DIMM."""
    if VIRTIO_MEM not in situation.rule.takes:
        yield PlanFinding(
            "no-virtio-mem",
            f"{situation.machine_title} takes no virtio-mem device",
            "plug a DIMM (without --kind)"
            if situation.rule.takes
            else situation.rule.remedy or "start another type of machine",
        )
    elif needs_port(situation) and request.bus is None:
        yield PlanFinding(
            "no-port",
            f"{situation.machine_title} takes PCI devices while it runs in root ports only, and"
            " none with an id is free",
            "start it with -device pcie-root-port,id=rp0, or name a bus (--bus)",
        )
    wanted = request.requested or 0
    if wanted > request.size:
        yield PlanFinding(
            "over-size",
            f"{exact_size(wanted)} are requested of a device of {exact_size(request.size)}",
            f"request at most {exact_size(request.size)}",
        )
    elif wanted % BLOCK:
        yield _unaligned(wanted, BLOCK, request.size)


def needs_port(situation: Situation) -> bool:
    """Tell whether a virtio-mem device needs a root port: not on conventional PCI, nor by CCW."""
    is_pci = situation.rule.virtio_driver.endswith("-pci")
    return is_pci and not _CONVENTIONAL.fullmatch(situation.machine)


def plug_step(
    situation: Situation, device: MemoryDevice, request: PlugRequest, addr: int | None
) -> Step:
    """Return the command that plugs a device; its backend is there."""
    words: dict[str, Any] = {
        "driver": situation.rule.virtio_driver,
        "id": device.id,
        "memdev": device.backend,
        "node": request.node,
    }
    if request.requested:
        words["requested-size"] = request.requested
    if addr is not None:
        words["memaddr"] = addr
    if request.bus is not None:
        words["bus"] = request.bus
    return Step("device_add", words)


def resize_step(device: MemoryDevice, size: int) -> Step:
    """Return the command that requests a size of a device."""
    path = device.path or f"/machine/peripheral/{device.id}"
    return Step("qom-set", {"path": path, "property": "requested-size", "value": size})


def resize_blockers(
    situation: Situation, request: ResizeRequest, device: MemoryDevice | None
) -> Iterator[PlanFinding]:
    """Find what QEMU would refuse a new size for."""
    grown = [each for each in situation.devices if each.kind == VIRTIO_MEM]
    if device is None or device.kind != VIRTIO_MEM:
        yield PlanFinding(
            "unknown-device" if device is None else "not-resizable",
            f"there is no memory device {request.id!r}"
            if device is None
            else f"{request.id!r} is of kind {device.kind}, and keeps the size it was made with",
            f"give a virtio-mem device: {', '.join(map(device_place, grown)) or 'there is none'}",
        )
        return
    size, block = request.size, device.block or BLOCK
    if size > device.size:
        yield PlanFinding(
            "over-size",
            f"{exact_size(size)} are more than {device.title} may ever hold, which is"
            f" {exact_size(device.size)}: the size of its backend {device.backend!r}",
            f"request at most {exact_size(device.size)}, or plug another device",
        )
    elif size % block:
        yield _unaligned(size, block, device.size)


def unplug_blockers(situation: Situation, device: MemoryDevice) -> Iterator[PlanFinding]:
    """Find why a virtio-mem device cannot be unplugged."""
    major = _MAJOR.match(situation.version)
    if major is not None and int(major[1]) < _UNPLUGGING_SINCE:
        yield PlanFinding(
            "not-unpluggable",
            f"QEMU {situation.version} never unplugs a virtio-mem device",
            f"take its memory back (guestmap resize SOURCE {device.name} 0): an empty one costs"
            " nothing",
        )
    elif device.requested or device.plugged:
        yield PlanFinding(
            "still-plugged",
            f"the guest has {format_size(device.plugged)} of {device.title}, and"
            f" {format_size(device.requested or 0)} are requested of it: QEMU lets go of an empty"
            " one only",
            f"take its memory back first (guestmap resize SOURCE {device.name} 0)",
        )


def why_short(situation: Situation, before: int, now: int, wanted: int) -> str:
    """Say why a guest may not have what was requested.

    Args:
        situation: the machine.
        before: bytes that the guest had.
        now: bytes that it has.
        wanted: bytes that were requested.
    """
    if not situation.running:
        return (
            f"the machine does not run ({situation.status}): its guest cannot take or give memory"
        )
    if wanted > now:
        if now == before:
            return (
                "perhaps the guest has no driver for virtio-mem (Linux: CONFIG_VIRTIO_MEM), or has"
                " not loaded it yet"
            )
        return (
            "perhaps the guest has no room for the page structures of more, or adds whole blocks"
            f" of {format_size(situation.block)} only"
        )
    return (
        "blocks in use stay: perhaps the guest put there what cannot be moved (Linux:"
        " memory_hotplug.online_policy=auto-movable or memhp_default_state=online_movable keeps"
        " blocks movable)"
    )


def _unaligned(size: int, block: int, most: int) -> PlanFinding:
    near = " or ".join(
        exact_size(each)
        for each in dict.fromkeys((size // block * block, -(-size // block) * block))
        if each <= most
    )
    return PlanFinding(
        "size-unaligned",
        f"{exact_size(size)} are not a multiple of {format_size(block)}, the device's block",
        f"request {near}",
    )
