"""Places on PCI: those that a definition gives, and free ones for what has none."""

from __future__ import annotations

from typing import TYPE_CHECKING

from guestmap.domain.process.memory_props import pci_words
from guestmap.domain.rules.errors import DomainError, Speaker
from guestmap.domain.rules.texts import CONFIG_UNSUPPORTED
from guestmap.domain.xml.edit import with_addresses
from guestmap.domain.xml.memory import PciAddress
from guestmap.domain.xml.numbers import whole

if TYPE_CHECKING:
    from guestmap.domain.xml.definition import Definition
    from guestmap.domain.xml.tree import Element


class Places:
    """The buses of one machine.

    Args:
        found: its definition, memory devices with their addresses.
    """

    def __init__(self, found: Definition) -> None:
        self._is_express = "q35" in found.machine
        self._taken = {
            (each.bus, each.slot)
            for device in found.devices
            if isinstance(each := device.address, PciAddress)
        }
        for address in found.root.every("devices/*/address"):
            if address.get("type") == "pci":
                place = _address(address)
                self._taken.add((place.bus, place.slot))

    def bus(self, number: int) -> str:
        """Return a bus in QEMU's words: the machine's own, or that behind a root port."""
        if number == 0:
            return "pcie.0" if self._is_express else "pci.0"
        return f"pci.{number}"

    def props(self, device: Element) -> dict[str, str]:
        """Return where a device goes; one that nobody placed gets a free place on bus 0.

        Raises:
            DomainError: there is none left.
        """
        place = _own(device) or self.take(device)
        return {"bus": self.bus(place.bus), "addr": pci_words(place)}

    def take(self, device: Element) -> PciAddress:
        """Return a free place, which is taken then; raises as :meth:`props`."""
        place = self._free(device)
        self._taken.add((0, place.slot))
        return place

    def _free(self, device: Element) -> PciAddress:
        for slot in range(2, 32):
            if (0, slot) not in self._taken:
                return PciAddress(0, slot)
        raise DomainError(
            CONFIG_UNSUPPORTED,
            "no place on PCI bus 0 is left for the device",
            domain=10,
            speaker=Speaker.OURS,
            remedy="leave some device out",
            at=device,
        )


def placed(found: Definition) -> Definition:
    """Return a definition in which every PCI function has a place, those of memory devices first.

    So whatever is plugged later knows what is taken.

    Raises:
        DomainError: there are not enough.
    """
    places = Places(found)
    devices = found.root.find("devices")
    wanting = [
        each
        for each in (devices.children if devices is not None else ())
        if _is_function(each) and _own(each) is None
    ]
    return with_addresses(found, [(each, places.take(each)) for each in wanting])


def _is_function(device: Element) -> bool:
    """Tell whether a device that is no memory becomes a function on PCI."""
    target = device.find("target")
    model = device.get("model") or ""
    return {
        "controller": device.get("type") == "pci" and model == "pcie-root-port",
        "disk": target is not None and target.get("bus") == "virtio",
        "channel": target is not None and target.get("type") == "virtio",
        "memballoon": model.startswith("virtio"),
    }.get(device.name, False)


def _own(device: Element) -> PciAddress | None:
    address = device.find("address")
    if address is None or address.get("type") != "pci":
        return None
    return _address(address)


def _address(element: Element) -> PciAddress:
    bus, slot, function = (whole(element.get(name)) for name in ("bus", "slot", "function"))
    return PciAddress(bus, slot, function)
