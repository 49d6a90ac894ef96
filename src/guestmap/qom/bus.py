"""Buses: what devices sit on."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

from guestmap.base import StateError
from guestmap.qom.object import Object
from guestmap.qom.properties import attribute_property, link_property
from guestmap.qom.property_types import BOOL

if TYPE_CHECKING:
    from guestmap.qom.device import Device
    from guestmap.qom.object_type import ObjectType
    from guestmap.qom.type_table import TypeTable


class Bus(Object):
    """A bus, the child of the device that has it.

    Attributes:
        devices: what sits on it, in the order of adding.
        realized: whether its device is.
    """

    def __init__(self, type: ObjectType, types: TypeTable) -> None:  # noqa: A002
        super().__init__(type, types)
        self.devices: tuple[Device, ...] = ()
        self.realized = True
        self._next = 0

    def add(self, device: Device) -> None:
        """Put a device on the bus, as link ``child[N]``; StateError where it sits on one."""
        with self._lock:
            if device.parent_bus is not None:
                raise StateError(f"{device!r} sits on a bus already")
            self.add_link(
                f"child[{self._next}]",
                device.type.name,
                target=device,
                writable=False,
                strong=False,
            )
            self._next += 1
            self.devices = (*self.devices, device)
            device.set_link("parent_bus", self)

    def remove(self, device: Device) -> None:
        """Take a device off the bus; nothing happens where it does not sit on it."""
        with self._lock:
            for prop in self.properties():
                if prop.name.startswith("child[") and self.link(prop.name) is device:
                    self.del_property(prop.name)
                    self.devices = tuple(other for other in self.devices if other is not device)
                    device.set_link("parent_bus", None)

    def unparented(self) -> None:
        """Take everything on the bus with it."""
        with ExitStack() as last_first:  # each of them goes, whatever the others raise
            for device in self.devices:
                last_first.callback(device.unparent)


BUS_PROPERTIES = (
    link_property("hotplug-handler", "hotplug-handler", strong=False),
    attribute_property("realized", BOOL),
)
"""What every bus has."""
