"""Dirty logs: which pages of a RAM block were written since a client last looked.

Three clients look independently, as in QEMU: a display (VGA), engines with translated code (CODE),
and migration. A client that never looked sees every page dirty, and costs nothing: its bitmap is
made when it first clears. From then on each host write marks pages; writes that a CPU makes
straight to host memory are the engine's to report (``MemoryListener.log_sync``).
"""

from __future__ import annotations

import threading
from enum import IntEnum
from typing import TYPE_CHECKING

from guestmap.base import ConfigError

if TYPE_CHECKING:
    from guestmap.memory.ram.block import RamBlock

PAGE_BITS = 12
PAGE_SIZE = 1 << PAGE_BITS
_WORD_PAGES = 64
"""A look takes whole words of this many pages, so that hypervisors can follow (QEMU too)."""


class DirtyClient(IntEnum):
    """Who looks; the bit of ``dirty_log_mask`` is ``1 << client``."""

    VGA = 0
    CODE = 1
    MIGRATION = 2

    @property
    def mask(self) -> int:
        """The client's bit in a log mask."""
        return 1 << self


class DirtySnapshot:
    """The dirty pages of a part of a block, as they were when they were cleared.

    Attributes:
        start, end: bytes of the block that it covers; at least what was asked for.
    """

    __slots__ = ("_bits", "end", "start")

    def __init__(self, start: int, end: int, bits: bytes) -> None:
        self.start = start
        self.end = end
        self._bits = bits

    def is_dirty(self, offset: int, length: int = 1) -> bool:
        """Tell whether any page of ``length`` bytes at ``offset`` of the block was dirty.

        Raises:
            ConfigError: the snapshot does not cover them.
        """
        if not self.start <= offset or offset + length > self.end:
            raise ConfigError(
                f"bytes 0x{offset:x} to 0x{offset + length:x} are outside this snapshot of"
                f" 0x{self.start:x} to 0x{self.end:x}"
            )
        base = self.start >> PAGE_BITS
        first = (offset >> PAGE_BITS) - base
        last = (offset + max(length, 1) - 1 >> PAGE_BITS) - base
        return any(self._bits[page >> 3] >> (page & 7) & 1 for page in range(first, last + 1))

    def pages(self) -> list[int]:
        """Return the offsets of the dirty pages, in bytes from the start of the block."""
        return [
            self.start + (page << PAGE_BITS)
            for page in range((self.end - self.start) >> PAGE_BITS)
            if self._bits[page >> 3] >> (page & 7) & 1
        ]


class DirtyLog:
    """The bitmaps of one RAM block; one bit for each page of 4 KiB."""

    __slots__ = ("_bitmaps", "_block", "_lock")

    def __init__(self, block: RamBlock) -> None:
        self._block = block
        self._bitmaps: dict[DirtyClient, bytearray] = {}
        self._lock = threading.Lock()

    def mark(self, offset: int, length: int, clients: int = 0b111) -> None:
        """Mark the pages of ``length`` bytes at ``offset`` dirty for some clients (a mask)."""
        if length <= 0:
            return
        first, last = offset >> PAGE_BITS, offset + length - 1 >> PAGE_BITS
        for client, bitmap in self._bitmaps.items():
            if clients >> client & 1:
                with self._lock:
                    _set_bits(bitmap, first, min(last, len(bitmap) * 8 - 1))

    def is_dirty(self, client: DirtyClient, offset: int, length: int = 1) -> bool:
        """Tell whether any page of ``length`` bytes at ``offset`` is dirty."""
        bitmap = self._bitmaps.get(client)
        if bitmap is None:
            return True
        first, last = offset >> PAGE_BITS, offset + max(length, 1) - 1 >> PAGE_BITS
        return any(bitmap[page >> 3] >> (page & 7) & 1 for page in range(first, last + 1))

    def snapshot_and_clear(self, client: DirtyClient, offset: int, length: int) -> DirtySnapshot:
        """Return which pages are dirty, and make them clean, in one step.

        What is taken is widened to whole words of 64 pages, or to the block's end.
        """
        word = _WORD_PAGES << PAGE_BITS
        start = offset // word * word
        end = min(-(-(offset + length) // word) * word, self._block.max_length)
        low, high = start >> PAGE_BITS + 3, -(-end >> PAGE_BITS + 3)
        with self._lock:
            bitmap = self._bitmap_of(client)
            bits = bytes(bitmap[low:high])
            bitmap[low:high] = bytes(len(bits))
        return DirtySnapshot(start, end, bits)

    def forget(self, client: DirtyClient) -> None:
        """Stop keeping a bitmap for ``client``: all is dirty to it again, and costs nothing."""
        if self._bitmaps.pop(client, None) is not None and not self._bitmaps:
            self._block.remove_watcher(self._written)

    def _bitmap_of(self, client: DirtyClient) -> bytearray:
        bitmap = self._bitmaps.get(client)
        if bitmap is None:
            pages = -(-self._block.max_length >> PAGE_BITS)
            bitmap = bytearray(b"\xff") * -(-pages // 8)
            if not self._bitmaps:
                self._block.add_watcher(self._written)
            self._bitmaps = {**self._bitmaps, client: bitmap}
        return bitmap

    def _written(self, offset: int, length: int) -> None:
        self.mark(offset, length)


def _set_bits(bitmap: bytearray, first: int, last: int) -> None:
    """Set the bits ``first`` to ``last`` of a bitmap."""
    low, high = first >> 3, last >> 3
    low_mask, high_mask = 0xFF << (first & 7) & 0xFF, 0xFF >> 7 - (last & 7)
    if low == high:
        bitmap[low] |= low_mask & high_mask
        return
    bitmap[low] |= low_mask
    bitmap[low + 1 : high] = b"\xff" * (high - low - 1)
    bitmap[high] |= high_mask
