"""The flat view, in Unicorn's memory map, with as few map and unmap operations as can be.

Only memory that the CPU may touch directly (RAM, ROM, ROM devices in ROM mode) is mapped as the
view changes, in whole pages, straight from the host memory of its RAM block. Everything else -
devices, holes, pages that RAM shares with something else - is one and the same thing to Unicorn:
accesses that go to the address space. Such a *window* is mapped when the guest first touches it,
so that devices may come, go and move without a single operation.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, Protocol

from guestmap.accel.unicorn.binding import UcError
from guestmap.accel.unicorn.mapped_memory import MappedMemory
from guestmap.accel.unicorn.pieces import PAGE, Piece, direct, overlapping
from guestmap.accel.unicorn.stale_code import StaleCode
from guestmap.accel.unicorn.windows import Windows
from guestmap.base import HostError
from guestmap.base.address_map import AddressMap
from guestmap.base.addrrange import merged
from guestmap.memory import MemoryListener
from guestmap.memory.hear import PRIORITY_ACCEL

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from guestmap.accel.counters import Counters
    from guestmap.memory import AddressSpace, MemoryRegionSection
    from guestmap.memory.ram import RamBlock

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
        memory: what is mapped of memory.
        windows: what is mapped of all that is not memory.
        stale: the translated code that is to be dropped.
        refusal: what the instance raises where it refuses something.
        muted: a thread whose writes to memory leave translated code alone.
    """

    priority = PRIORITY_ACCEL
    name = "unicorn"
    refusal: type[Exception] = UcError

    def __init__(
        self, uc: Any, conductor: Conductor, counters: Counters, *, limit: int = 1 << 64
    ) -> None:
        self._uc = uc
        self._conductor = conductor
        self._counters = counters
        self._limit = limit
        self._pieces: AddressMap[Piece] = AddressMap()
        self._touched: list[tuple[int, int]] = []
        self._on_mapped: Callable[[Collection[Piece]], None] = lambda _pieces: None
        self._lock = threading.RLock()
        self._followed: AddressSpace | None = None
        self.muted: int | None = None
        mapped: AddressMap[Piece] = AddressMap()
        self.windows = self._make_windows(mapped)
        self.memory = MappedMemory(uc, mapped, self.windows, counters, self._written)
        self.stale = StaleCode(mapped)

    def _make_windows(self, mapped: AddressMap[Piece]) -> Windows:
        return Windows(self._uc, mapped, self._counters, self._limit)

    def connect(
        self, read: Any, write: Any, mapped: Callable[[Collection[Piece]], None] | None = None
    ) -> None:
        """Set what is called.

        Args:
            read: the callback of a window: Unicorn's, with its address as user data.
            write: the same for writes.
            mapped: hears what is mapped, after each change of the map.
        """
        self.windows.callbacks = (read, write)
        if mapped is not None:
            self._on_mapped = mapped

    def follow(self, memory: AddressSpace) -> None:
        """Have the map be that of an address space, and of no other one, once it is settled."""
        if self._followed is not None:
            self._followed.unregister_listener(self)
        self._followed = memory
        memory.register_listener(self)

    def leave(self) -> None:
        """Follow no address space any more."""
        if self._followed is not None:
            self._followed.unregister_listener(self)
            self._followed = None

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
        return bool(self._touched or self.stale.ranges)

    def settle(self, busy: tuple[int, int] = (0, 0)) -> None:
        """Apply what changed. The CPU must not translate addresses: Unicorn's calls would, too.

        Args:
            busy: first address, and first address after, of a window that is being accessed: what
                changed there waits for another time.

        Raises:
            HostError: Unicorn refuses. What is not applied yet still waits for it.
        """
        with self._lock:
            if self._touched:
                self.stale.remapped()
            try:
                waiting = []
                for start, end in merged(self._touched):
                    low, high = start & -PAGE, (end + PAGE - 1) & -PAGE
                    if low >= busy[1] or high <= busy[0]:
                        self.memory.remap(self._pieces, low, high)
                        continue
                    waiting.append((max(low, busy[0]), min(high, busy[1])))
                    self.memory.remap(self._pieces, low, busy[0])
                    self.memory.remap(self._pieces, busy[1], high)
                if self._touched:
                    self._on_mapped(self.memory.pieces.values())
                self._touched = waiting
                for start, end in merged(self.stale.ranges):
                    self._uc.ctl_remove_cache(start, end)
                    self._counters.invalidations += 1
                self.stale.ranges.clear()
            except self.refusal as error:
                raise HostError(
                    f"Unicorn refuses a change of its memory map at 0x{start:x}-0x{end:x}: {error}"
                ) from error

    # -- accesses ---------------------------------------------------------------------------------

    def is_memory(self, address: int) -> bool:
        """Tell whether ``address`` is mapped as memory."""
        with self._lock:
            return next(overlapping(self.memory.pieces, address, address + 1), None) is not None

    def is_rom_device(self, address: int) -> bool:
        """Tell whether a write to read-only memory at ``address`` is a command to a device."""
        with self._lock:
            found = next(overlapping(self.memory.pieces, address, address + 1), None)
        return found is not None and found.romd

    def open_window(self, address: int) -> bool:
        """Map what is round ``address``, which is not memory; False where that cannot be."""
        with self._lock:
            return self.windows.open(address)

    def guest_wrote(self, address: int, length: int) -> bool:
        """Note a write by the CPU to memory that other addresses show too.

        Returns:
            Whether code may be stale: the map must be settled before more is executed.
        """
        with self._lock:
            return self.stale.written_by_guest(address, length)

    def _written(self, block: RamBlock, offset: int, length: int) -> None:
        """Somebody who is not the CPU wrote: what was translated from there is stale."""
        if self.stale.is_data(block, offset, length):
            return
        if self.muted == threading.get_ident():
            return
        with self._lock:
            shows = self.stale.written(block, offset, length)
        if shows and self._conductor.may_settle():
            self.settle()

    def release(self) -> None:
        """Let go of all host memory."""
        self.stale.remapped()
        self.memory.release()
        self._pieces.clear()
