"""Places on PCI: those that a definition gives, and free ones for what has none."""

from __future__ import annotations

from typing import TYPE_CHECKING

from guestmap.domain.process.memory_props import pci_words
from guestmap.domain.rules.errors import DomainError, Speaker
from guestmap.domain.rules.texts import CONFIG_UNSUPPORTED
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
        address = device.find("address")
        if address is not None and address.get("type") == "pci":
            place = _address(address)
        else:
            place = self._free(device)
            self._taken.add((0, place.slot))
        return {"bus": self.bus(place.bus), "addr": pci_words(place)}

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


def _address(element: Element) -> PciAddress:
    bus, slot, function = (whole(element.get(name)) for name in ("bus", "slot", "function"))
    return PciAddress(bus, slot, function)
