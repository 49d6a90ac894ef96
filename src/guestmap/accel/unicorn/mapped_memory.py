"""Memory of RAM blocks, mapped in Unicorn straight from where the host has it, and pinned there."""

from __future__ import annotations

from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING, Any

from guestmap.accel.unicorn.binding import uc_api
from guestmap.accel.unicorn.pieces import Piece, overlapping, whole_pages

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from guestmap.accel.counters import Counters
    from guestmap.accel.unicorn.windows import Windows
    from guestmap.base.address_map import AddressMap
    from guestmap.memory.ram import RamBlock


class MappedMemory:
    """What is mapped, by address, in ``pieces``. One thread at a time, and no guest meanwhile.

    Args:
        uc: the Unicorn instance.
        pieces: what is mapped: nothing yet.
        windows: give way to memory.
        counters: what is done is counted there.
        written: called with block, offset and length when somebody who is not the CPU has written
            to a block of which something is mapped.
    """

    def __init__(
        self,
        uc: Any,
        pieces: AddressMap[Piece],
        windows: Windows,
        counters: Counters,
        written: Callable[[RamBlock, int, int], None],
    ) -> None:
        self._uc = uc
        self.pieces = pieces
        self._windows = windows
        self._counters = counters
        self._written = written
        self._watchers: dict[RamBlock, Callable[[int, int], None]] = {}

    def remap(self, shown: AddressMap[Piece], low: int, high: int) -> None:
        """Make the map right between two addresses, and wherever a map reaches out of there.

        Args:
            shown: what is to be mapped.
            low: the first address, of a page.
            high: the first address after.

        Raises:
            UcError: Unicorn refuses; what was done is noted, and can be gone on with.
        """
        if low >= high:
            return
        old = list(overlapping(self.pieces, low, high))
        if old:
            low, high = min(low, old[0].start), max(high, old[-1].end)
        new = list(_wanted(shown, low, high))
        for piece in old:
            if not any(piece == run.cut(piece.start, piece.end) for run in new):
                self._unmap(piece)
        for run in new:
            start = run.start
            for piece in list(overlapping(self.pieces, run.start, run.end)):
                self._map(run.cut(start, piece.start))
                start = piece.end
            self._map(run.cut(start, run.end))

    def _map(self, piece: Piece) -> None:
        size = piece.end - piece.start
        if size <= 0 or not self._hold(piece.block):
            return
        with ExitStack() as undo:
            undo.callback(self._let_go_of_unmapped, piece.block)
            self._windows.close(piece.start, piece.end)
            host = piece.block.host_address + piece.offset
            self._uc.mem_map_ptr(piece.start, size, uc_api.UC_PROT_ALL, host)
            undo.callback(self._uc.mem_unmap, piece.start, size)
            if not piece.writable:
                # Mapped read-only from the start, Unicorn would ask about each write, then do it.
                self._uc.mem_protect(piece.start, size, uc_api.UC_PROT_READ | uc_api.UC_PROT_EXEC)
            undo.pop_all()
        self.pieces[piece.start] = piece
        self._counters.maps += 1

    def _hold(self, block: RamBlock) -> bool:
        """Pin a block while any of it is mapped; False where its memory has just gone."""
        if block not in self._watchers:
            if not block.try_pin():
                return False
            watcher = partial(self._written, block)
            self._watchers[block] = watcher
            block.add_watcher(watcher)
        return True

    def _let_go_of_unmapped(self, block: RamBlock) -> None:
        """Let go of a block of which nothing is mapped any more."""
        if all(piece.block is not block for piece in self.pieces.values()):
            self._let_go(block)

    def _let_go(self, block: RamBlock) -> None:
        block.remove_watcher(self._watchers.pop(block))
        block.unpin()

    def _unmap(self, piece: Piece) -> None:
        self._uc.mem_unmap(piece.start, piece.end - piece.start)
        del self.pieces[piece.start]
        self._counters.unmaps += 1
        self._let_go_of_unmapped(piece.block)

    def release(self) -> None:
        """Let go of all host memory."""
        for block in list(self._watchers):
            self._let_go(block)
        self.pieces.clear()


def _wanted(shown: AddressMap[Piece], low: int, high: int) -> Iterator[Piece]:
    """Yield what to map: joined where one goes on from the other, cut to whole pages."""
    run: Piece | None = None
    for piece in overlapping(shown, low, high):
        piece = piece.cut(low, high)
        if run is not None and piece.continues(run):
            run = run._replace(end=piece.end)
            continue
        if run is not None:
            yield from whole_pages(run)
        run = piece
    if run is not None:
        yield from whole_pages(run)
