"""The memory slots of one VM, as the kernel has them: one request for each change."""

from __future__ import annotations

from heapq import heappop, heappush
from typing import TYPE_CHECKING, NamedTuple

from sortedcontainers import SortedDict

from guestmap.accel.kvm.abi import (
    SET_USER_MEMORY_REGION,
    SET_USER_MEMORY_REGION2,
    SPACE_SHIFT,
    USER_MEMORY_REGION,
    USER_MEMORY_REGION2,
    SlotFlag,
)
from guestmap.accel.kvm.pieces import Slot

if TYPE_CHECKING:
    from collections.abc import Iterator

    from guestmap.accel.kvm.guest_memfd import GuestMemory
    from guestmap.accel.kvm.kernel import Handle


class LiveSlot(NamedTuple):
    """A slot that the kernel has: its number, and what it is."""

    number: int
    slot: Slot

    def __str__(self) -> str:
        return f"slot {self.number}, {self.slot}, flags {int(self.slot.flags)}"


class _Deletion(NamedTuple):
    """What is asked for, for messages."""

    live: LiveSlot

    def __str__(self) -> str:
        return f"deleting slot {self.live.number}, {self.live.slot}"


class SlotNumbers:
    """Numbers from 0, the lowest free one first."""

    def __init__(self) -> None:
        self._heap: list[int] = []
        self._free: set[int] = set()
        self._next = 0

    def take(self) -> int:
        """Return the lowest number that is free."""
        while self._heap:
            number = heappop(self._heap)
            if number in self._free:  # else it was claimed meanwhile
                self._free.remove(number)
                return number
        self._next += 1
        return self._next - 1

    def claim(self, number: int) -> None:
        """Take a certain number that has been given back."""
        self._free.remove(number)

    def give_back(self, number: int) -> None:
        """Let a number be taken again."""
        self._free.add(number)
        heappush(self._heap, number)


class SlotTable:
    """The slots of one VM. A request that is refused changes nothing.

    Every slot pins the block that it shows. Methods raise HostError where the kernel refuses.

    Args:
        vm: the VM, which has no slots there yet.
        space: in which of its address spaces they are.
        guest_memory: files that the memory of its slots is taken from; None for none.

    Attributes:
        live: the slots by address; ``numbered``: by number.
        requests: how many were made.
    """

    def __init__(self, vm: Handle, space: int = 0, guest_memory: GuestMemory | None = None) -> None:
        self._vm = vm
        self._guest_memory = guest_memory
        self._space = space << SPACE_SHIFT
        self._numbers = SlotNumbers()
        self.live: SortedDict[int, LiveSlot] = SortedDict()
        self.numbered: dict[int, LiveSlot] = {}
        self.requests = 0

    @property
    def takes_changes(self) -> bool:
        """Whether a live slot can be moved, or logged: one with a file of the VM's cannot."""
        return self._guest_memory is None

    def overlapping(self, start: int, end: int) -> Iterator[LiveSlot]:
        """Yield the slots that have an address between two, in order."""
        before = self.live.bisect_right(start) - 1
        if before >= 0:
            each = self.live.peekitem(before)[1]
            if each.slot.end > start:
                yield each
        for address in self.live.irange(start, end, inclusive=(False, False)):
            yield self.live[address]

    def add(self, slot: Slot, number: int | None = None) -> LiveSlot | None:
        """Make a slot, with a number that was its own before, if one is given.

        Returns:
            The slot; None where its memory has just gone.
        """
        if not slot.block.try_pin():
            return None
        if number is None:
            number = self._numbers.take()
        else:
            self._numbers.claim(number)
        live = LiveSlot(number, slot)
        try:
            self._set(live)
        except BaseException:
            self._numbers.give_back(number)
            slot.block.unpin()
            raise
        self.live[slot.start] = self.numbered[number] = live
        return live

    def delete(self, live: LiveSlot) -> None:
        """Delete a slot."""
        # All zeros: the kernel checks the other fields of a slot that goes, too.
        self._request(live.number, 0, 0, 0, 0, _Deletion(live))
        del self.live[live.slot.start], self.numbered[live.number]
        self._numbers.give_back(live.number)
        live.slot.block.unpin()

    def change(self, live: LiveSlot, slot: Slot) -> LiveSlot:
        """Give a slot another address, or another log; its memory stays the same."""
        changed = LiveSlot(live.number, slot)
        self._set(changed)
        del self.live[live.slot.start]
        self.live[slot.start] = self.numbered[live.number] = changed
        return changed

    def release(self) -> None:
        """Let go of all memory: the VM is gone, or goes now."""
        for each in self.live.values():
            each.slot.block.unpin()
        self.live.clear()
        self.numbered.clear()

    def _set(self, live: LiveSlot) -> None:
        number, slot = live
        file = None if self._guest_memory is None else self._file_of(slot, self._guest_memory)
        if file is None:
            self._request(number, slot.flags, slot.start, slot.size, slot.host, live)
            return
        self.requests += 1
        region = USER_MEMORY_REGION2.pack(
            self._space | number, slot.flags | SlotFlag.GUEST_MEMFD, slot.start, slot.size,
            slot.host, slot.offset, file,
        )  # fmt: skip
        self._vm.call(SET_USER_MEMORY_REGION2, region, f"{live}, guest_memfd {file}")

    def _file_of(self, slot: Slot, memory: GuestMemory) -> int | None:
        """Return the file that has a slot's memory; no two slots can have the same piece of it."""
        if any(each.slot.shares(slot) for each in self.live.values()):
            return None
        return memory.file_of(slot)

    def _request(
        self, number: int, flags: int, start: int, size: int, host: int, about: object
    ) -> None:
        self.requests += 1
        region = USER_MEMORY_REGION.pack(self._space | number, flags, start, size, host)
        self._vm.call(SET_USER_MEMORY_REGION, region, about)
