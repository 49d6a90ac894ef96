"""RAM blocks: the host memory behind regions, and each block's place in the ram address space.

The ram address space is QEMU's private numbering of all RAM of a machine (``ram_addr_t``), which
dirty bitmaps and migration count in; where a block goes follows ``find_ram_offset``.
"""

from __future__ import annotations

import ctypes
import mmap
from bisect import bisect_left
from collections.abc import Callable, Iterator

from guestmap.base import GIB, ConfigError, HostError

_ALIGN = 64 * 4096
"""Blocks start at multiples of what one word of a dirty bitmap covers: 64 pages."""

_MAP_NORESERVE = getattr(mmap, "MAP_NORESERVE", 0x4000)


def page_aligned(length: int) -> int:
    """Return ``length`` rounded up to whole host pages."""
    return -(-length // mmap.PAGESIZE) * mmap.PAGESIZE


class RamBlock:
    """One piece of host memory, mapped when it is made and filled by the host as it is touched.

    Attributes:
        name: what ``info ramblock`` prints.
        offset: where the block starts in the ram address space, in bytes.
        used_length, max_length: bytes in use, and bytes that it may grow to; whole pages.
        buffer: the memory; empty for a block without backing.
        host_address: where the memory is in this process; 0 without backing.
    """

    __slots__ = (
        "_watchers",
        "buffer",
        "host_address",
        "max_length",
        "name",
        "offset",
        "used_length",
    )

    def __init__(self, name: str, length: int, buffer: memoryview | None) -> None:
        self.name = name
        self.offset = 0
        self.used_length = self.max_length = page_aligned(length)
        self._watchers: tuple[Callable[[int, int], None], ...] = ()
        self.buffer = buffer if buffer is not None else memoryview(bytearray())
        self.host_address = 0
        if buffer is not None and len(buffer):
            self.host_address = ctypes.addressof(ctypes.c_char.from_buffer(buffer))

    @property
    def watched(self) -> bool:
        """Whether anybody must be told of host writes."""
        return bool(self._watchers)

    def add_watcher(self, watcher: Callable[[int, int], None]) -> None:
        """Call ``watcher(offset, length)`` after each write that the CPU engine did not make."""
        self._watchers = (*self._watchers, watcher)

    def remove_watcher(self, watcher: Callable[[int, int], None]) -> None:
        """Stop calling ``watcher``."""
        self._watchers = tuple(w for w in self._watchers if w != watcher)

    def written(self, offset: int, length: int) -> None:
        """Tell the watchers of a write of ``length`` bytes at ``offset`` of the block."""
        for watcher in self._watchers:
            watcher(offset, length)

    def __repr__(self) -> str:
        return f"<RamBlock {self.name} @0x{self.offset:x} used 0x{self.used_length:x}>"


def map_anonymous(name: str, length: int) -> memoryview:
    """Return fresh private memory, of which the host gives pages only as they are touched.

    Raises:
        HostError: the host refused (address space or overcommit limit); QEMU's text.
    """
    length = page_aligned(length)
    flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | _MAP_NORESERVE
    try:
        return memoryview(mmap.mmap(-1, length, flags=flags))
    except (OSError, OverflowError, ValueError) as error:
        raise HostError(
            f"cannot set up guest memory '{name}' of {length / GIB:.1f} GiB",
            errno=getattr(error, "errno", None),
            call="mmap",
            arguments=f"length=0x{length:x}",
        ) from error


class RamList:
    """All RAM blocks of one machine: largest first, the oldest first among equals."""

    def __init__(self) -> None:
        self._blocks: list[RamBlock] = []

    def __iter__(self) -> Iterator[RamBlock]:
        return iter(self._blocks)

    def __len__(self) -> int:
        return len(self._blocks)

    def add(self, block: RamBlock) -> None:
        """Give ``block`` its offset and take it into the list."""
        block.offset = self.find_offset(block.max_length)
        index = next(
            (i for i, b in enumerate(self._blocks) if b.max_length < block.max_length),
            len(self._blocks),
        )
        self._blocks.insert(index, block)

    def remove(self, block: RamBlock) -> None:
        """Take ``block`` out; its memory goes when the last user lets go of it."""
        self._blocks.remove(block)

    def find_offset(self, length: int) -> int:
        """Return where a block of ``length`` bytes goes: the smallest gap that is large enough.

        Raises:
            ConfigError: no gap is large enough.
        """
        if not self._blocks:
            return 0
        starts = [*sorted(b.offset for b in self._blocks), 1 << 64]
        best_offset, best_gap = None, 1 << 64
        for block in self._blocks:
            candidate = -(-(block.offset + block.max_length) // _ALIGN) * _ALIGN
            gap = starts[bisect_left(starts, min(candidate, 1 << 64))] - candidate
            if length <= gap < best_gap:
                best_offset, best_gap = candidate, gap
        if best_offset is None:
            raise ConfigError(f"Failed to find gap of requested size: {length}")
        return best_offset

    def find(self, ram_addr: int) -> RamBlock | None:
        """Return the block that holds an address of the ram address space."""
        for block in self._blocks:
            if block.offset <= ram_addr < block.offset + block.max_length:
                return block
        return None
