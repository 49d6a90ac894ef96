"""Windows: what is not memory, mapped where the guest touches it, so that its accesses are told."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Any

from guestmap.accel.unicorn.binding import UcError
from guestmap.accel.unicorn.pieces import Piece, overlapping

if TYPE_CHECKING:
    from guestmap.accel.counters import Counters
    from guestmap.base.address_map import AddressMap

WINDOW = 1 << 20
"""Bytes of a window, which start at a multiple of it, less what is mapped directly."""

MAX_WINDOWS = 64
"""Windows at a time: Unicorn's operations slow down as the number of its regions grows."""


class Windows:
    """The windows of one Unicorn instance. Its caller sees to it that one thread is here at a time.

    Args:
        uc: the instance.
        mapped: what is mapped as memory, by address.
        counters: what is done is counted there.
        limit: the first address that is not the guest's.

    Attributes:
        refusal: what the instance raises where it refuses something.
        callbacks: of a window, for reads and writes: Unicorn's, with its address as user data.
    """

    refusal: type[Exception] = UcError

    def __init__(
        self, uc: Any, mapped: AddressMap[Piece], counters: Counters, limit: int = 1 << 64
    ) -> None:
        self._uc = uc
        self._mapped = mapped
        self._counters = counters
        self._limit = limit
        self._sizes: OrderedDict[int, int] = OrderedDict()
        self.callbacks: tuple[Any, Any] = (None, None)

    def __len__(self) -> int:
        return len(self._sizes)

    def __contains__(self, low: int) -> bool:
        """Tell whether a window begins at ``low``."""
        return low in self._sizes

    def open(self, address: int) -> bool:
        """Map what is round ``address``, which is not memory; False where that cannot be."""
        low, high = self.extent(address)
        if low >= self._limit:
            return False
        for piece in overlapping(self._mapped, low, high):
            if piece.end <= address:
                low = piece.end
            elif piece.start > address:
                high = piece.start
                break
            else:
                return False
        self.close(low, high)
        self._make_room(low)
        try:
            self._map(low, high - low)
        except self.refusal:  # the access fails, which ends the run and says where
            return False
        self._sizes[low] = high - low
        self._counters.open_windows += 1
        return True

    def extent(self, address: int) -> tuple[int, int]:
        """Return how far a window round ``address`` may reach, but for memory."""
        low = address & -WINDOW
        return low, low + WINDOW

    def close(self, low: int, high: int) -> None:
        """Unmap the windows that have an address between two."""
        for start in [s for s, size in self._sizes.items() if s < high and low < s + size]:
            self._close(start)

    def _make_room(self, low: int) -> None:  # noqa: ARG002 - for instances that have exceptions
        """Close the oldest window, where there may be no more, for one that begins at ``low``."""
        if len(self._sizes) >= MAX_WINDOWS:
            self._close(next(iter(self._sizes)))

    def _map(self, low: int, size: int) -> None:
        read, write = self.callbacks
        self._uc.mmio_map(low, size, read, low, write, low, guard=False)

    def _close(self, start: int) -> None:
        self._uc.mem_unmap(start, self._sizes[start])
        del self._sizes[start]
