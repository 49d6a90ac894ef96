"""PCI: configuration space, functions, buses, the host's configuration registers, bridges."""

from guestmap.hw.pci.bar import Bar
from guestmap.hw.pci.bridge import PciBridge
from guestmap.hw.pci.bus import PciBus
from guestmap.hw.pci.config import ConfigSpace
from guestmap.hw.pci.device import PciDevice, PciFunction
from guestmap.hw.pci.host import ConfigMechanism
from guestmap.hw.pci.identity import PciIdentity
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
