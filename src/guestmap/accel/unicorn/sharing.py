"""The same host memory at two guest-physical addresses, and code in it.

The library knows code by the guest-physical address that it was fetched from, and takes the other
one for other memory: a store there leaves stale code behind. So stores to such memory are watched.
A watch makes every store slow; where no memory is writable and shows twice, as in a PC, there is
none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from guestmap.accel.unicorn.binding import uc_api
from guestmap.accel.unicorn.window import flush_tlb
from guestmap.base.addrrange import merged

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from guestmap.accel.unicorn.pieces import Piece


class SharedWrites:
    """Watches stores to memory that shows elsewhere too.

    Args:
        uc: the Unicorn instance.
        wrote: called with address and length, before the store is done.
    """

    def __init__(self, uc: Any, wrote: Callable[[int, int], None]) -> None:
        self._uc = uc
        self._wrote = wrote
        self._watched: list[tuple[int, int]] = []
        self._handles: list[Any] = []

    def watch(self, pieces: Iterable[Piece]) -> bool:
        """Watch what is to be watched where these pieces are mapped.

        Returns:
            Whether that is something else than before. A CPU that is in the guest must leave then:
            else it goes on from one block of dropped code to another, where they were linked.
        """
        ranges = shared(pieces)
        if ranges == self._watched:
            return False
        for handle in self._handles:
            self._uc.hook_del(handle)
        self._handles = [
            self._uc.hook_add(uc_api.UC_HOOK_MEM_WRITE, self._on_write, None, start, end - 1)
            for start, end in ranges
        ]
        self._watched = ranges
        # Stores that are translated already, and TLB entries, know of no watch.
        self._uc.ctl_flush_tb()
        flush_tlb(self._uc)
        return True

    def _on_write(
        self, _uc: Any, _kind: int, address: int, size: int, _value: int, _data: object
    ) -> None:
        self._wrote(address, size)


def shared(pieces: Iterable[Piece]) -> list[tuple[int, int]]:
    """Return the addresses of writable memory that other addresses show too."""
    found = []
    by_place = sorted(pieces, key=lambda piece: (id(piece.block), piece.offset))
    for n, piece in enumerate(by_place):
        end = piece.offset + piece.end - piece.start
        for other in by_place[n + 1 :]:
            if other.block is not piece.block or other.offset >= end:
                break
            last = min(end, other.offset + other.end - other.start)
            for each in (piece, other):
                if each.writable:
                    shift = each.start - each.offset
                    found.append((other.offset + shift, last + shift))
    return merged(found)
