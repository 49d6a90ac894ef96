"""RAM blocks: the host memory behind regions, and each block's place in the ram address space.

The ram address space is QEMU's private numbering of all RAM of a machine (``ram_addr_t``), which
dirty bitmaps and migration count in; where a block goes follows ``find_ram_offset``.

A block's memory has three kinds of users. Whoever holds ``buffer`` or a slice of it keeps the
memory mapped. Whoever keeps only the number ``host_address`` - a CPU engine, a device thread -
*pins* the block; or, if it is for a moment, stays inside one read section of the machine's RCU
domain from finding the block to the last use of the address. When a block is released, its memory
goes after all of these, and not before.
"""

from __future__ import annotations

import mmap
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Self
from weakref import WeakMethod

from guestmap.base import ConfigError, StateError
from guestmap.memory.ram.dirty import DirtyLog
from guestmap.memory.ram.host import NO_CELLS, HostMemory
from guestmap.rcu import Rcu, RefCounted


def page_aligned(length: int) -> int:
    """Return ``length`` rounded up to whole host pages."""
    return -(-length // mmap.PAGESIZE) * mmap.PAGESIZE


class RamBlock:
    """One piece of RAM.

    Args:
        name: what ``info ramblock`` prints.
        length: bytes; rounded up to whole pages.
        host: the memory behind it; None for a block without backing.
        rcu: the machine's domain; a block outside a machine has one of its own.
        max_length: bytes that it may grow to, which ``host`` holds from the start; by default it
            cannot grow.
        resized: called with the region's new size, in bytes, after each change.

    Attributes:
        offset: where the block starts in the ram address space, in bytes.
        used_length, max_length: bytes in use, and bytes that it may grow to; whole pages.
        resizeable: whether it may be resized.
        host: the memory; None without backing, and once it is reclaimed.
        buffer: the memory's bytes; empty without backing, and once it is reclaimed.
        cells: the same as an array, which several threads may slice at once without a global
            lock (see :class:`guestmap.memory.HostMemory`); empty when ``buffer`` is.
        host_address: where the memory is in this process; 0 without backing, and once it is
            reclaimed. Pin the block before you keep it.
        page_size: bytes of the host's pages behind it.
        align: what guest addresses of it should be aligned to, in bytes.
        released: whether it is to be reclaimed after its last user.
        dirty: which pages were written, for each client that looks.
        watched: whether anybody must be told of host writes.
    """

    __slots__ = (
        "__weakref__",
        "_lock",
        "_users",
        "_watchers",
        "align",
        "buffer",
        "cells",
        "dirty",
        "host",
        "host_address",
        "max_length",
        "name",
        "offset",
        "page_size",
        "released",
        "resizeable",
        "resized",
        "used_length",
        "watched",
    )

    def __init__(
        self,
        name: str,
        length: int,
        host: HostMemory | None = None,
        *,
        rcu: Rcu | None = None,
        max_length: int | None = None,
        resized: Callable[[int], None] | None = None,
    ) -> None:
        self.name = name
        self.offset = 0
        self.used_length = page_aligned(length)
        self.max_length = page_aligned(length if max_length is None else max_length)
        if self.max_length < self.used_length:
            raise ConfigError(
                f"Size too large: {name}: 0x{self.used_length:x} > 0x{self.max_length:x}"
            )
        self.resizeable = max_length is not None
        self.resized = resized
        self.released = False
        self.host: HostMemory | None = None
        self.buffer, self.cells = memoryview(bytearray()), NO_CELLS
        self.host_address = 0
        self.page_size = self.align = mmap.PAGESIZE
        if host is not None:
            self.back(host)
        self._lock = threading.Lock()
        self._watchers: tuple[Callable[[int, int], None], ...] = ()
        self.watched = False
        self.dirty = DirtyLog(self)
        # Weak, or the block would hold itself; where it has gone, so has what is to be reclaimed.
        reclaim = WeakMethod(self._reclaim)
        self._users = RefCounted(
            rcu if rcu is not None else Rcu(name), lambda: (reclaim() or _do_nothing)()
        )

    def back(self, host: HostMemory) -> None:
        """Put memory behind a block that has none, and that nobody uses yet."""
        self.host = host
        self.buffer, self.cells = host.buffer, host.cells
        self.host_address = host.address
        self.page_size = host.page_size
        self.align = host.align

    # -- who writes ------------------------------------------------------------------------------

    def add_watcher(self, watcher: Callable[[int, int], None]) -> None:
        """Call ``watcher(offset, length)`` after each write that the CPU engine did not make."""
        with self._lock:
            self._watchers = (*self._watchers, watcher)
            self.watched = True

    def remove_watcher(self, watcher: Callable[[int, int], None]) -> None:
        """Stop calling ``watcher``."""
        with self._lock:
            self._watchers = tuple(w for w in self._watchers if w != watcher)
            self.watched = bool(self._watchers)

    def written(self, offset: int, length: int) -> None:
        """Tell the watchers of a write of ``length`` bytes at ``offset`` of the block."""
        for watcher in self._watchers:
            watcher(offset, length)

    # -- who uses the memory ---------------------------------------------------------------------

    @property
    def pins(self) -> int:
        """How many users hold the host address."""
        return self._users.count - (not self.released)

    @property
    def reclaimed(self) -> bool:
        """Whether the last user has left (readers may still be waited for)."""
        return self._users.count == 0

    def pin(self) -> None:
        """Keep the memory mapped until :meth:`unpin`. Pins count.

        Raises:
            StateError: the block was released, and its last user has left.
        """
        if not self.try_pin():
            raise StateError(f"RAM block {self.name!r} was freed: its memory cannot be used")

    def try_pin(self) -> bool:
        """Like :meth:`pin`; return False where that raises."""
        return self._users.try_get()

    def unpin(self) -> None:
        """Give a pin back.

        Raises:
            StateError: nobody holds one.
        """
        self._users.put()

    @contextmanager
    def pinned(self) -> Iterator[Self]:
        """Keep the memory mapped for the length of a ``with`` block.

        Raises:
            StateError: see :meth:`pin`.
        """
        self.pin()
        try:
            yield self
        finally:
            self.unpin()

    def release(self) -> None:
        """Reclaim the memory after the last pin is given back and the last reader has left.

        Called again, it does nothing. Returns at once.
        """
        with self._lock:
            before, self.released = self.released, True
        if not before:
            self._users.put()

    def view(self, offset: int, length: int) -> memoryview:
        """Return a view of some bytes that shares no count with any other (see ``cells``)."""
        own = memoryview(self.cells).cast("B")[offset : offset + length]
        return own.toreadonly() if self.buffer.readonly else own

    def _reclaim(self) -> None:
        """Let go of the memory; nobody has its address. Views of it may go on keeping it."""
        self.buffer, self.cells = memoryview(bytearray()), NO_CELLS
        self.host_address = 0
        host, self.host = self.host, None
        if host is not None:
            host.quiesced()

    # -- what is in it ---------------------------------------------------------------------------

    def discard(self, offset: int, length: int) -> None:
        """Give whole pages back to the host; see :meth:`guestmap.memory.HostMemory.discard`.

        Raises:
            ConfigError: not whole pages of the block.
            StateError: the block has no memory, or none that may be discarded.
            HostError: the host refused.
        """
        with self.pinned():
            if self.host is None:
                raise StateError(f"RAM block {self.name!r} has no memory to discard")
            if offset + length > self.max_length:
                raise ConfigError(
                    f"cannot discard 0x{length:x} bytes at 0x{offset:x} of RAM block"
                    f" {self.name!r}: it has 0x{self.max_length:x}"
                )
            self.host.discard(offset, length)
            self.written(offset, length)

    def __repr__(self) -> str:
        return f"<RamBlock {self.name} @0x{self.offset:x} used 0x{self.used_length:x}>"


def _do_nothing() -> None:
    """Stand in for the method of an object that has gone."""


class RamBlockNotifier:
    """Base class of those who follow the blocks themselves (QEMU's ``RAMBlockNotifier``)."""

    def block_added(self, block: RamBlock) -> None:
        """``block`` came; told for each that is there already, too."""

    def block_removed(self, block: RamBlock) -> None:
        """``block`` is released. Pin a block whose address you keep, and let go of it here."""

    def block_resized(self, block: RamBlock, old: int, new: int) -> None:
        """``block`` has ``new`` bytes in use, in whole pages, instead of ``old``."""
