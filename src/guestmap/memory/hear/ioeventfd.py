"""The I/O event descriptors of one region: a guest's write that only rings a bell."""

from __future__ import annotations

import os
from bisect import insort
from collections.abc import Iterable
from contextlib import suppress
from operator import attrgetter
from typing import TYPE_CHECKING

from guestmap.base import ConfigError, StateError
from guestmap.base.named_tuple import NamedTuple

if TYPE_CHECKING:
    from guestmap.memory.map.flat_range import FlatRange


class EventNotifier:
    """A counter that can be waited for: an ``eventfd`` of the host. Close it when done."""

    __slots__ = ("fd",)

    def __init__(self) -> None:
        self.fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)

    def set(self) -> None:
        """Ring once more; one that has rung 2**64 - 2 times rings already.

        Raises:
            StateError: it is closed.
        """
        if self.fd < 0:
            raise StateError("the event notifier is closed: it cannot ring")
        with suppress(BlockingIOError):
            os.eventfd_write(self.fd, 1)

    def test_and_clear(self) -> bool:
        """Tell whether it rang since the last look."""
        try:
            return os.eventfd_read(self.fd) > 0
        except BlockingIOError:
            return False

    def fileno(self) -> int:
        """Return the descriptor, for ``select`` and hypervisors."""
        return self.fd

    def close(self) -> None:
        """Give the descriptor back."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1


class IoEventFd(NamedTuple):
    """A write that rings.

    Attributes:
        address: offset in the region, or in an address space.
        size: bytes that the write must have: 1, 2, 4 or 8; 0 for any.
        data: the value that it must have, or None for any.
        notifier: what rings.
    """

    address: int
    size: int
    data: int | None
    notifier: EventNotifier

    @property
    def order(self) -> tuple[int, int, bool, int, int]:
        """Sort key, QEMU's: address, size, data match, data, notifier."""
        return (
            self.address, self.size, self.data is not None, self.data or 0, id(self.notifier),
        )  # fmt: skip

    def rings_for(self, offset: int, value: int, size: int) -> bool:
        """Tell whether a write of ``size`` bytes rings."""
        return (
            self.address == offset
            and self.size in (0, size)
            and (self.data is None or self.data == value)
        )


LONGEST = 8
"""Bytes of the longest write."""

_order = attrgetter("order")


class RegionIoEventFds:
    """The event descriptors of one region, in order."""

    __slots__ = ("_list",)

    def __init__(self) -> None:
        self._list: list[IoEventFd] = []

    def __len__(self) -> int:
        return len(self._list)

    def add(self, each: IoEventFd) -> None:
        """Take in another one.

        Raises:
            ConfigError: a size that no access has, or data that does not fit the size.
        """
        if each.size not in (0, 1, 2, 4, 8):
            raise ConfigError(f"ioeventfd at 0x{each.address:x}: size {each.size} is no access")
        if each.data is not None and each.size and not 0 <= each.data < 1 << 8 * each.size:
            raise ConfigError(
                f"ioeventfd at 0x{each.address:x}: data 0x{each.data:x} is not {each.size} bytes"
            )
        insort(self._list, each, key=_order)

    def remove(self, each: IoEventFd) -> None:
        """Take one out.

        Raises:
            ConfigError: it is not there.
        """
        for index, present in enumerate(self._list):
            if present.order == each.order:
                del self._list[index]
                return
        raise ConfigError(f"there is no such ioeventfd at 0x{each.address:x}")

    def ring(self, offset: int, value: int, size: int) -> bool:
        """Ring for a write; tell whether anything is there that does, which ends the write.

        Where its owner has closed the notifier nobody hears it: the guest cannot help that.
        """
        for each in self._list:
            if each.rings_for(offset, value, size):
                with suppress(StateError, OSError):
                    each.notifier.set()
                return True
        return False

    def shown_in(self, part: FlatRange) -> Iterable[IoEventFd]:
        """Yield those that a range of a view shows, with addresses of that view."""
        shift = part.start - part.offset_in_region
        for each in self._list:
            address = each.address + shift
            if part.start < address + max(each.size, 1) and address < part.end:
                yield each._replace(address=address)
