"""All RAM blocks of one machine, and where each lies in the ram address space.

The ram address space is QEMU's private numbering of all RAM of a machine (``ram_addr_t``), which
dirty bitmaps and migration count in; where a block goes follows ``find_ram_offset``.
"""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections.abc import Iterator
from weakref import ref

from guestmap.base import ConfigError
from guestmap.memory.ram.block import RamBlock, RamBlockNotifier

_ALIGN = 64 * 4096
"""Blocks start at multiples of what one word of a dirty bitmap covers: 64 pages."""


class RamList:
    """All RAM blocks of one machine: largest first, the oldest first among equals.

    A block that nobody refers to any more leaves the list by itself.

    Attributes:
        global_dirty_mask: clients for which writes to all of it are logged.
    """

    def __init__(self) -> None:
        self.global_dirty_mask = 0
        self._lock = threading.Lock()
        self._notifiers: tuple[RamBlockNotifier, ...] = ()
        self._blocks: tuple[ref[RamBlock], ...] = ()
        """Replaced as a whole, so that readers need no lock."""

    def __iter__(self) -> Iterator[RamBlock]:
        for each in self._blocks:
            block = each()
            if block is not None:
                yield block

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def add_notifier(self, notifier: RamBlockNotifier) -> None:
        """Tell ``notifier`` of all blocks, and from now on of those that come, go and change."""
        with self._lock:
            self._notifiers = (*self._notifiers, notifier)
            blocks = list(self)
        for block in blocks:
            notifier.block_added(block)

    def remove_notifier(self, notifier: RamBlockNotifier) -> None:
        """Tell ``notifier`` nothing more."""
        with self._lock:
            self._notifiers = tuple(n for n in self._notifiers if n is not notifier)

    def add(self, block: RamBlock) -> None:
        """Give ``block`` its offset and take it into the list.

        Raises:
            ConfigError: no gap of the ram address space is large enough.
        """
        with self._lock:
            block.offset = self.find_offset(block.max_length)
            blocks = list(self)
            index = next(
                (i for i, b in enumerate(blocks) if b.max_length < block.max_length), len(blocks)
            )
            blocks.insert(index, block)
            self._blocks = tuple(ref(b) for b in blocks)
        for notifier in self._notifiers:
            notifier.block_added(block)

    def remove(self, block: RamBlock) -> None:
        """Take ``block`` out, and release it: its memory goes when the last user has left.

        Raises:
            ConfigError: it is not in the list.
        """
        with self._lock:
            rest = tuple(r for r in self._blocks if r() is not block)
            if len(rest) == len(self._blocks):
                raise ConfigError(f"RAM block {block.name!r} is not one of this machine's")
            self._blocks = rest
        for notifier in self._notifiers:
            notifier.block_removed(block)
        block.release()

    def set_used_length(self, block: RamBlock, used: int) -> None:
        """Change the length in use; ``used`` is whole pages and at most ``max_length``."""
        old, block.used_length = block.used_length, used
        for notifier in self._notifiers:
            notifier.block_resized(block, old, used)

    def find_offset(self, length: int) -> int:
        """Return where a block of ``length`` bytes goes: the smallest gap that is large enough.

        Raises:
            ConfigError: no gap is large enough.
        """
        blocks = list(self)
        if not blocks:
            return 0
        starts = [*sorted(b.offset for b in blocks), 1 << 64]
        best_offset, best_gap = None, 1 << 64
        for block in blocks:
            candidate = -(-(block.offset + block.max_length) // _ALIGN) * _ALIGN
            gap = starts[bisect_left(starts, min(candidate, 1 << 64))] - candidate
            if length <= gap < best_gap:
                best_offset, best_gap = candidate, gap
        if best_offset is None:
            raise ConfigError(f"Failed to find gap of requested size: {length}")
        return best_offset

    def find(self, ram_addr: int) -> RamBlock | None:
        """Return the block that holds an address of the ram address space."""
        for block in self:
            if block.offset <= ram_addr < block.offset + block.max_length:
                return block
        return None
