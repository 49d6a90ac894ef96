"""The types that every table starts with."""

from __future__ import annotations

from guestmap.qom.bus import BUS_PROPERTIES, Bus
from guestmap.qom.device import DEVICE_PROPERTIES, Device
from guestmap.qom.object import Object
from guestmap.qom.object_type import ObjectType
from guestmap.qom.properties import Property
from guestmap.qom.property_types import STRING

INTERFACES = ("hotplug-handler", "memory-device", "resettable", "user-creatable", "vmstate-if")
"""Interfaces that the types here, and machines with pluggable memory, need."""

BUILTIN_TYPES = (
    ObjectType(
        "object",
        parent=None,
        abstract=True,
        properties=(Property("type", STRING, lambda obj: obj.type.name),),
        make=Object,
    ),
    ObjectType("interface", parent=None, abstract=True),
    *(ObjectType(name, parent="interface", abstract=True) for name in INTERFACES),
    ObjectType("container"),
    ObjectType(
        "device",
        abstract=True,
        interfaces=("resettable", "vmstate-if"),
        properties=DEVICE_PROPERTIES,
        make=Device,
    ),
    ObjectType(
        "bus", abstract=True, interfaces=("resettable",), properties=BUS_PROPERTIES, make=Bus
    ),
)
