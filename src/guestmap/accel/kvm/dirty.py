"""The kernel's log of the pages that a guest wrote, taken into the logs of the RAM blocks.

What is not the guest's (our own devices, the monitor) is never in it: whoever writes through an
address space marks the pages itself. Source: Documentation/virt/kvm/api.rst, sections 4.8, 4.117
and 8.12.
"""

from __future__ import annotations

import ctypes
from typing import TYPE_CHECKING

from guestmap.accel.kvm.abi import (
    CLEAR_DIRTY_LOG,
    CLEAR_LOG,
    DIRTY_LOG,
    ENABLE,
    ENABLE_CAP,
    GET_DIRTY_LOG,
    MANUAL_PROTECT_ENABLE,
    PAGE,
    SPACE_SHIFT,
    Cap,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from guestmap.accel.kvm.caps import Features
    from guestmap.accel.kvm.kernel import Handle
    from guestmap.accel.kvm.slot_table import LiveSlot

_WORD_PAGES = 64
_WORD_BYTES = 8


class DirtyPages:
    """The dirty log of one VM's slots.

    Where the kernel can, looking and clearing are two steps: a page that is looked at costs the
    guest nothing until somebody has taken it. Elsewhere a look clears. Only what was looked at is
    cleared: a page that the guest writes between the two steps is there at the next look.

    Args:
        vm: the VM.
        features: what the kernel can do.
        space: in which of its address spaces the slots are.
    """

    def __init__(self, vm: Handle, features: Features, space: int = 0) -> None:
        self._vm = vm
        self._space = space << SPACE_SHIFT
        self._seen: dict[int, tuple[LiveSlot, bytearray]] = {}
        self.clears_apart = bool(
            features.caps[Cap.MANUAL_DIRTY_LOG_PROTECT2] & MANUAL_PROTECT_ENABLE
        )
        if self.clears_apart:
            cap = Cap.MANUAL_DIRTY_LOG_PROTECT2
            vm.call(ENABLE_CAP, ENABLE.pack(cap, 0, MANUAL_PROTECT_ENABLE, 0, 0, 0), cap.name)

    def fetch(self, live: LiveSlot) -> None:
        """Mark the pages that the guest wrote since the last look, if the slot is logged.

        Raises:
            HostError: the kernel refuses.
        """
        number, slot = live
        if not slot.logged:
            return
        bitmap = self._look(live)
        if self.clears_apart:
            self._seen[number] = live, bitmap
        for first, end in _runs(bitmap):
            slot.block.dirty.mark(slot.offset + first * PAGE, (end - first) * PAGE)

    def count(self, live: LiveSlot) -> int | None:
        """Return how many pages :meth:`fetch` would mark; None where a look would clear them.

        Raises:
            HostError: the kernel refuses.
        """
        if not live.slot.logged or not self.clears_apart:
            return None
        return int.from_bytes(self._look(live), "little").bit_count()

    def _look(self, live: LiveSlot) -> bytearray:
        number, slot = live
        bitmap = bytearray(_words(slot.size) * _WORD_BYTES)
        self._vm.call(
            GET_DIRTY_LOG, DIRTY_LOG.pack(self._space | number, _address(bitmap)), str(slot)
        )
        return bitmap

    def clear(self, live: LiveSlot, start: int, end: int) -> None:
        """Have the next write to each page between two addresses be noted again.

        Raises:
            HostError: the kernel refuses.
        """
        number, slot = live
        seen_of, seen = self._seen.get(number, (None, bytearray()))
        first = (max(start, slot.start) - slot.start) // PAGE
        stop = -(-(min(end, slot.end) - slot.start) // PAGE)
        if seen_of != live or first >= stop:
            return
        # Words of 64 pages, the slot's last one as short as it is; other pages' bits stay.
        low = first // _WORD_PAGES * _WORD_PAGES
        count = min(-(-stop // _WORD_PAGES) * _WORD_PAGES, slot.size // PAGE) - low
        at = slice(low // 8, low // 8 + _words(count * PAGE) * _WORD_BYTES)
        taken = int.from_bytes(seen[at], "little") & (1 << stop - low) - (1 << first - low)
        if not taken:
            return
        bitmap = bytearray(taken.to_bytes(at.stop - at.start, "little"))
        request = bytearray(CLEAR_LOG.pack(self._space | number, count, low, _address(bitmap)))
        self._vm.call(CLEAR_DIRTY_LOG, request, str(slot))
        left = int.from_bytes(seen[at], "little") & ~taken
        seen[at] = left.to_bytes(at.stop - at.start, "little")


def _words(size: int) -> int:
    return -(-size // (PAGE * _WORD_PAGES))


def _address(buffer: bytearray) -> int:
    return ctypes.addressof(ctypes.c_char.from_buffer(buffer))


def _runs(bitmap: bytearray) -> Iterator[tuple[int, int]]:
    """Yield the first of each run of bits that are set, and the bit after; words are cut apart."""
    for number, word in enumerate(memoryview(bitmap).cast("Q")):
        at = number * _WORD_PAGES
        while word:
            zeros = (word & -word).bit_length() - 1
            ones = (~(word >> zeros) & (word >> zeros) + 1).bit_length() - 1
            yield at + zeros, at + zeros + ones
            word = word >> zeros + ones
            at += zeros + ones
