"""The windows of a front: as small as what they show."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from guestmap.accel.unicorn.front.instance import UcError
from guestmap.accel.unicorn.pieces import PAGE, Piece
from guestmap.accel.unicorn.windows import MAX_WINDOWS, WINDOW, Windows

if TYPE_CHECKING:
    from guestmap.accel.counters import Counters
    from guestmap.accel.unicorn.front.instance import Instance
    from guestmap.base.address_map import AddressMap
    from guestmap.memory import AddressSpace

Callbacks = Callable[[int, int], tuple[Any, Any]]

LAST_PAGES = ((1 << 32) - PAGE, (1 << 64) - PAGE)
"""Where the addresses of a CPU of 32 bits end, and of one of 64.

A window there has to be open before it is accessed: what Unicorn knows of a page is all ones once
it is forgotten, and in the last one that looks as if it were known. Opened by the access itself,
the window is not found, and the run ends with UC_ERR_MAP.
"""


class FrontWindows(Windows):
    """The windows of any Unicorn instance.

    A window holds whole pages of one device, or one page that has several inhabitants or none: what
    is mapped in the middle of an access must not close the window of that access. One of the
    ``LAST_PAGES`` is a window of its own, and stays.

    Args:
        instance: what to map in.
        space: what is shown.
        mapped: what is mapped as memory, by address.
        counters: what is done is counted there.
        callbacks: returns the callbacks of a window, by first address and first address after.
    """

    refusal: type[Exception] = UcError

    def __init__(
        self,
        instance: Instance,
        space: AddressSpace,
        mapped: AddressMap[Piece],
        counters: Counters,
        callbacks: Callbacks,
    ) -> None:
        super().__init__(instance.uc, mapped, counters)
        self._instance = instance
        self._space = space
        self._callbacks_of = callbacks

    def extent(self, address: int) -> tuple[int, int]:
        """Return the pages of one device round ``address``, or one page."""
        page = address & -PAGE
        low, high = page, page + PAGE
        if page in LAST_PAGES:
            return low, high
        found = self._space.view.find(address)
        if found is not None:
            block = address & -WINDOW
            whole = (found.start + PAGE - 1) & -PAGE, found.end & -PAGE
            if whole[0] <= page < whole[1]:
                low, high = max(whole[0], block), min(whole[1], block + WINDOW)
                high -= PAGE * (high - PAGE in LAST_PAGES)
        return low, high

    def _make_room(self, low: int) -> None:
        if low not in LAST_PAGES and len(self._sizes) >= MAX_WINDOWS:
            self._close(next(start for start in self._sizes if start not in LAST_PAGES))

    def _map(self, low: int, size: int) -> None:
        self._instance.map_window(low, size, *self._callbacks_of(low, low + size))

    def _close(self, start: int) -> None:
        with self._instance.physically():
            super()._close(start)
        self._instance.forget_window(start)
