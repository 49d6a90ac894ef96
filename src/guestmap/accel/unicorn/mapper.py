"""The flat view, in Unicorn's memory map, with as few map and unmap operations as can be.

Only memory that the CPU may touch directly (RAM, ROM, ROM devices in ROM mode) is mapped as the
view changes, in whole pages, straight from the host memory of its RAM block. Everything else -
devices, holes, pages that RAM shares with something else - is one and the same thing to Unicorn:
accesses that go to the address space. Such a *window* is mapped when the guest first touches it,
so that devices may come, go and move without a single operation.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

from sortedcontainers import SortedDict
from unicorn import unicorn_const as uc_api

from guestmap.accel.unicorn.binding import UcError
from guestmap.accel.unicorn.pieces import PAGE, Piece, direct, merged, overlapping, whole_pages
from guestmap.base import HostError
from guestmap.memory import MemoryListener
from guestmap.memory.hear import PRIORITY_ACCEL

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

    from guestmap.accel.unicorn.counters import Counters
    from guestmap.memory import MemoryRegionSection
    from guestmap.memory.ram import RamBlock

WINDOW = 1 << 20
"""Bytes of a window, which start at a multiple of it, less what is mapped directly."""

MAX_WINDOWS = 64
"""Windows at a time: Unicorn's operations slow down as the number of its regions grows."""

MAX_STALE = 1024
"""Ranges of stale code to remember one by one, until the CPU lets them be dropped."""

MAX_TOUCHED = 1024
"""Changes of the map to remember one by one, until the CPU runs again."""


class Conductor(Protocol):
    """Who knows whether the memory map may be touched now."""

    def may_settle(self) -> bool:
        """Tell whether to settle now; if not, it is settled before the CPU executes much more."""


