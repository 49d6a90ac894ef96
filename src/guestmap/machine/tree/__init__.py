"""The machine as a tree of objects, as QEMU composes its own.

Management tools look a machine up through its object tree: which devices are there, on which bus,
with which settings, and which memory regions they have. A board puts its devices in with a
:class:`Builder`, at QEMU 7.2's paths; their types, lines, buses and parts are what they declare
(:mod:`guestmap.hw.declare`), and what the objects tell is read from the machine when somebody asks.
"""

from guestmap.hw.declare import DeclaredType
from guestmap.machine.tree.builder import Builder, regions_of
from guestmap.machine.tree.lookup import (
    MachineTree,
    anonymous_number,
    buses,
    device_path,
    owner_text,
    parent_words,
)
from guestmap.machine.tree.objects import Adapter, BusObject, DeviceObject
from guestmap.machine.tree.regions import (
    RegionObject,
    add_region_object,
    add_region_objects,
)
from guestmap.machine.tree.types import machine_types

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
    "anonymous_number",
    "buses",
    "device_path",
    "machine_types",
    "owner_text",
    "parent_words",
    "regions_of",
]
