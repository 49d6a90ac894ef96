"""How accesses reach the devices of one machine: who may, what rings, what is flushed before."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from guestmap.memory.access.device import device_order, is_valid, read_device, write_device
from guestmap.memory.map.guard import guarded
from guestmap.memory.map.ops import MemTxAttrs, MemTxResult

if TYPE_CHECKING:
    from guestmap.memory.access.bounce import BouncePool
    from guestmap.memory.hear.coalesced import CoalescedMmio
    from guestmap.memory.hear.ioeventfds import IoEventFds
    from guestmap.memory.map.flat_range import FlatRange
    from guestmap.memory.map.region import MemoryRegion
    from guestmap.memory.map.space import ViewedSpace

OK = MemTxResult.OK


class Dispatch:
    """How accesses reach the devices of one machine, and what is consulted on the way.

    Attributes:
        enforce_readonly: whether memory that a parent makes read-only refuses an address space's
            writes.
        ioeventfds: writes that ring instead of reaching a callback.
        coalesced: writes that are held back, and what flushes them.
        bounce_pools: of the address spaces that have mapped what is no memory.
    """

    __slots__ = ("bounce_pools", "coalesced", "enforce_readonly", "ioeventfds")

    def __init__(
        self, enforce_readonly: bool, ioeventfds: IoEventFds, coalesced: CoalescedMmio
    ) -> None:
        self.enforce_readonly = enforce_readonly
        self.ioeventfds = ioeventfds
        self.coalesced = coalesced
        self.bounce_pools: dict[ViewedSpace, BouncePool] = {}

    def read(
        self, region: MemoryRegion, offset: int, size: int, attrs: MemTxAttrs
    ) -> tuple[int, MemTxResult]:
        """Read ``size`` bytes (1, 2, 4, 8) from a device; the value is in little-endian order."""
        if attrs.memory and not region.ram:
            return 0, MemTxResult.ACCESS_ERROR
        if not is_valid(region.ops, offset, size, False, attrs):
            return 0, MemTxResult.DECODE_ERROR
        if self.coalesced.flushes(region):
            self.coalesced.flush()
        guard = region.active_guard
        if guard is None:
            return read_device(region, offset, size, attrs)
        access = partial(read_device, region, offset, size, attrs)
        return guarded(guard, region, offset, access, (0, MemTxResult.ACCESS_ERROR))

    def write(
        self, region: MemoryRegion, offset: int, value: int, size: int, attrs: MemTxAttrs
    ) -> MemTxResult:
        """Write ``size`` bytes (1, 2, 4, 8), given as a little-endian value, to a device."""
        if attrs.memory and not region.ram:
            return MemTxResult.ACCESS_ERROR
        if not is_valid(region.ops, offset, size, True, attrs):
            return MemTxResult.DECODE_ERROR
        if self.coalesced.flushes(region):
            self.coalesced.flush()
        ringing = self.ioeventfds.of(region)
        if ringing and ringing.ring(offset, device_order(region, value, size), size):
            return OK
        guard = region.active_guard
        if guard is None:
            return write_device(region, offset, value, size, attrs)
        access = partial(write_device, region, offset, value, size, attrs)
        return guarded(guard, region, offset, access, MemTxResult.ACCESS_ERROR)

    def refuses_writes(self, found: FlatRange) -> bool:
        """Tell whether writes vanish: into ROM, and into memory that a parent makes read-only."""
        region = found.region
        if self.enforce_readonly:
            return found.readonly and (region.ram or found.reads_directly)
        return region.readonly and region.ram and not region.ram_device