class Mapper(MemoryListener):
    """Keeps one Unicorn instance in step with one address space.

    Told of changes in any thread; touches Unicorn only where its conductor says so.

    Args:
        uc: the instance.
        conductor: see there.
        counters: what is done is counted there.
        limit: the first address that is not the guest's.

    Attributes:
        muted: a thread whose writes to memory leave translated code alone.
        may_have_code: tells of a physical page, by its number, whether code can come from it.
    """

    priority = PRIORITY_ACCEL
    name = "unicorn"

    def __init__(
        self, uc: Any, conductor: Conductor, counters: Counters, *, limit: int = 1 << 64
    ) -> None:
        self._uc = uc
        self._conductor = conductor
        self._counters = counters
        self._limit = limit
        self._pieces: SortedDict[int, Piece] = SortedDict()
        self._mapped: SortedDict[int, Piece] = SortedDict()
        self._windows: OrderedDict[int, int] = OrderedDict()
        self._touched: list[tuple[int, int]] = []
        self._stale: list[tuple[int, int]] = []
        self._watchers: dict[RamBlock, Callable[[int, int], None]] = {}
        self._callbacks: tuple[Any, Any] = (None, None)
        self._on_mapped: Callable[[Collection[Piece]], None] = lambda _pieces: None
        self._lock = threading.RLock()
        self.muted: int | None = None
        self.may_have_code: Callable[[int], bool] = lambda _page: True

    def connect(
        self, read: Any, write: Any, mapped: Callable[[Collection[Piece]], None] | None = None
    ) -> None:
        """Set what is called.

        Args:
            read: the callback of a window: Unicorn's, with its address as user data.
            write: the same for writes.
            mapped: hears what is mapped, after each change of the map.
        """
        self._callbacks = (read, write)
        if mapped is not None:
            self._on_mapped = mapped

    # -- the listener ----------------------------------------------------------------------------

    def region_add(self, section: MemoryRegionSection) -> None:
        """Note memory that came."""
        piece = direct(section, self._limit)
        if piece is not None:
            with self._lock:
                self._pieces[piece.start] = piece
                self._touch(piece)

    def region_del(self, section: MemoryRegionSection) -> None:
        """Note memory that went."""
        with self._lock:
            piece = self._pieces.pop(section.offset_within_address_space, None)
            if piece is not None:
                self._touch(piece)

    def _touch(self, piece: Piece) -> None:
        self._touched.append((piece.start, piece.end))
        if len(self._touched) > MAX_TOUCHED:
            self._touched = merged(self._touched)

    def commit(self) -> None:
        """Have the changes of the transaction applied.

        Raises:
            HostError: Unicorn refuses, now: the transaction is taken back.
        """
        if self._touched and self._conductor.may_settle():
            self.settle()

    def log_sync(self, section: MemoryRegionSection) -> None:
        """Report all that the CPU may have written: Unicorn does not tell which pages it wrote."""
        block = section.region.ram_block
        if block is not None and not section.readonly:
            block.dirty.mark(section.offset_within_region, section.size)

    @property
    def unsettled(self) -> bool:
        """Whether there is something to apply."""
        return bool(self._touched or self._stale)

    def settle(self, busy: tuple[int, int] = (0, 0)) -> None:
        """Apply what changed. The CPU must not translate addresses: Unicorn's calls would, too.

        Args:
            busy: first address, and first address after, of a window that is being accessed: what
                changed there waits for another time.

        Raises:
            HostError: Unicorn refuses. What is not applied yet still waits for it.
        """
        with self._lock:
            try:
                waiting = []
                for start, end in merged(self._touched):
                    low, high = start & -PAGE, (end + PAGE - 1) & -PAGE
                    if low >= busy[1] or high <= busy[0]:
                        self._remap(low, high)
                        continue
                    waiting.append((max(low, busy[0]), min(high, busy[1])))
                    self._remap(low, busy[0])
                    self._remap(busy[1], high)
                if self._touched:
                    self._on_mapped(self._mapped.values())
                self._touched = waiting
                for start, end in merged(self._stale):
                    self._drop_code(start, end)
                    self._counters.invalidations += 1
                self._stale.clear()
            except UcError as error:
                raise HostError(
                    f"Unicorn refuses a change of its memory map at 0x{start:x}-0x{end:x}: {error}"
                ) from error

    def _drop_code(self, start: int, end: int) -> None:
        """Drop what was translated from there."""
        self._uc.ctl_remove_cache(start, end)

    def _remap(self, low: int, high: int) -> None:
        """Make the map right between two addresses, and wherever a map reaches out of there."""
        if low >= high:
            return
        old = list(overlapping(self._mapped, low, high))
        if old:
            low, high = min(low, old[0].start), max(high, old[-1].end)
        new = list(self._wanted(low, high))
        for piece in old:
            if not any(piece == run.cut(piece.start, piece.end) for run in new):
                self._unmap(piece)
        for run in new:
            start = run.start
            for piece in list(overlapping(self._mapped, run.start, run.end)):
                self._map(run.cut(start, piece.start))
                start = piece.end
            self._map(run.cut(start, run.end))

    def _wanted(self, low: int, high: int) -> Iterator[Piece]:
        """Yield what to map: joined where one goes on from the other, cut to whole pages."""
        run: Piece | None = None
        for piece in overlapping(self._pieces, low, high):
            piece = piece.cut(low, high)
            if run is not None and piece.continues(run):
                run = run._replace(end=piece.end)
                continue
            if run is not None:
                yield from whole_pages(run)
            run = piece
        if run is not None:
            yield from whole_pages(run)

    def _map(self, piece: Piece) -> None:
        size = piece.end - piece.start
        if size <= 0 or not self._hold(piece.block):
            return
        with ExitStack() as undo:
            undo.callback(self._let_go_of_unmapped, piece.block)
            self._close_windows(piece.start, piece.end)
            host = piece.block.host_address + piece.offset
            self._uc.mem_map_ptr(piece.start, size, uc_api.UC_PROT_ALL, host)
            undo.callback(self._uc.mem_unmap, piece.start, size)
            if not piece.writable:
                # Mapped read-only from the start, Unicorn would ask about each write, then do it.
                self._uc.mem_protect(piece.start, size, uc_api.UC_PROT_READ | uc_api.UC_PROT_EXEC)
            undo.pop_all()
        self._mapped[piece.start] = piece
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
        if all(piece.block is not block for piece in self._mapped.values()):
            self._let_go(block)

    def _let_go(self, block: RamBlock) -> None:
        block.remove_watcher(self._watchers.pop(block))
        block.unpin()

    def _unmap(self, piece: Piece) -> None:
        self._uc.mem_unmap(piece.start, piece.end - piece.start)
        del self._mapped[piece.start]
        self._counters.unmaps += 1
        self._let_go_of_unmapped(piece.block)

    # -- windows ---------------------------------------------------------------------------------

    def open_window(self, address: int) -> bool:
        """Map what is round ``address``, which is not memory; False where that cannot be."""
        low, high = self._extent(address)
        if low >= self._limit:
            return False
        with self._lock:
            for piece in overlapping(self._mapped, low, high):
                if piece.end <= address:
                    low = piece.end
                elif piece.start > address:
                    high = piece.start
                    break
                else:
                    return False
            self._close_windows(low, high)
            if len(self._windows) >= MAX_WINDOWS:
                self._close_window(next(iter(self._windows)))
            try:
                self._map_window(low, high - low)
            except UcError:  # the access fails, which ends the run and says where
                return False
            self._windows[low] = high - low
            self._counters.open_windows += 1
        return True

    def _extent(self, address: int) -> tuple[int, int]:
        """Return how far a window round ``address`` may reach, but for memory."""
        low = address & -WINDOW
        return low, low + WINDOW

    def _map_window(self, low: int, size: int) -> None:
        read, write = self._callbacks
        self._uc.mmio_map(low, size, read, low, write, low)

    def _close_windows(self, low: int, high: int) -> None:
        for start in [s for s, size in self._windows.items() if s < high and low < s + size]:
            self._close_window(start)

    def _close_window(self, start: int) -> None:
        self._uc.mem_unmap(start, self._windows[start])
        del self._windows[start]

    # -- writes ----------------------------------------------------------------------------------

    def is_rom_device(self, address: int) -> bool:
        """Tell whether a write to read-only memory at ``address`` is a command to a device."""
        with self._lock:
            found = next(overlapping(self._mapped, address, address + 1), None)
        return found is not None and found.romd

    def guest_wrote(self, address: int, length: int) -> bool:
        """Note a write by the CPU to memory that other addresses show too.

        Returns:
            Whether code may be stale: the map must be settled before more is executed.
        """
        with self._lock:
            before = len(self._stale)
            for piece in list(overlapping(self._mapped, address, address + length)):
                start, end = max(address, piece.start), min(address + length, piece.end)
                places = self._places(piece.block, start - piece.start + piece.offset, end - start)
                self._stale += [
                    place for place in places
                    if place[0] != start and self.may_have_code(place[0] // PAGE)
                ]  # fmt: skip
            self._bound_stale()
            return len(self._stale) > before

    def _places(self, block: RamBlock, offset: int, length: int) -> Iterator[tuple[int, int]]:
        """Yield the addresses at which a part of a block shows."""
        for piece in self._mapped.values():
            if piece.block is block:
                shift = piece.start - piece.offset
                start = max(piece.start, offset + shift)
                end = min(piece.end, offset + length + shift)
                if start < end:
                    yield start, end

    def _bound_stale(self) -> None:
        if len(self._stale) > MAX_STALE:
            self._stale = merged(self._stale)
            if len(self._stale) > MAX_STALE // 2:
                self._stale = [(self._stale[0][0], self._stale[-1][1])]

    def _written(self, block: RamBlock, offset: int, length: int) -> None:
        """Somebody who is not the CPU wrote: what was translated from there is stale."""
        if self.muted == threading.get_ident():
            return
        with self._lock:
            places = list(self._places(block, offset, length))
            self._stale += places
            self._bound_stale()
        if places and self._conductor.may_settle():
            self.settle()

    def release(self) -> None:
        """Let go of all host memory."""
        for block in list(self._watchers):
            self._let_go(block)
        self._mapped.clear()
        self._pieces.clear()
