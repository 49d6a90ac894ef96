"""A split virtqueue: descriptors, what the driver makes available, what the device has used.

OASIS virtio specification 1.2, section 2.7; the order in which things are looked at, and what is
wrong with what, is QEMU 7.2's. All of it lies in the guest's memory and may be anything: a fault is
told to the device, which is broken from then on until it is reset.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from guestmap.base.dataclass import dataclass
from guestmap.base.named_tuple import NamedTuple
from guestmap.hw.device import U16, U64

if TYPE_CHECKING:
    from collections.abc import Iterator

    from guestmap.memory import AddressSpace

LARGEST = 1024
_DESCRIPTOR = struct.Struct("<QIHH")
_NEXT, _WRITE, _INDIRECT = 1, 2, 4
_NO_INTERRUPT = 1
_AVAIL_RING, _USED_RING, _USED_ENTRY = 4, 4, 8
_LEGACY_ALIGN = 4096
_HALF_ROUND = 0x8000
MOST_BYTES, MOST_DESCRIPTORS = 1 << 20, 1 << 19
"""What is read at one notification, at most: a guest may name the same memory any number of times,
and elements by the thousand that it never made available."""


class BrokenRingError(Exception):
    """What the guest wrote into a ring is none; stays inside the device."""


@dataclass(slots=True)
class Work:
    """What may still be read at this notification: bytes, and descriptors."""

    bytes: int = MOST_BYTES
    descriptors: int = MOST_DESCRIPTORS


class QueueElement(NamedTuple):
    """What the driver has made available: the head of the chain, and what the device may read."""

    head: int
    readable: tuple[tuple[int, int], ...]
    """Addresses and lengths, in order."""


@dataclass(slots=True)
class QueueState:
    """One queue.

    Attributes:
        size: descriptors in it.
        desc, avail, used: addresses of its three parts; 0 for nowhere.
        last_avail: what is looked at next; seen: the driver's index as it was read last.
        used_index: the next place for what has been used.
        signalled: the index that the driver heard of last; None where it has to hear.
        in_use: elements that were taken and not given back.
        wanted: its size, as it is to be once it is enabled; enabled: whether that was said.
        rings: the halves of the three addresses, as a modern driver wrote them.
    """

    size: U16 = 0
    desc: U64 = 0
    avail: U64 = 0
    used: U64 = 0
    last_avail: U16 = 0
    seen: U16 = 0
    used_index: U16 = 0
    signalled: U16 | None = None
    in_use: U16 = 0
    wanted: U16 = 0
    enabled: bool = False
    rings: tuple[U64, U64, U64] = (0, 0, 0)


class Virtqueue:
    """What a device does with a queue.

    Args:
        state: of the queue.
        space: what the device sees of the memory.
        work: what may be read now.
        has_event_index, notifies_when_empty: what the driver has agreed to.
    """

    def __init__(
        self,
        state: QueueState,
        space: AddressSpace,
        work: Work,
        *,
        has_event_index: bool,
        notifies_when_empty: bool,
    ) -> None:
        self._state, self._space, self._work = state, space, work
        self._has_event_index, self._notifies_when_empty = has_event_index, notifies_when_empty

    def pop(self) -> QueueElement | None:
        """Take what is available next; None for nothing.

        Raises:
            BrokenRingError: it is no chain of descriptors.
        """
        state = self._state
        if self.is_empty:
            return None
        if state.in_use >= state.size:
            raise BrokenRingError("more elements than the queue has room for")
        at = state.avail + _AVAIL_RING + 2 * (state.last_avail % state.size)
        state.last_avail = state.last_avail + 1 & 0xFFFF
        head = self._space.load(at, 2)
        if head >= state.size:
            raise BrokenRingError("a head outside the table")
        if self._has_event_index:
            event = state.used + _USED_RING + _USED_ENTRY * state.size
            self._space.store(event, 2, state.last_avail)
        element = QueueElement(head, tuple(self._readable(head)))
        state.in_use += 1
        return element

    def push(self, element: QueueElement, written: int) -> None:
        """Give an element back, with the number of bytes that the device has written into it."""
        state, space = self._state, self._space
        if not state.used:
            return
        at = state.used + _USED_RING + _USED_ENTRY * (state.used_index % state.size)
        space.store(at, 4, element.head)
        space.store(at + 4, 4, written & 0xFFFF_FFFF)
        state.used_index = state.used_index + 1 & 0xFFFF
        space.store(state.used + 2, 2, state.used_index)
        state.in_use = max(0, state.in_use - 1)
        if state.signalled is not None and not 0 < self._since(state.signalled) < _HALF_ROUND:
            state.signalled = None  # too long ago to be compared

    def _since(self, index: int) -> int:
        return self._state.used_index - index & 0xFFFF

    @property
    def is_empty(self) -> bool:
        """Whether nothing is available."""
        state = self._state
        if not state.avail:
            return True
        if state.seen == state.last_avail:
            state.seen = self._space.load(state.avail + 2, 2)
        return state.seen == state.last_avail

    def must_notify(self) -> bool:
        """Whether the driver wants to hear that something was used."""
        state = self._state
        if self._notifies_when_empty and not state.in_use and self.is_empty:
            return True
        if not self._has_event_index:
            return not self._space.load(state.avail, 2) & _NO_INTERRUPT if state.avail else True
        before, state.signalled = state.signalled, state.used_index
        if before is None:
            return True
        at = state.avail + _AVAIL_RING + 2 * state.size
        event = self._space.load(at, 2) if state.avail else 0
        passed = state.used_index - event - 1 & 0xFFFF
        return passed < self._since(before)

    # -- descriptors -------------------------------------------------------------------------------

    def _readable(self, head: int) -> Iterator[tuple[int, int]]:
        """Yield what may be read of the chain that begins at ``head``.

        Raises:
            BrokenRingError: it is none.
        """
        table, most = self._state.desc, self._state.size
        address, length, flags, following = self._descriptor(table, head)
        if flags & _INDIRECT:
            if not length or length % _DESCRIPTOR.size:
                raise BrokenRingError("an indirect table of no whole number of descriptors")
            table, most = address, length // _DESCRIPTOR.size
            address, length, flags, following = self._descriptor(table, 0)
        seen, has_writable = 0, False
        while True:
            if not flags & _WRITE and has_writable:
                raise BrokenRingError("what is read stands behind what is written")
            has_writable = bool(flags & _WRITE)
            if not length:
                raise BrokenRingError("a buffer of no bytes")
            seen += 1
            self._work.descriptors -= 1
            if self._work.descriptors < 0:
                raise BrokenRingError("more elements than a driver can make available")
            if seen > min(most, LARGEST):
                raise BrokenRingError("a chain without an end")
            if not has_writable:
                yield address, length
            if not flags & _NEXT:
                return
            if following >= most:
                raise BrokenRingError("a descriptor outside the table")
            address, length, flags, following = self._descriptor(table, following)

    def _descriptor(self, table: int, index: int) -> tuple[int, int, int, int]:
        at = (table + _DESCRIPTOR.size * index) & 0xFFFF_FFFF_FFFF_FFFF
        address, length, flags, following = _DESCRIPTOR.unpack(
            self._space.read(at, _DESCRIPTOR.size)
        )
        return address, length, flags, following

    def read(self, element: QueueElement) -> bytes:
        """Return what the driver gave the device to read, as far as it may be read now."""
        data = bytearray()
        for address, length in element.readable:
            part = min(length, self._work.bytes)
            self._work.bytes -= part
            data += self._space.read(address, part)
        return bytes(data)


def place_legacy(state: QueueState, address: int) -> None:
    """Put a queue where a legacy driver wants it: its three parts in one piece."""
    state.desc = address
    state.avail = address + _DESCRIPTOR.size * state.size
    end = state.avail + _AVAIL_RING + 2 * state.size
    state.used = -(-end // _LEGACY_ALIGN) * _LEGACY_ALIGN
