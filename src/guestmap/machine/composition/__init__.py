"""The machine as a tree of objects, as QEMU composes its own.

Management tools look a machine up through its object tree: which devices are there, on which bus,
with which settings, and which memory regions they have. :func:`compose` builds the tree of a PC, at
QEMU 7.2's paths and with its types; what the objects tell is read from the machine when somebody
asks.
"""

from guestmap.hw.declare import DeclaredType
from guestmap.machine.composition.builder import Builder, regions_of
from guestmap.machine.composition.compose import compose
from guestmap.machine.composition.objects import Adapter, BusObject, DeviceObject
from guestmap.machine.composition.regions import (
    RegionObject,
    add_region_object,
    add_region_objects,
)
from guestmap.machine.composition.tree import (
    MachineTree,
    buses,
    device_path,
    owner_text,
    parent_words,
)
from guestmap.machine.composition.types import machine_types

__all__ = [
    "Adapter",
    "Builder",
    "BusObject",
    "DeclaredType",
    "DeviceObject",
    "MachineTree",
    "RegionObject",
    "add_region_object",
    "add_region_objects",
    "buses",
    "compose",
    "device_path",
    "machine_types",
    "owner_text",
    "parent_words",
    "regions_of",
]
