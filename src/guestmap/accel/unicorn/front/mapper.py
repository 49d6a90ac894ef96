"""The mapper of a front: windows as small as what they show, on any architecture."""

from __future__ import annotations

from typing import TYPE_CHECKING

from guestmap.accel.unicorn.mapper import MAX_WINDOWS, WINDOW, Conductor, Mapper
from guestmap.accel.unicorn.pieces import PAGE, overlapping
from guestmap.memory import Endianness

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from guestmap.accel.unicorn.counters import Counters
    from guestmap.accel.unicorn.front.instance import Instance
    from guestmap.memory import AddressSpace, MemoryRegionSection

    Callbacks = Callable[[int, int], tuple[Any, Any]]


class FrontMapper(Mapper):
    """Keeps any Unicorn instance in step with one address space.

    A window holds whole pages of one device, or one page that has several inhabitants or none: what
    is mapped in the middle of an access must not close the window of that access.

    Args:
        instance: what to map in.
        space: what to map.
        conductor: see :class:`Mapper`.
        counters: what is done is counted there.
        callbacks: returns the callbacks of a window, by first address and first address after.
    """

    def __init__(
        self,
        instance: Instance,
        space: AddressSpace,
        conductor: Conductor,
        counters: Counters,
        callbacks: Callbacks,
    ) -> None:
        super().__init__(instance.uc, conductor, counters)
        self._instance = instance
        self._space = space
        self._window_callbacks = callbacks

    def region_add(self, section: MemoryRegionSection) -> None:
        """Note what came; on a big-endian CPU, NATIVE registers are big-endian from now on."""
        if self._instance.big_endian:
            section.region.set_native_endianness(Endianness.BIG)
        super().region_add(section)

    def settle(self, busy: tuple[int, int] = (0, 0)) -> None:
        """Apply what changed; also in the middle of a run, and where the CPU translates."""
        remaps = bool(self._touched)
        with self._instance.physically():
            super().settle(busy)
        if remaps and not self._instance.asks_for_windows and busy == (0, 0):
            self._open_windows()

    def _open_windows(self) -> None:
        """Open windows for all that is shown and not mapped, as far as there may be windows."""
        for each in self._space.view:
            at = each.start
            while at < each.end and len(self._windows) < MAX_WINDOWS:
                piece = next(overlapping(self._mapped, at, at + 1), None)
                if piece is None:
                    self.open_window(at)
                at = piece.end if piece is not None else self._extent(at)[1]

    def _extent(self, address: int) -> tuple[int, int]:
        page = address & -PAGE
        low, high = page, page + PAGE
        found = self._space.view.find(address)
        if found is not None:
            block = address & -WINDOW
            whole = (found.start + PAGE - 1) & -PAGE, found.end & -PAGE
            if whole[0] <= page < whole[1]:
                low, high = max(whole[0], block), min(whole[1], block + WINDOW)
        return low, high

    def _map_window(self, low: int, size: int) -> None:
        self._instance.map_window(low, size, *self._window_callbacks(low, low + size))

    def _close_window(self, start: int) -> None:
        with self._instance.physically():
            super()._close_window(start)
        self._instance.forget_window(start)

    def close_windows(self) -> None:
        """Unmap all windows."""
        self._close_windows(0, self._limit)
