"""Places on PCI: those that a definition gives, and libvirt's choice for what has none."""

from __future__ import annotations

from typing import TYPE_CHECKING

from guestmap.domain.process.memory_props import pci_words
from guestmap.domain.process.ports import own_address, with_ports
from guestmap.domain.rules.assign import free_pci, is_express
from guestmap.domain.xml.edit import with_addresses, with_content
from guestmap.domain.xml.memory import SLOTTED

if TYPE_CHECKING:
    from collections.abc import Iterator

    from guestmap.domain.xml.definition import Definition
    from guestmap.domain.xml.tree import Element

_ORDER = ("controller", "disk", "memballoon", "memory")
"""Kinds of devices as libvirt places them, one after the other."""


def placed(found: Definition) -> Definition:
    """Return a definition in which every PCI function has a place, and each port that it wants.

    So whatever is plugged later knows what is taken.

    Raises:
        DomainError: there are not enough.
    """
    found = _with_serial_bus(found)
    found = with_ports(found, len(list(_wanting(found))))
    while (device := next(_wanting(found), None)) is not None:
        found = with_addresses(found, [(device, free_pci(found))])
    return found


def bus_name(found: Definition, number: int) -> str:
    """Return a bus in QEMU's words: the machine's own, or that behind a root port."""
    if number == 0:
        return "pcie.0" if is_express(found) else "pci.0"
    return f"pci.{number}"


def pci_props(found: Definition, device: Element) -> dict[str, str]:
    """Return where a function is, in QEMU's words."""
    place = own_address(device)
    assert place is not None  # placed() gave it one
    return {"bus": bus_name(found, place.bus), "addr": pci_words(place)}


def _with_serial_bus(found: Definition) -> Definition:
    """Return a definition whose channels have the function that carries them."""
    every = found.root.every
    has_bus = any(each.get("type") == "virtio-serial" for each in every("devices/controller"))
    if has_bus or not any(each.get("type") == "virtio" for each in every("devices/channel/target")):
        return found
    devices = found.root.find("devices")
    assert devices is not None
    return with_content(found, [(devices, "<controller type='virtio-serial' index='0'/>\n")])


def _wanting(found: Definition) -> Iterator[Element]:
    """Yield the PCI functions without a place, in libvirt's order."""
    devices = found.root.find("devices")
    for kind in _ORDER:
        for each in () if devices is None else devices.children:
            if each.name == kind and _is_function(each) and own_address(each) is None:
                yield each


def _is_function(device: Element) -> bool:
    """Tell whether a device becomes a function on PCI, root ports aside."""
    target = device.find("target")
    model = device.get("model") or ""
    return {
        "controller": device.get("type") == "virtio-serial",
        "disk": target is not None and target.get("bus") == "virtio",
        "memballoon": model.startswith("virtio"),
        "memory": model not in SLOTTED,
    }.get(device.name, False)
