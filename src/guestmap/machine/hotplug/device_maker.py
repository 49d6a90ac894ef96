"""Which device a user means, on which bus it goes, and who plugs it in.

Refusals, their order and their texts are QEMU 7.2's (softmmu/qdev-monitor.c).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from guestmap.base import ConfigError, UnsupportedError
from guestmap.hw.declare import DeclaredType
from guestmap.machine.hotplug.pc_dimm import DIMM, OTHER_MEMORY_DEVICES
from guestmap.machine.tree import BusObject, MachineTree, buses
from guestmap.qom import Device, JsonValue

if TYPE_CHECKING:
    from guestmap.machine.inventory import Inventory
    from guestmap.qom import HotplugHandler, ObjectType


class DeviceMaker:
    """Makes the objects of devices that users want; their properties are not set yet.

    Args:
        tree: the machine's objects.
        inventory: knows who plugs DIMMs and PCI functions in.
    """

    def __init__(self, tree: MachineTree, inventory: Inventory) -> None:
        self._tree = tree
        self._types = tree.types
        self._inventory = inventory

    def make(
        self, driver: str, bus: JsonValue, *, hotplugged: bool
    ) -> tuple[Device, HotplugHandler]:
        """Make a device, on its bus where it has one; return who plugs it in, too.

        Args:
            driver: its type.
            bus: the bus that was asked for; None for the first that it fits on.
            hotplugged: whether the machine is complete already.

        Raises:
            ConfigError: no such device or bus, or it cannot come now; QEMU's texts.
            UnsupportedError: a device that QEMU has and this machine has not.
        """
        if driver in OTHER_MEMORY_DEVICES:
            raise UnsupportedError(f"device {driver} is not modelled: use {DIMM}")
        if driver not in self._types or not self._types.is_a(driver, "device"):
            if not hotplugged:
                raise UnsupportedError(f"device {driver} is not modelled")
            raise ConfigError(f"'{driver}' is not a valid device model name")
        kind = self._types.get(driver)
        if kind.abstract:
            raise ConfigError("Parameter 'driver' expects a non-abstract device type")
        if self._types.is_a(driver, "cpu"):
            raise UnsupportedError("CPUs cannot be plugged into a running machine: use -smp")
        if self._types.is_a(driver, "memory-device"):
            return self._new_dimm(kind, bus)
        if not isinstance(kind, DeclaredType) or not kind.user_creatable:
            raise ConfigError("Parameter 'driver' expects a pluggable device type")
        shown = self._bus(kind, None if bus is None else str(bus))
        handler = shown.link("hotplug-handler")
        if hotplugged and handler is None:
            raise ConfigError(f"Bus '{shown.label}' does not support hotplugging")
        plug = self._plug(driver)
        if plug is None:
            raise UnsupportedError(f"device {driver} is not modelled but as what every machine has")
        device = cast("Device", self._types.new(driver))
        device.hotpluggable = kind.hotpluggable and handler is not None
        shown.add(device)
        return device, plug

    def _plug(self, driver: str) -> HotplugHandler | None:
        """Return who plugs such devices in; None where nobody does."""
        from guestmap.hw.catalog import PLUGGABLE_FUNCTIONS
        from guestmap.hw.ide.kind import IDE_DEVICE

        if self._types.is_a(driver, IDE_DEVICE.name):
            return self._inventory.ide
        return self._inventory.pci_hotplug if driver in PLUGGABLE_FUNCTIONS else None

    def _new_dimm(self, kind: ObjectType, bus: JsonValue) -> tuple[Device, HotplugHandler]:
        if self._inventory.hotplug is None:
            raise ConfigError(f"Device '{kind.name}' can not be hotplugged on this machine")
        if bus is not None:
            self._bus(kind, str(bus))
        return cast("Device", self._types.new(kind.name)), self._inventory.hotplug

    def _bus(self, kind: ObjectType, name: str | None) -> BusObject:
        """Return the bus of that name, or the first that the driver fits on.

        Raises:
            ConfigError: there is none, or the driver does not go there.
        """
        driver, wanted = kind.name, kind.sits_on if isinstance(kind, DeclaredType) else ""
        for each in buses(self._tree):
            if name in {each.label, each.name} and each.type.name != wanted:
                raise ConfigError(f"Device '{driver}' can't go on {each.type.name} bus")
            if name in {each.label, each.name} or (name is None and each.type.name == wanted):
                return each
        if name is None:
            raise ConfigError(f"No '{wanted}' bus found for device '{driver}'")
        raise ConfigError(f"Bus '{name.partition('/')[0]}' not found")
