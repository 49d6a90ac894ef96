"""What a board does for its devices: it makes their regions, and puts them into the map.

A device says what it wants. Whoever knows the memory system (:mod:`guestmap.machine.placement`)
does it; buses are lent it for the functions that sit on them, which see no more than stands here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from guestmap.hw.device import IoRegion, Place, Space
    from guestmap.memory import AddressSpace, MemoryRegion

Changing = Callable[[str], AbstractContextManager[object]]
"""Returns the transaction in which a device changes its place in the map: the cause is given."""


class Placeable(Protocol):
    """What wants registers: a device, or a part of one."""

    regions: Sequence[MemoryRegion]
    changing: Changing

    @property
    def blocks(self) -> Mapping[str, Placeable]:
        """Return what it consists of."""

    def places(self) -> Iterable[Place]:
        """Return which, and where."""


class Placer(Protocol):
    """What makes regions for devices; ``owner`` is :class:`guestmap.memory.MemoryRegion`'s."""

    changing: Changing

    def place(
        self,
        containers: Mapping[Space, MemoryRegion],
        *blocks: Placeable,
        owner: object = None,
    ) -> None:
        """Make regions of registers and put them where they belong.

        Args:
            containers: what stands for each of the processor's address spaces.
            blocks: devices and parts of them; they know their regions afterwards.
            owner: of the regions.
        """

    def make(self, wanted: IoRegion, *, owner: object = None) -> MemoryRegion:
        """Return a region, with those that lie over it, of what a device describes."""

    def make_ram(
        self, name: str, size: int, *, readonly: bool = False, owner: object = None
    ) -> MemoryRegion:
        """Return RAM, or ROM, of ``size`` bytes.

        Raises:
            HostError: the host has no room for it.
        """

    def make_alias(
        self, name: str, target: MemoryRegion, offset: int, size: int, *, owner: object = None
    ) -> MemoryRegion:
        """Return a window onto ``size`` bytes of another region."""

    def make_space(self, name: str, root: MemoryRegion) -> AddressSpace:
        """Return an address space that shows ``root``: what a bus master sees."""

    def remove_space(self, space: AddressSpace) -> None:
        """Let an address space go."""
