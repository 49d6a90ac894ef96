"""Remembered accesses: what a scalar access to a device comes down to, ready to be called.

Finding the range, checking sizes and byte order take microseconds and give the same each time, as
long as the view is the same. So a view remembers, by address and size, the device's own callback
with its arguments bound. What depends on more than address and size (attributes, results of the
device, what ``valid.accepts`` says) is not remembered. Nothing is remembered of ranges that are
read-only: whether the region is so itself decides about its guard, and may change without a change
of the view.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from guestmap.memory.access.device import is_valid_size
from guestmap.memory.access.unaligned import needs_covering
from guestmap.memory.map.guard import guarded_read, guarded_write
from guestmap.memory.map.ops import Endianness, MemTxResult

if TYPE_CHECKING:
    from collections.abc import Callable

    from guestmap.memory.access.dispatch import Dispatch
    from guestmap.memory.map.flatview import FlatView
    from guestmap.memory.map.region import MemoryRegion

MAX_PLANS = 4096
BLOCKED = MemTxResult.ACCESS_ERROR


def plan_read(
    dispatch: Dispatch, view: FlatView, address: int, region: MemoryRegion, offset: int, size: int
) -> Callable[[], int] | None:
    """Return a read, remembered under ``address << 4 | size``, if one access is one call always.

    It returns what the device does, which may be no number; 0 where its guard refuses.
    """
    read = region.ops.read
    if (
        read is None
        or region.ops.valid.accepts is not None  # it may look at the device's state
        or not _is_plain(dispatch, region, offset, size, False)
    ):
        return None
    guard = region.active_guard
    plan = (
        guarded_read(guard, region, offset, size, read)
        if guard is not None
        else partial(read, offset, size)
    )
    _remember(view, address << 4 | size, plan)
    return plan


def plan_write(
    dispatch: Dispatch, view: FlatView, address: int, region: MemoryRegion, offset: int, size: int
) -> Callable[[int, int], object] | None:
    """Return a write of value and size, remembered under ``~(address << 4 | size)``, likewise.

    One that returns ``BLOCKED`` has written nothing; what else it returns means nothing.
    """
    write = region.ops.write
    if (
        write is None
        or region.ops.valid.accepts is not None  # it may look at the attributes
        or not _is_plain(dispatch, region, offset, size, True)
    ):
        return None
    guard = region.active_guard
    plan = (
        guarded_write(guard, region, offset, write, BLOCKED)
        if guard is not None
        else partial(write, offset)
    )
    _remember(view, ~(address << 4 | size), plan)
    return plan


def _remember(view: FlatView, key: int, plan: object) -> None:
    if len(view.plans) > MAX_PLANS:
        view.plans.clear()
    view.plans[key] = plan


def _is_plain(
    dispatch: Dispatch, region: MemoryRegion, offset: int, size: int, is_write: bool
) -> bool:
    """Tell whether one access is one call of the callback, every time."""
    ops = region.ops
    return (
        ops.endianness is not Endianness.BIG
        and not dispatch.coalesced.flushes(region)
        and not (is_write and dispatch.ioeventfds.of(region))
        and (ops.impl.min or 1) <= size <= (ops.impl.max or 4)
        and not needs_covering(ops, offset, size)
        and is_valid_size(ops, offset, size)
    )
