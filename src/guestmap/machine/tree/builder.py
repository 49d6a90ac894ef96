"""The tools of composing: make an object, put it in its place, on its bus, with its values.

Regions come in the order in which QEMU makes them, which matters where names are equal:
``dma-page[0]`` is the first of its name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from guestmap.hw.declare import DeclaredType
from guestmap.machine.tree.objects import Adapter, BusObject, DeviceObject, Value
from guestmap.machine.tree.types import know
from guestmap.qom import UNATTACHED

if TYPE_CHECKING:
    from guestmap.hw.device import DeviceModel
    from guestmap.machine.tree.lookup import MachineTree
    from guestmap.memory import MemoryRegion
    from guestmap.qom import Object


class Builder:
    """Makes the objects of one machine.

    Attributes:
        tree: the tree that they go into.
        unattached: ``/machine/unattached``, where the parts are that nobody named.
        wires: the interrupt lines between chips, ``non-qdev-gpio[N]``.
    """

    def __init__(self, tree: MachineTree) -> None:
        self.tree = tree
        self.types = tree.types
        self.unattached = tree.container(UNATTACHED)
        self.wires: list[Object] = []

    def adapter(self, parent: Object, name: str, type_name: str, **values: Value) -> Adapter:
        """Make an object that is no device; ``__`` in a name stands for ``-``."""
        made = self.types.new(type_name)
        assert isinstance(made, Adapter)
        made.values.update(values or {})
        parent.add_child(name, made)
        return made

    def irqs(self, parent: Object, name: str, count: int) -> list[Object]:
        """Make input lines ``NAME[0]`` and so on."""
        return [self.adapter(parent, f"{name}[{n}]", "irq") for n in range(count)]

    def device(
        self,
        type_name: str,
        bus: BusObject | None = None,
        hardware: object = None,
        regions: Callable[[], Iterable[MemoryRegion]] | None = None,
        *,
        parent: Object | None = None,
        name: str = "",
        identity: str | None = None,
        values: Mapping[str, Value] | None = None,
    ) -> DeviceObject:
        """Make a realized device.

        Args:
            type_name: of the object.
            bus: what it sits on.
            hardware: what it stands for.
            regions: returns its memory regions.
            parent: what it belongs to; by default it is numbered in ``/machine/unattached``.
            name: in the parent.
            identity: the user's name for it.
            values: what differs from the type's table.
        """
        made = self.types.new(type_name)
        assert isinstance(made, DeviceObject)
        made.id = identity
        made.values.update(values or {})
        if parent is None:
            self.tree.adopt(made)
        else:
            parent.add_child(name, made)
        if regions is not None:
            made.regions = regions
        if hardware is not None:
            made.stand_for(hardware)
        plain = not isinstance(made.type, DeclaredType) or made.type.hotpluggable
        made.hotpluggable = plain and (bus is None or bus.link("hotplug-handler") is not None)
        if bus is not None:
            bus.add(made)
        made.realize()
        return made

    def put(
        self,
        device: DeviceModel[Any],
        bus: BusObject | None = None,
        *,
        parent: Object | None = None,
        name: str = "device[*]",
        identity: str | None = None,
        part_bus: BusObject | None = None,
    ) -> DeviceObject:
        """Make the objects of a device: itself, its lines, its buses, and what it consists of.

        Args:
            device: as :mod:`guestmap.hw` has it.
            bus: what it sits on.
            parent: what it belongs to; ``/machine/unattached`` by default.
            name: in the parent.
            identity: the user's name for it.
            part_bus: what the devices sit on that it consists of.
        """
        know(self.types, device.TYPE)
        made = self.device(
            device.TYPE.name, bus, device, partial(regions_of, device),
            parent=parent, name=name, identity=identity,
        )  # fmt: skip
        for group, count in _inputs(device):
            for line in self.irqs(made, group, count):
                if line.name in device.wires:
                    self.tree.wires[id(device.wires[line.name])] = line
        for type_name, label in device.TYPE.buses:
            self.bus(made, type_name, label)
        for label, part in device.parts.items():
            self.put(part, part_bus, parent=made, name=label)
        return made

    def bus(self, owner: DeviceObject, type_name: str, name: str) -> BusObject:
        """Make a bus of a device; one that can plug things in does so itself."""
        made = self.free_bus(type_name, name)
        owner.add_bus(name, made)
        if made.is_a("hotplug-handler"):
            made.set_link("hotplug-handler", made)
        return made

    def free_bus(self, type_name: str, label: str) -> BusObject:
        """Make a bus that is not in the tree yet."""
        made = self.types.new(type_name)
        assert isinstance(made, BusObject)
        made.label = label
        return made


def with_subregions(region: MemoryRegion) -> Iterator[MemoryRegion]:
    """Yield a region and all below it that are of the same owner, by address."""
    yield region
    for each in sorted(region.subregions, key=lambda child: child.addr):
        if each.owner is region.owner:
            yield from with_subregions(each)


def regions_of(device: DeviceModel[Any]) -> Iterator[MemoryRegion]:
    """Yield the regions of a device and those below them."""
    for region in device.shown_regions():
        yield from with_subregions(region)


def _inputs(device: DeviceModel[Any]) -> Iterator[tuple[str, int]]:
    for declared in reversed(device.TYPE.lineage):
        yield from declared.inputs


def show_finished(made: Object) -> None:
    """Add the properties that an object has once it is complete."""
    if isinstance(made.type, DeclaredType):
        for prop in made.type.once_realized:
            made.add_property(prop)
