"""What a machine's PCI functions decode, and why a region of one stands in no tree.

A region behind a BAR (base address register) is in the map only while the function decodes it: an
address was written to the BAR, memory or I/O decoding is on in its command register, and each
bridge above has a window that is open there. Until then the map does not know its name, but the
machine's object tree does.
"""

from guestmap.inspect.ask.pci.listing import BarUse, FunctionUse, PciListing, listing
from guestmap.inspect.ask.pci.reading import read_pci
from guestmap.inspect.ask.pci.unmapped import Unmapped, why_unmapped
from guestmap.inspect.ask.pci.words import pci_sentences, unmapped_sentences
from guestmap.inspect.map.pci_functions import (
    Bridge,
    DeviceRegion,
    Function,
    PciBar,
    PciDevices,
    Window,
)
from guestmap.inspect.text.info_pci import read_info_pci

__all__ = [
    "BarUse",
    "Bridge",
    "DeviceRegion",
    "Function",
    "FunctionUse",
    "PciBar",
    "PciDevices",
    "PciListing",
    "Unmapped",
    "Window",
    "listing",
    "pci_sentences",
    "read_info_pci",
    "read_pci",
    "unmapped_sentences",
    "why_unmapped",
]
