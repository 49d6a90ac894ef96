"""The pages that a guest wrote, as each of its vCPUs tells them in a ring of its own.

A look costs what was written, not what there is; a ring that fills up lets the guest wait. What is
taken out is taken into the logs of the RAM blocks at once, and the kernel notes the next write to
it again. Source: Documentation/virt/kvm/api.rst, section 8.29, and ``struct kvm_dirty_gfn``.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from guestmap.accel.kvm.abi import (
    DIRTY_GFN,
    DIRTY_RING_PAGE,
    ENABLE,
    ENABLE_CAP,
    PAGE,
    RESET_DIRTY_RINGS,
    SPACE_SHIFT,
    Cap,
    RingFlag,
)
from guestmap.base import ConfigError, UnsupportedError

if TYPE_CHECKING:
    import mmap
    from collections.abc import Callable, Sequence
    from contextlib import AbstractContextManager

    from guestmap.accel.kvm.caps import Features
    from guestmap.accel.kvm.kernel import Handle
    from guestmap.accel.kvm.slot_table import LiveSlot, SlotTable

LEAST_ENTRIES = 1024
"""Fewer than QEMU takes would be full of what the kernel itself may write at once."""


class DirtyRings:
    """The rings of one VM, whose vCPUs are still to come.

    Args:
        vm: the VM.
        features: what the kernel can do.
        tables: the slots of each of its address spaces.
        entries: of each ring: a power of two.
        alone: keeps all vCPUs out of the guest: a processor tells of some pages only as it leaves.

    Raises:
        ConfigError: ``entries`` is no such number, or more than the kernel takes.
        UnsupportedError: the kernel has no rings.
    """

    def __init__(
        self,
        vm: Handle,
        features: Features,
        tables: Sequence[SlotTable],
        entries: int,
        alone: Callable[[], AbstractContextManager[None]],
    ) -> None:
        most = features.caps[Cap.DIRTY_LOG_RING] // DIRTY_GFN.size
        if not most:
            raise UnsupportedError(f"{vm.what}: this host's KVM has no dirty rings")
        if entries & (entries - 1) or not LEAST_ENTRIES <= entries <= most:
            raise ConfigError(
                f"dirty-ring-size {entries}: give a power of two from {LEAST_ENTRIES} to {most}"
            )
        self._vm = vm
        self._tables = tables
        self._size = entries * DIRTY_GFN.size
        self._alone = alone
        self._rings: list[_Ring] = []
        self._taking = threading.Lock()
        cap = Cap.DIRTY_LOG_RING
        vm.call(ENABLE_CAP, ENABLE.pack(cap, 0, self._size, 0, 0, 0), cap.name)

    def attach(self, vcpu: Handle) -> None:
        """Take a new vCPU's ring.

        Raises:
            HostError: the host refuses.
        """
        self._rings.append(_Ring(vcpu.map(self._size, DIRTY_RING_PAGE * PAGE)))

    def fetch(self, live: LiveSlot) -> None:
        """Mark all pages that the guest wrote since the last look, if the slot is logged.

        Raises:
            HostError: the kernel refuses.
        """
        if live.slot.logged:
            with self._alone():
                self.take()

    def take(self) -> None:
        """Mark what is in the rings, and let the kernel have them again.

        Raises:
            HostError: the kernel refuses.
        """
        with self._taking:
            taken = 0
            for ring in self._rings:
                for number, page in ring.take():
                    taken += 1
                    self._mark(number, page)
            if taken:
                self._vm.call(RESET_DIRTY_RINGS)

    def _mark(self, number: int, page: int) -> None:
        table = self._tables[number >> SPACE_SHIFT]
        live = table.numbered.get(number & (1 << SPACE_SHIFT) - 1)
        if live is not None:
            live.slot.block.dirty.mark(live.slot.offset + page * PAGE, PAGE)

    def clear(self, live: LiveSlot, start: int, end: int) -> None:
        """Do nothing: what was taken is noted again already."""

    def count(self, live: LiveSlot) -> int | None:
        """Return None: to look would be to take."""
        del live
        return None

    def close(self) -> None:
        """Let go of the rings."""
        with self._taking:
            for ring in self._rings:
                ring.close()
            self._rings.clear()


class _Ring:
    """One vCPU's ring."""

    def __init__(self, memory: mmap.mmap | bytearray) -> None:
        self._memory = memory
        self._entries = len(memory) // DIRTY_GFN.size
        self._next = 0

    def take(self) -> list[tuple[int, int]]:
        """Return the slot's number, and the page in it, of each entry that is new."""
        memory = self._memory
        taken: list[tuple[int, int]] = []
        while True:
            at = self._next * DIRTY_GFN.size
            flags, number, page = DIRTY_GFN.unpack_from(memory, at)
            if not flags & RingFlag.DIRTY:
                return taken
            taken.append((number, page))
            memory[at : at + 4] = RingFlag.RESET.to_bytes(4, "little")
            self._next = (self._next + 1) % self._entries

    def close(self) -> None:
        if not isinstance(self._memory, bytearray):
            self._memory.close()
