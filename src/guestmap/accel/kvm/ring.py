"""Writes that the kernel holds back in a ring, because nobody needs them at once.

A zone that the kernel does not take (it has as many as it can) is no loss: its writes come out one
by one. How many the ring takes differs, and a write that finds it full comes out while others wait:
so the ring is emptied after every KVM_RUN, before anything else is done. Source:
Documentation/virt/kvm/api.rst, section 4.116, and ``struct kvm_coalesced_mmio_ring``.
"""

from __future__ import annotations

import threading
from struct import Struct
from typing import TYPE_CHECKING, NamedTuple

from guestmap.accel.kvm.abi import (
    PAGE,
    REGISTER_COALESCED_MMIO,
    UNREGISTER_COALESCED_MMIO,
    ZONE,
    Cap,
)
from guestmap.base import HostError
from guestmap.memory import MemoryListener
from guestmap.memory.hear import PRIORITY_ACCEL

if TYPE_CHECKING:
    import mmap
    from collections.abc import Iterator

    from guestmap.accel.counters import Counters
    from guestmap.accel.kvm.caps import Features
    from guestmap.accel.kvm.kernel import Handle
    from guestmap.memory import AddressSpace, MemoryRegionSection

_HEADER = Struct("<II")  # first: the oldest write; last: where the next one goes
_ENTRY = Struct("<QII8s")  # address, bytes, whether it is a port, the bytes
_ENTRIES = (PAGE - _HEADER.size) // _ENTRY.size


class HeldBack(NamedTuple):
    """One write that waited in the ring."""

    address: int
    data: bytes
    is_port: bool


class CoalescedRing:
    """The ring of one VM; without a page it is empty for ever.

    Args:
        memory, io: where the writes go.
        counters: what is done is counted there.

    Attributes:
        flush: has all rings of the machine drained, this one among them; never inside itself.
    """

    def __init__(self, memory: AddressSpace, io: AddressSpace, counters: Counters) -> None:
        self._memory = memory
        self._io = io
        self._counters = counters
        self._page: memoryview | None = None
        self._taking = threading.Lock()
        self.flush = memory.dispatch.coalesced.flush

    def attach(self, shared: mmap.mmap | bytearray, features: Features) -> None:
        """Take the ring's page out of what a vCPU shares with the kernel."""
        at = features.caps[Cap.COALESCED_MMIO] * PAGE
        if at:
            self._page = memoryview(shared)[at : at + PAGE]

    def close(self) -> None:
        """Touch the page no more."""
        with self._taking:
            if self._page is not None:
                self._page.release()
                self._page = None

    @property
    def waiting(self) -> bool:
        """Whether a write is held back."""
        page = self._page
        return page is not None and page[:4] != page[4:8]

    def drain(self) -> None:
        """Carry out all that is held back, oldest first."""
        for each in self._taken():
            if each.is_port:
                self._counters.port_writes += 1
                self._io.write(each.address, each.data)
            else:
                self._counters.mmio_writes += 1
                self._memory.write(each.address, each.data)

    def _taken(self) -> Iterator[HeldBack]:
        while (each := self._take()) is not None:
            yield each

    def _take(self) -> HeldBack | None:
        """Take the oldest write out; a device that it reaches may have the next ones taken."""
        with self._taking:
            page = self._page
            if page is None:
                return None
            first, last = _HEADER.unpack_from(page)
            if first == last or first >= _ENTRIES:
                return None
            entry = _HEADER.size + first * _ENTRY.size
            address, length, is_port, data = _ENTRY.unpack_from(page, entry)
            page[:4] = ((first + 1) % _ENTRIES).to_bytes(4, "little")
            return HeldBack(address, data[:length], bool(is_port))


class Zones(MemoryListener):
    """Keeps the kernel's zones, whose writes it holds back, in step with one address space.

    Args:
        vm: the VM.
        features: what the kernel can do.
        ports: whether the address space is that of ports.
    """

    priority = PRIORITY_ACCEL

    def __init__(self, vm: Handle, features: Features, *, ports: bool) -> None:
        self._vm = vm
        self._ports = ports
        self._there = features.has(Cap.COALESCED_PIO if ports else Cap.COALESCED_MMIO)
        self._zones: set[bytes] = set()
        self.name = "kvm-io-zones" if ports else "kvm-zones"

    def coalesced_io_add(self, section: MemoryRegionSection, address: int, size: int) -> None:
        """Have writes be held back from now on."""
        del section
        zone = ZONE.pack(address, size, self._ports)
        if not self._there or zone in self._zones:
            return
        try:
            self._vm.call(REGISTER_COALESCED_MMIO, zone, f"a zone at 0x{address:x}")
        except HostError:
            return
        self._zones.add(zone)

    def coalesced_io_del(self, section: MemoryRegionSection, address: int, size: int) -> None:
        """Have them come out again, by the zone's own bounds: the kernel does not look closely."""
        del section
        zone = ZONE.pack(address, size, self._ports)
        if zone in self._zones:
            self._zones.remove(zone)
            if self._vm.fd >= 0:
                self._vm.call(UNREGISTER_COALESCED_MMIO, zone, f"the zone at 0x{address:x}")
