"""An address space as the map knows it: a name, a root, and the view that is published."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from guestmap.memory.map.flatview import FlatView
    from guestmap.memory.map.region import MemoryRegion
    from guestmap.memory.map.view_root import ViewRoot


class ViewedSpace:
    """What shows a root region. Whoever wants to read and write has its heir, the AddressSpace.

    Attributes:
        name: what ``info mtree`` prints.
        root: the region whose view this is.
        source: the physical root that the view is shared through.
    """

    __slots__ = ("name", "root", "source")

    source: ViewRoot

    def __init__(self, name: str, root: MemoryRegion) -> None:
        self.name = name
        self.root = root

    @property
    def view(self) -> FlatView:
        """The view that is published now. Keep it to go on seeing one and the same map."""
        return self.source.view
