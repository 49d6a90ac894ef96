"""The guard against a device that reaches its own registers through its own DMA.

A guest can program a device to copy to where the device itself answers. The callback then runs
inside itself, with its state half changed: a class of holes in QEMU (CVE-2021-3750 and others)
until it got this guard. While a callback of one of a device's regions runs, an access to any I/O
region of the same device ends with ACCESS_ERROR. Which device a region belongs to is its owner:
the object, not what it equals.

The guard is one number, because it is passed on every access: how many callbacks are running. It
does not know threads, so who finds it above 0 asks the stack whether one of them is running in this
very thread; the callback of another thread is none of the guard's business. It is a number and not
a flag, so that a thread that leaves the device does not open it for one that is still inside.
(CPython switches threads between calls and loops, not within ``+= 1``.)
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar
from weakref import WeakValueDictionary

from guestmap.base.named_tuple import NamedTuple

if TYPE_CHECKING:
    from guestmap.memory.map.region import MemoryRegion

T = TypeVar("T")


class ReentryBlocked(NamedTuple):
    """An access that was refused because its device was in the middle of another one.

    Attributes:
        owner: the device.
        region: the region that was accessed.
        offset: in the region, in bytes.
    """

    owner: object
    region: MemoryRegion
    offset: int


class DeviceGuard:
    """The guard of one device.

    Attributes:
        owner: the device.
        engaged: how many callbacks of the device are running, in all threads.
        blocked: how many accesses were refused.
    """

    __slots__ = ("__weakref__", "_guards", "blocked", "engaged", "owner")

    def __init__(self, guards: DeviceGuards, owner: object) -> None:
        self._guards = guards
        self.owner = owner
        self.engaged = 0
        self.blocked = 0

    def refuses(self, region: MemoryRegion, offset: int) -> bool:
        """Tell whether to refuse an access, for one who found ``engaged`` above 0.

        Only the first refusal of each device is told: a guest can cause as many as it likes.
        """
        if not _is_running_here(self):
            return False
        self.blocked += 1
        if self.blocked == 1:
            self._guards.tell(ReentryBlocked(self.owner, region, offset))
        return True


class DeviceGuards:
    """The guards of one machine.

    Attributes:
        subscribers: called with the first refused access of each device.
    """

    __slots__ = ("_guards", "subscribers")

    def __init__(self) -> None:
        # By identity: a guard keeps its owner alive, so the number stays the owner's.
        self._guards: WeakValueDictionary[int, DeviceGuard] = WeakValueDictionary()
        self.subscribers: list[Callable[[ReentryBlocked], None]] = []

    def of(self, owner: object) -> DeviceGuard | None:
        """Return the guard of a device; None for None, which is no device."""
        if owner is None:
            return None
        guard = self._guards.get(id(owner))
        if guard is None:
            guard = self._guards[id(owner)] = DeviceGuard(self, owner)
        return guard

    def tell(self, event: ReentryBlocked) -> None:
        """Log a refused access and call the subscribers."""
        import logging

        logging.getLogger(__name__).warning(
            "blocked re-entrant access to region %s at offset 0x%x", event.region.name, event.offset
        )
        for subscriber in tuple(self.subscribers):
            subscriber(event)


def guarded(
    guard: DeviceGuard, region: MemoryRegion, offset: int, access: Callable[[], T], refused: T
) -> T:
    """Return what ``access`` returns, or ``refused``."""
    if guard.engaged and guard.refuses(region, offset):
        return refused
    guard.engaged += 1
    try:
        return access()
    finally:
        guard.engaged -= 1


def guarded_read(
    guard: DeviceGuard,
    region: MemoryRegion,
    offset: int,
    size: int,
    read: Callable[[int, int], int],
) -> Callable[[], int]:
    """Return a function that reads ``size`` bytes, or 0 where that is refused."""

    def call() -> int:
        if guard.engaged and guard.refuses(region, offset):
            return 0
        guard.engaged += 1
        try:
            return read(offset, size)
        finally:
            guard.engaged -= 1

    return call


def guarded_write(
    guard: DeviceGuard,
    region: MemoryRegion,
    offset: int,
    write: Callable[[int, int, int], None],
    refused: T,
) -> Callable[[int, int], T | None]:
    """Return a function of value and size that writes; it returns ``refused`` where it must not."""

    def call(value: int, size: int) -> T | None:
        if guard.engaged and guard.refuses(region, offset):
            return refused
        guard.engaged += 1
        try:
            write(offset, value, size)
        finally:
            guard.engaged -= 1
        return None

    return call


def guarded_page_read(
    guard: DeviceGuard | None, region: MemoryRegion, begin: int, read: Callable[[int, int], int]
) -> Callable[[int, int], int]:
    """Return a function of address and size that reads, or returns 0 where that is refused.

    ``begin`` is the address of the region's first byte.
    """

    def call(address: int, size: int) -> int:
        if guard is None:
            return read(address - begin, size)
        if guard.engaged and guard.refuses(region, address - begin):
            return 0
        guard.engaged += 1
        try:
            return read(address - begin, size)
        finally:
            guard.engaged -= 1

    return call


def guarded_page_write(
    guard: DeviceGuard | None,
    region: MemoryRegion,
    begin: int,
    write: Callable[[int, int, int], None],
    refused: T,
) -> Callable[[int, int, int], T | None]:
    """Return a function of address, value and size that writes, likewise."""

    def call(address: int, value: int, size: int) -> T | None:
        if guard is None:
            write(address - begin, value, size)
            return None
        if guard.engaged and guard.refuses(region, address - begin):
            return refused
        guard.engaged += 1
        try:
            write(address - begin, value, size)
        finally:
            guard.engaged -= 1
        return None

    return call


def _is_running_here(guard: DeviceGuard) -> bool:
    """Tell whether a function of this module is calling back for ``guard`` in this thread."""
    asking = sys._getframe(2)
    frame = asking.f_back
    while frame is not None:
        if frame.f_globals is asking.f_globals and frame.f_locals.get("guard") is guard:
            return True
        frame = frame.f_back
    return False
