"""A memory device in QEMU's words: the members in libvirt's order, so its bytes are libvirt's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from guestmap.base import KIB
from guestmap.domain.placing import align_up
from guestmap.domain.rules.assign import backend_name
from guestmap.domain.rules.device_rules import hugetlbfs
from guestmap.domain.xml.memory import (
    DRIVERS,
    NVDIMM,
    VIRTIO_MEM,
    VIRTIO_PMEM,
    DimmAddress,
    PciAddress,
)

if TYPE_CHECKING:
    from guestmap.domain.xml.memory import MemoryDef

_PAGE_KIB = 4


def backend_props(device: MemoryDef, unit: int, folder: str) -> dict[str, Any]:
    """Return the memory backend of a device, as ``object-add`` and ``-object`` take it.

    Args:
        device: with its alias.
        unit: bytes that its size is rounded up to.
        folder: where a file of shared memory is made.
    """
    size = align_up(device.size * KIB, unit)
    path = _path(device, folder)
    found: dict[str, Any] = {
        "qom-type": "memory-backend-ram" if path is None else "memory-backend-file",
        "id": backend_name(device),
    }
    if path is not None:
        found["mem-path"] = path
    if device.discard:
        found["discard-data"] = True
    if device.model == VIRTIO_PMEM:
        found["share"] = True
    elif device.model == NVDIMM or device.access is not None:
        found["share"] = device.access == "shared"
    if device.model == NVDIMM and not device.pmem:
        found["prealloc"] = True
    if device.model == VIRTIO_MEM:
        found["reserve"] = False
    found["size"] = size
    if device.alignsize is not None:
        found["align"] = device.alignsize * KIB
    if device.pmem:
        found["pmem"] = True
    if device.nodemask:
        found["host-nodes"] = list(device.nodemask)
        found["policy"] = "bind"
    return found


def device_props(device: MemoryDef, bus: str | None) -> dict[str, Any]:
    """Return a device, as ``device_add`` and ``-device`` take it.

    Args:
        device: with its alias and its address.
        bus: of a PCI function: the bus's name.
    """
    found: dict[str, Any] = {"driver": DRIVERS[device.model]}
    if device.node is not None and device.model != VIRTIO_PMEM:
        found["node"] = device.node
    if device.model == NVDIMM:
        if device.label is not None:
            found["label-size"] = device.label * KIB
        if device.readonly:
            found["unarmed"] = True
    if device.model == VIRTIO_MEM:
        found["block-size"] = (device.block or 0) * KIB
        if device.requested:
            found["requested-size"] = device.requested * KIB
    found["memdev"] = backend_name(device)
    if device.base is not None and not isinstance(device.address, DimmAddress):
        found["memaddr"] = device.base
    if device.dynamic_slots:
        found["dynamic-memslots"] = True
    found["id"] = device.alias
    address = device.address
    if isinstance(address, DimmAddress):
        found["slot"] = address.slot
        if address.base is not None:
            found["addr"] = address.base
    elif isinstance(address, PciAddress):
        found |= {"bus": bus, "addr": pci_words(address)}
    return found


def pci_words(address: PciAddress) -> str:
    """Return a place on a bus in QEMU's words."""
    return f"{address.slot:#x}" + (f".{address.function:#x}" if address.function else "")


def _path(device: MemoryDef, folder: str) -> str | None:
    """Return the file behind a device; None: memory of nobody else's."""
    if device.path is not None:
        return device.path
    if device.pagesize is not None and device.pagesize != _PAGE_KIB:
        return hugetlbfs(device.pagesize)
    if device.access == "shared" or device.discard:
        return f"{folder}/{device.alias}"
    return None
