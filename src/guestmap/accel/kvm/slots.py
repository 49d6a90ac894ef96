"""The flat view, in a VM's memory slots, with as few requests as can be.

Callbacks only note what comes and goes. At the commit the net effect is carried out: a slot that
came back as it was costs nothing, memory that only moved or is only logged from now on is one
request, and all that goes, goes before anything comes, for slots must not overlap. What a machine
cannot have is refused before the first request; where the kernel refuses in the middle, what was
done is undone, and the commit is refused as a whole.
"""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING

from guestmap.accel.kvm.abi import MAX_SLOT_SIZE
from guestmap.accel.kvm.guards import Guards
from guestmap.accel.kvm.pieces import Slot, slots_of
from guestmap.accel.kvm.slot_requests import SlotRequests
from guestmap.accel.memory_slot import MemorySlot
from guestmap.base import HostError, UnsupportedError
from guestmap.memory import MemoryListener
from guestmap.memory.hear import PRIORITY_ACCEL

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from contextlib import AbstractContextManager

    from guestmap.accel.kvm.dirty import DirtyPages
    from guestmap.accel.kvm.dirty_ring import DirtyRings
    from guestmap.accel.kvm.slot_table import LiveSlot, SlotTable
    from guestmap.memory import MemoryRegionSection


