"""The types that every machine has."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from guestmap.hw.declare import ISA_DEVICE, SYS_BUS_DEVICE, DeclaredType
from guestmap.machine.tree.objects import Adapter, BusObject, DeviceObject
from guestmap.machine.tree.regions import RegionObject
from guestmap.machine.tree.tables import ALL_TYPES
from guestmap.qom import ObjectType, TypeTable

_MAKERS = {"object": Adapter, "device": DeviceObject, "bus": BusObject}
"""What stands for types right below these; types further down inherit it."""
_INTERFACES = (
    "acpi-dev-aml-interface",
    "acpi-device-interface",
    "conventional-pci-device",
    "intctrl",
    "isa-dma",
    "nmi",
)


def machine_types() -> TypeTable:
    """Return a new table of the types of this machine; pluggable memory's are not in it.

    Those of devices that it does not have are there once somebody asks for them.
    """
    types = TypeTable(ObjectType(name, "interface", abstract=True) for name in _INTERFACES)
    types.add(*(_with_maker(each) for each in (*ALL_TYPES, ISA_DEVICE, SYS_BUS_DEVICE)))
    types.add_later(_of_every_device)
    return types


def know(types: TypeTable, device: DeclaredType) -> None:
    """Have a table know a device's type, and what it inherits from."""
    types.add_missing(_with_maker(each) for each in device.lineage if each.name not in types.known)


def _of_every_device() -> Iterator[ObjectType]:
    from guestmap.hw.catalog import declared_types  # which imports every device there is

    return map(_with_maker, declared_types())


def _with_maker(each: ObjectType) -> ObjectType:
    makers: Any = _MAKERS
    make = RegionObject if each.name == "memory-region" else makers.get(each.parent)
    return each if make is each.make else replace(each, make=make)
