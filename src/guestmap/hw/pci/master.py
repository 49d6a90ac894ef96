"""What a PCI function sees as a master of the bus: nothing, or all of the system memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

from guestmap.base import ADDRESS_SPACE_SIZE
from guestmap.hw.device import IoRegion

if TYPE_CHECKING:
    from guestmap.hw.pci.bus import PciBus
    from guestmap.memory import MemoryRegion


class BusMaster:
    """A function's address space, and the window in it.

    Args:
        bus: the bus that it masters.
        name: of the address space.
        owner: the function.

    Attributes:
        container: the root of the address space.
        space: the address space.
    """

    def __init__(self, bus: PciBus, name: str, owner: object) -> None:
        self._bus = bus
        self._owner = owner
        self._window: MemoryRegion | None = None
        everything = IoRegion("bus master container", ADDRESS_SPACE_SIZE, None, is_container=True)
        self.container = bus.placer.make(everything, owner=owner)
        self.space = bus.placer.make_space(name, self.container)

    @property
    def connected(self) -> bool:
        """Whether there is a window: the machine was complete once."""
        return self._window is not None

    @property
    def enabled(self) -> bool:
        """Whether the function reaches memory."""
        return self._window is not None and self._window.enabled

    def connect(self) -> None:
        """Make the window, closed; nothing happens where there is one."""
        if self._window is None:
            target = self._bus.dma_root
            window = self._bus.placer.make_alias(
                "bus master", target, 0, target.size, owner=self._owner
            )
            window.set_enabled(False)
            self.container.add_subregion(0, window)
            self._window = window

    def set_enabled(self, on: bool) -> None:
        """Open the window, or close it; nothing happens where there is none."""
        if self._window is not None:
            self._window.set_enabled(on)

    def remove(self) -> None:
        """Take window and address space out of the machine."""
        if self._window is not None:
            self.container.del_subregion(self._window)
            self._window = None
        self._bus.placer.remove_space(self.space)
