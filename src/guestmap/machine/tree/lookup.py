"""The tree of a machine, with the ways back: from a device or a region to its object."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING, cast

from guestmap.qom import UNATTACHED, Device, Object, ObjectTree, TypeTable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from guestmap.machine.tree.objects import BusObject, DeviceObject
    from guestmap.machine.tree.regions import RegionObject
    from guestmap.memory import MemoryRegion


class MachineTree(ObjectTree):
    """An object tree that knows which object stands for what.

    Attributes:
        devices: objects of the machine's devices, by ``id(device)``.
        regions: objects of memory regions, by ``id(region)``; one leaves with its object.
        wires: objects of interrupt lines, by ``id(line)``: the inputs that they lead to.
    """

    def __init__(self, types: TypeTable) -> None:
        self.devices: dict[int, DeviceObject] = {}
        self.regions: dict[int, RegionObject] = {}
        self.wires: dict[int, Object] = {}
        self._lowest = 0
        self._numbers: set[int] = set()
        super().__init__(types)

    def device(self, hardware: object) -> DeviceObject | None:
        """Return the object that stands for one of the machine's devices, or None."""
        return self.devices.get(id(hardware))

    def region(self, region: MemoryRegion | None) -> RegionObject | None:
        """Return the object that stands for a region, or None."""
        with self.lock:
            found = self.regions.get(id(region))
            if found is None and region is not None:
                owner = self.device(region.owner)
                if owner is not None:
                    owner.show_regions()
                    found = self.regions.get(id(region))
            return found

    def name_anonymous(self, number: int | None = None) -> str:
        """Return the name in ``/machine/peripheral-anon`` of a device without an id.

        Numbers count from 0 in the order of the devices; those of devices that have gone do not
        come again.

        Args:
            number: the device's; by default the lowest that nobody has had.
        """
        with self.lock:
            if number is None:
                number = next(n for n in count(self._lowest) if n not in self._numbers)
                self._lowest = number + 1
            self._numbers.add(number)
            return f"device[{number}]"


def anonymous_number(device: Device) -> int | None:
    """Return the number that :meth:`MachineTree.name_anonymous` gave; None where it has an id."""
    return None if device.id is not None else int(device.name.removeprefix("device[")[:-1])


def buses(tree: ObjectTree) -> Iterator[BusObject]:
    """Yield the buses as QEMU looks for one: the system bus, then those of its devices, and on."""
    ahead = [tree.find(f"{UNATTACHED}/sysbus", "bus")[0]]
    while ahead:
        bus = cast("BusObject | None", ahead.pop(0))
        if bus is not None:
            yield bus
            ahead += [below for device in bus.devices for below in reversed(device.buses)]


def device_path(tree: ObjectTree, hardware: object) -> str | None:
    """Return the canonical path of the object that stands for a device, or None."""
    found = tree.device(hardware) if isinstance(tree, MachineTree) else None
    return found.path if found is not None else None


def owner_text(tree: ObjectTree, region: MemoryRegion) -> str:
    """Return whose a region is, as ``info mtree -o`` writes it behind the region's name.

    Devices with an id are named by it. Regions that belong to nobody hang in
    ``/machine/unattached``: that is their parent, not their owner.
    """
    found = tree.region(region) if isinstance(tree, MachineTree) else None
    return f" {parent_words(None if found is None else found.parent)}"


def parent_words(parent: Object | None) -> str:
    """Return what ``info mtree -o`` writes of a region below ``parent``, without the space."""
    if parent is None:
        return "orphan"
    label = "parent" if parent.path == UNATTACHED else "owner"
    return f"{label}:{{{_who(parent)}}}"


def _who(owner: Object) -> str:
    sort = "dev" if isinstance(owner, Device) else "obj"
    if isinstance(owner, Device) and owner.id:
        return f"{sort} id={owner.id}"
    return f"{sort} path={owner.path}"
