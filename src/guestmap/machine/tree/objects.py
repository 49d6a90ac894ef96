"""Objects that stand in the tree for what the machine consists of.

The devices themselves know nothing of the tree. An adapter stands for one of them: its properties
are what the device says now (``values``), otherwise what its type's table says.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from guestmap.base import UnsupportedError
from guestmap.hw.declare import DeclaredType
from guestmap.hw.device import DeviceModel
from guestmap.machine.tree.lookup import MachineTree
from guestmap.machine.tree.regions import RegionObject, add_region_object
from guestmap.qom import Bus, Device, JsonValue, Object, Property

if TYPE_CHECKING:
    from guestmap.machine.options.device import DeviceSpec
    from guestmap.memory import MemoryRegion
    from guestmap.qom import ObjectType, TypeTable

Value = JsonValue | Object | Callable[[], JsonValue]
"""A value, the object that a link points at, or what asks the device for a value."""


def read_value(values: Mapping[str, Value], name: str, fallback: JsonValue) -> JsonValue:
    """Return what ``values`` says of ``name``: objects as their paths, "" outside the tree."""
    value = values.get(name, fallback)
    if isinstance(value, Object):
        return value.path if value.attached else ""
    return value() if callable(value) else value


def pointed_at(values: Mapping[str, Value], name: str) -> Object | None:
    """Return the object that ``values`` has for ``name``, or None."""
    target = values.get(name)
    return target if isinstance(target, Object) else None


class Adapter(Object):
    """An object that is no device: the machine, an interrupt line, a character device.

    Attributes:
        values: what it knows better than its type's table.
    """

    def __init__(self, type: ObjectType, types: TypeTable) -> None:  # noqa: A002
        super().__init__(type, types)
        self.values: dict[str, Value] = {}

    def value(self, name: str, fallback: JsonValue) -> JsonValue:
        """Return a property's value; ``fallback`` where the object knows nothing better."""
        return read_value(self.values, name, fallback)

    def step(self, name: str) -> Object | None:
        """Return a child, or what a link points at."""
        return super().step(name) or pointed_at(self.values, name)


class BusObject(Bus):
    """A bus.

    Attributes:
        label: what ``info qtree`` and ``bus=`` call it.
        hardware: the bus that it stands for, where functions can come and go.
    """

    def __init__(self, type: ObjectType, types: TypeTable) -> None:  # noqa: A002
        super().__init__(type, types)
        self.label = ""
        self.hardware: Any = None
        self.values: dict[str, Value] = {}

    def value(self, name: str, fallback: JsonValue) -> JsonValue:
        """Return a property's value; ``fallback`` where the object knows nothing better."""
        return read_value(self.values, name, fallback)


def _no_regions() -> Iterable[MemoryRegion]:
    return ()


class DeviceObject(Device):
    """A device, standing for one of :mod:`guestmap.hw`.

    Its memory regions become objects when somebody first looks below it: a machine of thousands
    of devices is built without them, and regions that come later are seen.

    Attributes:
        hardware: the device that it stands for; None where there is nothing but the name.
        values: what the device knows better than the type's table.
        regions: returns the device's memory regions as they are now, oldest first.
        spec: what the user said who wanted it; None for what every machine has.
    """

    def __init__(self, type: ObjectType, types: TypeTable) -> None:  # noqa: A002
        super().__init__(type, types)
        self.hardware: Any = None
        self.values: dict[str, Value] = {}
        self.regions: Callable[[], Iterable[MemoryRegion]] = _no_regions
        self.spec: DeviceSpec | None = None
        self._shown: dict[int, RegionObject] = {}
        self._showing = False

    def stand_for(self, hardware: object) -> None:
        """Note the device that it stands for."""
        self.hardware = hardware
        tree = self.types.tree
        if isinstance(tree, MachineTree):
            tree.devices[id(hardware)] = self

    def value(self, name: str, fallback: JsonValue) -> JsonValue:
        """Return a property's value; ``fallback`` where the device knows nothing better."""
        if name in self.values:
            return read_value(self.values, name, fallback)
        if not isinstance(self.hardware, DeviceModel):
            return fallback
        if (other := self._connected(name)) is not None:
            return other.path if other.attached else ""
        return self.hardware.value(name, fallback)

    def _connected(self, name: str) -> Object | None:
        """Return the input that a line of the device leads to, or the device it works with."""
        tree = self.types.tree
        if not isinstance(self.hardware, DeviceModel) or not isinstance(tree, MachineTree):
            return None
        if (line := self.hardware.wires.get(name)) is not None:
            return tree.wires.get(id(line))
        return tree.device(self.hardware.peers.get(name))

    def do_realize(self) -> None:
        """Add the properties that a device of this type has from now on."""
        if isinstance(self.type, DeclaredType):
            for prop in self.type.once_realized:
                self.add_property(prop)

    def unrealize(self) -> None:
        """Refuse, unless the device has left the machine: its hardware has no switch."""
        if self.realized and not self._leaving:
            raise UnsupportedError(
                f"device {self.type.name} cannot be unrealized: only DIMMs can leave this machine"
            )
        super().unrealize()

    def show_regions(self) -> None:
        """Make objects of the regions that have none, and let go of those that are no more."""
        with self._lock:
            if self._showing or self._finalized:
                return
            self._showing = True
            try:
                self._show({id(region): region for region in self.regions()})
            finally:
                self._showing = False

    def _show(self, regions: dict[int, MemoryRegion]) -> None:
        if regions.keys() == self._shown.keys():
            return
        for key in self._shown.keys() - regions.keys():
            self._shown.pop(key).unparent()
        for key, region in regions.items():
            if key not in self._shown:
                self._shown[key] = add_region_object(self, region)

    # Whoever looks below the device sees its regions.

    @property
    def children(self) -> Mapping[str, Object]:
        """Children by name."""
        self.show_regions()
        return super().children

    def child(self, name: str) -> Object | None:
        """Return the child of that name, or None."""
        self.show_regions()
        return super().child(name)

    def step(self, name: str) -> Object | None:
        """Return a child, or what a link points at."""
        target = super().step(name)
        if target is None:
            self.show_regions()
            target = super().step(name)
        if target is None:
            target = pointed_at(self.values, name) or self._connected(name)
        return target

    def properties(self) -> tuple[Property, ...]:
        """Return class properties, then those of the instance, children among them."""
        self.show_regions()
        return super().properties()

    def has_property(self, name: str) -> bool:
        """Whether it has a property of that name."""
        if not super().has_property(name):
            self.show_regions()
        return super().has_property(name)

    def find_property(self, name: str) -> Property:
        """Return a property; ConfigError where there is none."""
        self.has_property(name)
        return super().find_property(name)

    def finalize(self) -> None:
        """Let go of the device: its address may be another's soon."""
        tree = self.types.tree
        if isinstance(tree, MachineTree):
            tree.devices.pop(id(self.hardware), None)
        self.hardware = None
        self.regions = _no_regions
        self.values = {}
        self._shown.clear()
