"""The mapper of a front, on any architecture."""

from __future__ import annotations

from typing import TYPE_CHECKING

from guestmap.accel.unicorn.front.instance import UcError
from guestmap.accel.unicorn.front.windows import LAST_PAGES, Callbacks, FrontWindows
from guestmap.accel.unicorn.mapper import Conductor, Mapper
from guestmap.accel.unicorn.pieces import PAGE, Piece, overlapping
from guestmap.accel.unicorn.windows import MAX_WINDOWS
from guestmap.memory import Endianness

if TYPE_CHECKING:
    from guestmap.accel.counters import Counters
    from guestmap.accel.unicorn.front.instance import Instance
    from guestmap.base.address_map import AddressMap
    from guestmap.memory import AddressSpace, MemoryRegionSection


class FrontMapper(Mapper):
    """Keeps any Unicorn instance in step with one address space.

    Args:
        instance: what to map in.
        space: what to map.
        conductor: see :class:`Mapper`.
        counters: what is done is counted there.
        callbacks: returns the callbacks of a window, by first address and first address after.
        answers: whether somebody answers where nothing is shown.
    """

    refusal: type[Exception] = UcError

    def __init__(
        self,
        instance: Instance,
        space: AddressSpace,
        conductor: Conductor,
        counters: Counters,
        callbacks: Callbacks,
        *,
        answers: bool,
    ) -> None:
        self._instance = instance
        self._space = space
        self._window_callbacks = callbacks
        self._last_pages = set(LAST_PAGES) if answers else set[int]()
        super().__init__(instance.uc, conductor, counters)

    def _make_windows(self, mapped: AddressMap[Piece]) -> FrontWindows:
        return FrontWindows(
            self._instance, self._space, mapped, self._counters, self._window_callbacks
        )

    def region_add(self, section: MemoryRegionSection) -> None:
        """Note what came; on a big-endian CPU, NATIVE registers are big-endian from now on."""
        if self._instance.big_endian:
            section.region.set_native_endianness(Endianness.BIG)
        start = section.offset_within_address_space
        end = start + section.size
        self._last_pages.update(page for page in LAST_PAGES if start < page + PAGE and page < end)
        super().region_add(section)

    def commit(self) -> None:
        """Have the changes of the transaction applied."""
        super().commit()
        self._open_last_pages()

    def settle(self, busy: tuple[int, int] = (0, 0)) -> None:
        """Apply what changed; also in the middle of a run, and where the CPU translates."""
        remaps = bool(self._touched)
        with self._instance.physically():
            super().settle(busy)
        if remaps:
            self._open_last_pages()
        if remaps and not self._instance.asks_for_windows and busy == (0, 0):
            self._open_windows()

    def _open_last_pages(self) -> None:
        for page in self._last_pages:
            if page not in self.windows and not self.is_memory(page):
                self.open_window(page)

    def _open_windows(self) -> None:
        """Open windows for all that is shown and not mapped, as far as there may be windows."""
        for each in self._space.view:
            at = each.start
            while at < each.end and len(self.windows) < MAX_WINDOWS:
                piece = next(overlapping(self.memory.pieces, at, at + 1), None)
                if piece is None:
                    self.open_window(at)
                at = piece.end if piece is not None else self.windows.extent(at)[1]

    def close_windows(self) -> None:
        """Unmap all windows."""
        self.windows.close(0, self._limit)