class Slots(MemoryListener):
    """Keeps the slots of one VM in step with one address space.

    Args:
        table: the slots.
        dirty: the log of what the guest wrote.
        limit: how many slots there can be.
        address_bits: width of guest-physical addresses.
        alone: keeps all vCPUs out of the guest, while memory that stays is away for a moment.

    Attributes:
        unsettled: whether a commit was refused, and the slots may not be what they shall be: hold
            the system's lock, and commit again before a vCPU goes on.
    """

    priority = PRIORITY_ACCEL
    name = "kvm"

    def __init__(
        self,
        table: SlotTable,
        dirty: DirtyPages | DirtyRings,
        *,
        limit: int,
        address_bits: int,
        alone: Callable[[], AbstractContextManager[None]] = nullcontext,
    ) -> None:
        self._table = table
        self._dirty = dirty
        self._limit = limit
        self._address_bits = address_bits
        self._requests = SlotRequests(table, dirty, alone)
        self._wanted: dict[int, tuple[Slot, ...]] = {}
        self._needed = 0  # how many slots are wanted
        self._settled: dict[int, tuple[Slot, ...]] = {}
        self._touched: set[int] = set()
        self._all_logged = False
        self._guards = Guards()
        self.unsettled = False

    # -- the listener ------------------------------------------------------------------------------

    def check(
        self, going: Sequence[MemoryRegionSection], coming: Sequence[MemoryRegionSection]
    ) -> None:
        """Refuse what no request could make, before there is any.

        Raises:
            HostError: too many slots, addresses that are too high, or memory where reads are
                watched.
        """
        if self._plainly_fit(coming):
            return
        new = [slot for section in coming for slot in self._slots_of(section)]
        for slot in new:
            if slot.end > 1 << self._address_bits:
                raise HostError(
                    f"KVM cannot show {slot}: guest-physical addresses have {self._address_bits}"
                    " bits on this host"
                )
        if (unseen := self._guards.unseen(new)) is not None:
            raise HostError(f"KVM does not tell reads of memory, and those of {unseen} are watched")
        old = sum(len(self._wanted.get(x.offset_within_address_space, ())) for x in going)
        needed = self._needed - old + len(new)
        if new and needed > self._limit:
            raise HostError(
                f"KVM has {self._limit} memory slots on this host, and the machine would need"
                f" {needed}: no room for {new[0]}"
            )

    def _plainly_fit(self, coming: Sequence[MemoryRegionSection]) -> bool:
        """Tell whether there is room for all that comes, whatever of it is memory."""
        top = 1 << self._address_bits
        return (
            self._needed + len(coming) <= self._limit
            and not self._guards.reads
            and all(
                x.size <= MAX_SLOT_SIZE and x.offset_within_address_space + x.size <= top
                for x in coming
            )
        )

    def region_add(self, section: MemoryRegionSection) -> None:
        """Note memory that came."""
        if slots := self._slots_of(section):
            self._want(section, slots)

    def region_del(self, section: MemoryRegionSection) -> None:
        """Note memory that went."""
        self._want(section, ())

    def log_start(self, section: MemoryRegionSection, old: int, new: int) -> None:
        """Note memory whose writes are to be logged."""
        if not old and new:
            self._log(section, logged=True)

    def log_stop(self, section: MemoryRegionSection, old: int, new: int) -> None:
        """Note memory whose writes are logged no more."""
        if old and not new:
            self._log(section, logged=False)

    def log_global_start(self) -> None:
        """Memory that comes is to be logged."""
        self._all_logged = True

    def log_global_stop(self) -> None:
        """Memory that comes is logged only where its region is."""
        self._all_logged = False

    def log_sync(self, section: MemoryRegionSection) -> None:
        """Mark what the guest wrote since the last look."""
        for each in self._of(section):
            self._dirty.fetch(each)

    def log_clear(self, section: MemoryRegionSection) -> None:
        """Have the next write to each page be noted again."""
        start = section.offset_within_address_space
        for each in self._of(section):
            self._dirty.clear(each, start, start + section.size)

    def _of(self, section: MemoryRegionSection) -> list[LiveSlot]:
        start = section.offset_within_address_space
        return [x for x in self._table.overlapping(start, start + section.size) if x.slot.logged]

    def _slots_of(self, section: MemoryRegionSection) -> tuple[Slot, ...]:
        logged = self._all_logged or bool(section.region.dirty_log_mask)
        return slots_of(section, logged=logged, longest=MAX_SLOT_SIZE)

    def _log(self, section: MemoryRegionSection, *, logged: bool) -> None:
        slots = self._wanted.get(section.offset_within_address_space, ())
        if slots:
            self._want(section, tuple(each._replace(logged=logged) for each in slots))

    def _want(self, section: MemoryRegionSection, slots: tuple[Slot, ...]) -> None:
        at = section.offset_within_address_space
        before = self._wanted.pop(at, None)
        if slots:
            self._wanted[at] = slots
        elif before is None:
            return
        self._needed += len(slots) - len(before or ())
        self._touched.add(at)

    def watch(self, guards: Guards) -> None:
        """Have what is watched come out; hold the system's lock.

        Raises:
            UnsupportedError: reads of memory are watched.
            HostError: the kernel refuses, and the slots are as they were.
        """
        unseen = guards.unseen(slot for slots in self._wanted.values() for slot in slots)
        if unseen is not None:
            raise UnsupportedError(
                "engine 'kvm' tells reads of devices and of what nobody answers, not of memory,"
                f" which {unseen} is: the processor itself reads there; watch writes alone"
                " (RANGE,w), or take engine 'unicorn'"
            )
        before, self._guards = self._guards, guards
        self._touched |= self._wanted.keys()
        try:
            self.commit()
        except BaseException:
            self._guards = before
            raise

    def shown(self) -> tuple[MemorySlot, ...]:
        """Return the slots that the kernel has, for people; nothing is changed by looking."""
        return tuple(map(self._show, self._table.live.values()))

    def _show(self, live: LiveSlot) -> MemorySlot:
        number, slot = live
        return MemorySlot(
            number, slot.start, slot.size, slot.host, slot.readonly, slot.logged,
            self._dirty.count(live),
        )  # fmt: skip

    # -- the commit --------------------------------------------------------------------------------

    def commit(self) -> None:
        """Carry out what the transaction changed.

        Raises:
            HostError: the kernel refuses, and the slots are as they were.
        """
        if not self._touched:
            return
        self.unsettled = True
        if self._requests.torn:
            self._touched |= self._wanted.keys() | self._settled.keys()
        shown = {at: self._cut(at) for at in self._touched}
        self._requests.make(*self._difference(shown))
        for at, slots in shown.items():
            self._settled[at] = slots
            if not slots:
                del self._settled[at]
        self._touched.clear()
        self._requests.torn = self.unsettled = False

    def _cut(self, at: int) -> tuple[Slot, ...]:
        """Return the slots that a section shall have, as they are watched."""
        wanted, guards = self._wanted.get(at, ()), self._guards
        if not guards.writes:
            return wanted
        return tuple(piece for slot in wanted for piece in guards.cut(slot))

    def _difference(self, shown: Mapping[int, Iterable[Slot]]) -> tuple[list[LiveSlot], list[Slot]]:
        """Return which slots the kernel has and shall not, and which it shall have and has not."""
        live, coming = self._table.live, {}
        going = dict(live) if self._requests.torn else {}
        for at, slots in shown.items():
            for slot in self._settled.get(at, ()):
                if slot.start in live:  # else its memory was gone before it came
                    going[slot.start] = live[slot.start]
            for slot in slots:
                coming[slot.start] = slot
        for start in going.keys() & coming.keys():
            if going[start].slot == coming[start]:
                del going[start], coming[start]
        return list(going.values()), list(coming.values())
