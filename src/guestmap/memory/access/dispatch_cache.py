"""Remembered accesses: what a scalar access to a device comes down to, ready to be called.

Finding the range, checking sizes and byte order take microseconds and give the same each time, as
long as the view is the same. So a view remembers, by address and size, the device's own callback
with its arguments bound. What depends on more than address and size (attributes, results of the
device, what ``valid.accepts`` says) is not remembered. What is like memory, and is accessed at many
addresses, has one entry for each page, not for each address. Nothing is remembered of ranges that
are read-only: whether the region is so itself decides about its guard, and may change without a
change of the view.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from guestmap.memory.access.device import is_valid_size
from guestmap.memory.access.unaligned import needs_covering
from guestmap.memory.map.guard import (
    guarded_page_read,
    guarded_page_write,
    guarded_read,
    guarded_write,
)
from guestmap.memory.map.ops import Endianness, MemTxResult

if TYPE_CHECKING:
    from collections.abc import Callable

    from guestmap.memory.access.dispatch import Dispatch
    from guestmap.memory.map.flatview import FlatView
    from guestmap.memory.map.region import MemoryRegion

MAX_PLANS = 4096
PAGE = 4096
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
    if region.ops.like_memory and _has_page(view, address, offset):
        page = guarded_page_read(guard, region, address - offset, read)
        _remember(view, _page_key(address, size), page)
        return partial(page, address, size)
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
    if region.ops.like_memory and _has_page(view, address, offset):
        page = guarded_page_write(guard, region, address - offset, write, BLOCKED)
        _remember(view, ~_page_key(address, size), page)
        return partial(page, address)
    plan = (
        guarded_write(guard, region, offset, write, BLOCKED)
        if guard is not None
        else partial(write, offset)
    )
    _remember(view, ~(address << 4 | size), plan)
    return plan


def page_read(plans: dict[int, Any], address: int, size: int) -> Callable[[], int] | None:
    """Return the read that is remembered for all of an address's page, as of that address."""
    page = None if address & size - 1 else plans.get(_page_key(address, size))
    return None if page is None else partial(page, address, size)


def page_write(
    plans: dict[int, Any], address: int, size: int
) -> Callable[[int, int], object] | None:
    """Return the write that is remembered for all of an address's page, likewise."""
    page = None if address & size - 1 else plans.get(~_page_key(address, size))
    return None if page is None else partial(page, address)


def _page_key(address: int, size: int) -> int:
    """Return what aligned reads in a page are remembered under; writes under ``~`` that.

    It is no address's own: no access has size 0, or more than 8 bytes.
    """
    return ((address & -PAGE) << 4) + size + 8


def _has_page(view: FlatView, address: int, offset: int) -> bool:
    """Tell whether all of an address's page is a page of the region."""
    found, page = view.find(address), address & -PAGE
    return (
        found is not None
        and found.start <= page
        and page + PAGE <= found.end
        and (address - offset) % PAGE == 0
    )


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
