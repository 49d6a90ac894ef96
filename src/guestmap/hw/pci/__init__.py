"""PCI: configuration space, functions, buses, the host's configuration registers, bridges."""

from typing import TYPE_CHECKING, Any

from guestmap.hw.pci.bar import Bar
from guestmap.hw.pci.bus import PciBus
from guestmap.hw.pci.config import ConfigSpace
from guestmap.hw.pci.device import PciDevice, PciFunction
from guestmap.hw.pci.host import ConfigMechanism
from guestmap.hw.pci.identity import PciIdentity

if TYPE_CHECKING:
    from guestmap.hw.pci.bridge import PciBridge
    from guestmap.hw.pci.testdev import PciTestDevice

__all__ = [
    "Bar",
    "ConfigMechanism",
    "ConfigSpace",
    "PciBridge",
    "PciBus",
    "PciDevice",
    "PciFunction",
    "PciIdentity",
    "PciTestDevice",
]


def __getattr__(name: str) -> Any:
    """Return a function that not every machine has."""
    if name == "PciBridge":
        from guestmap.hw.pci.bridge import PciBridge

        return PciBridge
    if name == "PciTestDevice":
        from guestmap.hw.pci.testdev import PciTestDevice

        return PciTestDevice
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
