"""What libvirt chooses for a device: the lowest free slot of that definition, and the names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from guestmap.domain.rules.errors import DomainError, Speaker, refusal
from guestmap.domain.rules.texts import CONFIG_UNSUPPORTED
from guestmap.domain.xml.memory import SLOTTED, VIRTIO_MEM, DimmAddress, PciAddress
from guestmap.domain.xml.numbers import whole

if TYPE_CHECKING:
    from guestmap.domain.xml.definition import Definition
    from guestmap.domain.xml.memory import MemoryDef
    from guestmap.domain.xml.tree import Element

_FIRST_PCI_SLOT = 2
_PCI_SLOTS = 32


def assigned(found: Definition, device: MemoryDef, *, live: bool) -> MemoryDef:
    """Return a device with a slot, or a place on PCI, and for a running machine with an alias.

    Raises:
        DomainError: there is none left.
    """
    if device.address is None:
        if device.model in SLOTTED:
            device = replace(device, address=DimmAddress(_free_slot(found, live=live)))
        else:
            device = replace(device, address=free_pci(found))
    if live and device.alias is None:
        device = replace(device, alias=_alias(found, device))
    return device


def backend_name(device: MemoryDef) -> str:
    """Return the id of a device's memory backend."""
    return f"mem{device.alias}"


def free_pci(found: Definition) -> PciAddress:
    """Return a free place on PCI: on the root bus of i440FX, in a free root port of q35.

    Raises:
        DomainError: there is none.
    """
    taken = {
        (whole(each.get("bus")), whole(each.get("slot")))
        for each in found.root.every("devices/*/address")
        if each.get("type") == "pci"
    }
    if not is_express(found):
        for slot in range(_FIRST_PCI_SLOT, _PCI_SLOTS):
            if (0, slot) not in taken:
                return PciAddress(0, slot)
    for port in sorted(number for number, _ in root_ports(found)):
        if (port, 0) not in taken:
            return PciAddress(port, 0)
    raise DomainError(
        CONFIG_UNSUPPORTED,
        "no PCI address is free for the device",
        domain=10,
        speaker=Speaker.OURS,
        remedy="a port more, <controller type='pci' model='pcie-root-port'/>, counts from the next"
        " start"
        if is_express(found)
        else "leave some device out",
    )


def is_express(found: Definition) -> bool:
    """Tell whether a machine's PCI is PCI Express, with a port before each function."""
    return "q35" in found.machine


def root_ports(found: Definition) -> list[tuple[int, Element]]:
    """Return the root ports of a definition, in its order, with the buses behind: their indices."""
    ports = [
        each
        for each in found.root.every("devices/controller")
        if each.get("type") == "pci" and each.get("model") == "pcie-root-port"
    ]
    return [(whole(each.get("index"), number), each) for number, each in enumerate(ports, 1)]


def _free_slot(found: Definition, *, live: bool) -> int:
    busy = {each.slot for each in found.slotted}
    for slot in range(found.slots):
        if slot not in busy:
            return slot
    what = "slots-full-live" if live else "slots-full-config"
    raise refusal(found.dialect, what, count=len(found.slotted) + 1, slots=found.slots)


def _alias(found: Definition, device: MemoryDef) -> str:
    if isinstance(device.address, DimmAddress):
        return f"{device.model}{device.address.slot}"
    prefix = "virtiomem" if device.model == VIRTIO_MEM else "virtiopmem"
    number = 0
    while f"{prefix}{number}" in found.aliases:
        number += 1
    return f"{prefix}{number}"
