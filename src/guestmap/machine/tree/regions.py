"""Memory regions in the tree: type ``memory-region``, values read from the region itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from guestmap.machine.tree.lookup import MachineTree
from guestmap.qom import JsonValue, Object, escape_name

if TYPE_CHECKING:
    from guestmap.memory import MemoryRegion
    from guestmap.qom import ObjectType, TypeTable

_LARGEST = (1 << 64) - 1


class RegionObject(Object):
    """A region. Who asks for a property gets what it is now.

    Attributes:
        region: the region; None after the object has left the tree, so that nothing of it is kept.
    """

    def __init__(self, type: ObjectType, types: TypeTable) -> None:  # noqa: A002
        super().__init__(type, types)
        self.region: MemoryRegion | None = None

    def value(self, name: str, fallback: JsonValue) -> JsonValue:
        """Return ``container``, ``addr``, ``size`` or ``priority``."""
        region = self.region
        if region is None:
            return fallback
        if name == "container":
            return self._container_path(region)
        if name == "size":
            return min(shown_size(region), _LARGEST)
        value: int = getattr(region, name)
        return value

    def _container_path(self, region: MemoryRegion) -> str:
        outer = self._object_of(region.container)
        return outer.path if outer is not None else ""

    def _object_of(self, region: MemoryRegion | None) -> RegionObject | None:
        tree = self.types.tree
        return tree.region(region) if isinstance(tree, MachineTree) else None

    def step(self, name: str) -> Object | None:
        """Return the container's object: there is nothing else to go to."""
        if name != "container" or self.region is None:
            return super().step(name)
        return self._object_of(self.region.container)

    def unparented(self) -> None:
        """Let go of the region."""
        tree = self.types.tree
        if isinstance(tree, MachineTree):
            tree.regions.pop(id(self.region), None)
        self.region = None


def add_region_object(parent: Object, region: MemoryRegion) -> RegionObject:
    """Put a region below what it belongs to, as ``NAME[N]``; it leaves by ``unparent()``."""
    types = parent.types
    added = types.new("memory-region")
    assert isinstance(added, RegionObject)
    added.region = region
    parent.add_child(f"{escape_name(region.name)}[*]", added)
    if isinstance(types.tree, MachineTree):
        types.tree.regions[id(region)] = added
    return added


def add_region_objects(parent: Object, *regions: MemoryRegion) -> None:
    """Put several regions below what they belong to, the oldest first."""
    for region in regions:
        add_region_object(parent, region)


def shown_size(region: MemoryRegion) -> int:
    """Return a region's size as QEMU tells it.

    QEMU's closed bridge windows have no bytes; a region of ours has one at least.
    """
    closed = region.size == 1 and region.alias is not None and not region.enabled
    return 0 if closed else region.size
