"""A memory device in QEMU's words: the members in libvirt's order, so its bytes are libvirt's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from guestmap.base import KIB
from guestmap.domain.rules.assign import backend_name
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


def device_props(device: MemoryDef, bus: str | None, *, allocated: bool = False) -> dict[str, Any]:
    """Return a device, as ``device_add`` and ``-device`` take it.

    Args:
        device: with its alias and its address.
        bus: of a PCI function: the bus's name.
        allocated: of virtio-mem: memory is allocated when the guest takes it.
    """
    found: dict[str, Any] = {"driver": DRIVERS[device.model]}
    if device.node is not None and device.model != VIRTIO_PMEM:
        found["node"] = device.node
    found |= _of_model(device)
    found["memdev"] = backend_name(device)
    if allocated:
        found["prealloc"] = True
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


def _of_model(device: MemoryDef) -> dict[str, Any]:
    """Return what devices of one model alone have."""
    found: dict[str, Any] = {}
    if device.model == NVDIMM:
        if device.label is not None:
            found["label-size"] = device.label * KIB
        if device.readonly:
            found["unarmed"] = True
    if device.model == VIRTIO_MEM:
        found["block-size"] = (device.block or 0) * KIB
        if device.requested:
            found["requested-size"] = device.requested * KIB
    return found


def pci_words(address: PciAddress) -> str:
    """Return a place on a bus in QEMU's words."""
    return f"{address.slot:#x}" + (f".{address.function:#x}" if address.function else "")
