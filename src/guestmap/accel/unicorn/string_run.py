"""A run of equal accesses, to a device that is like memory: found, and made."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from guestmap.base.named_tuple import NamedTuple
from guestmap.memory.access.dispatch_cache import page_read, page_write
from guestmap.memory.map.guard import guarded

if TYPE_CHECKING:
    from guestmap.memory import AddressSpace
    from guestmap.memory.map.flat_range import FlatRange
    from guestmap.memory.map.flatview import FlatView


class StringRun(NamedTuple):
    """So many elements, from one physical address on, or all the same, to another one.

    Attributes:
        target, source: the addresses; no source: all are the same.
        elements: how many.
        to, come: the ranges that answer at all of both.
    """

    target: int
    source: int | None
    elements: int
    to: FlatRange
    come: FlatRange | None


def find_run(
    memory: AddressSpace, target: int, source: int | None, count: int, size: int, width: int
) -> StringRun | None:
    """Return the run if a device that is like memory takes all of it, and it or memory gives it.

    Ways that are remembered say that an access is one call of the device, and nothing more;
    there is none where it is not aligned.

    Args:
        memory: what the CPU sees.
        target: the physical address that is written first.
        source: the one that is read first; None: one value is written everywhere.
        count: elements.
        size: of each, in bytes.
        width: of the accesses that it is made of, in bytes.
    """
    view = memory.source.view
    to = _all_of(view, target, count, size)
    if to is None or not to.region.ops.like_memory:
        return None
    if page_write(view.plans, target, width) is None:
        return None
    if source is None:
        return StringRun(target, None, count, to, None)
    come = _all_of(view, source, count, size)
    if come is None or not (come.reads_directly or _is_read_by_pages(come, view, source, width)):
        return None
    return StringRun(target, source, count, to, come)


def do_at_once(memory: AddressSpace, run: StringRun, size: int, value: bytes) -> bool:
    """Have the device itself take all of a run, if it can, and tell whether it has.

    It comes from the device's own region, from memory that is not its own, or is one value.

    Args:
        memory: what the CPU sees.
        run: the run.
        size: of an element, in bytes.
        value: what is written where the run has no source.
    """
    target, source, count, to, come = run
    region, shift, length = to.region, to.offset_in_region - to.start, count * size
    write, move = region.ops.write_run, region.ops.move_run
    if write is None:
        return False
    if source is None or come is None:
        change = partial(write, target + shift, value * count)
    elif come is to:
        if move is None or source < target < source + length:
            return False
        change = partial(move, target + shift, source + shift, count, size)
    elif come.reads_directly and come.region.owner is not region.owner:
        change = partial(write, target + shift, memory.read(source, length))
    else:
        return False
    guard = region.active_guard
    return change() if guard is None else guarded(guard, region, target + shift, change, False)


def do_one(memory: AddressSpace, run: StringRun, at: int, size: int, value: bytes) -> None:
    """Make the access of a run that is so many bytes from its begin; the rest is as above."""
    if run.source is None:
        element = int.from_bytes(value, "little")
    else:
        element = memory.load(run.source + at, size)
    write = page_write(memory.source.view.plans, run.target + at, size)
    if write is None:
        memory.store(run.target + at, size, element)
    else:
        write(element, size)


def _all_of(view: FlatView, begin: int, count: int, size: int) -> FlatRange | None:
    """Return the range that answers at all of some accesses, if it is one."""
    found = view.find(begin)
    return found if found is not None and begin + count * size <= found.end else None


def _is_read_by_pages(found: FlatRange, view: FlatView, address: int, size: int) -> bool:
    return found.region.ops.like_memory and page_read(view.plans, address, size) is not None
