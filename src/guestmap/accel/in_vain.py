"""What the guest does in vain: writes to ROM, accesses that nobody answers, and refused ones.

No instruction of x86 fails by that: the write vanishes, the read gets zeros or ones, and whoever
wrote the code wonders why nothing happens.
"""

from __future__ import annotations

import time
from enum import Enum
from typing import TYPE_CHECKING

from guestmap.base.dataclass import dataclass
from guestmap.memory.map import UNASSIGNED_IO_OPS, UNASSIGNED_MEM_OPS

if TYPE_CHECKING:
    from collections.abc import Callable

    from guestmap.memory import AddressSpace
    from guestmap.memory.map import FlatView

MAX_ENTRIES = 256
"""Entries that are kept; a guest may do anything in vain, everywhere, for weeks."""
_MAX_TAKEN = 4096
_NOBODY = (UNASSIGNED_MEM_OPS, UNASSIGNED_IO_OPS)
_PAGE_BITS = 12


class Why(Enum):
    """Why an access comes to nothing."""

    ROM = "rom"  # a write to what cannot be written there
    NOBODY = "nobody"
    REFUSED = "refused"  # the device takes no access of that size or alignment


@dataclass(frozen=True, slots=True)
class VainAccess:
    """One access.

    Attributes:
        address: of its first byte.
        value: what was to be written; None of a read.
        time_ns: when, on the machine's clock.
    """

    address: int
    value: int | None
    time_ns: int


@dataclass(slots=True)
class VainAccesses:
    """What one instruction did in vain.

    Attributes:
        space: the name of the address space.
        why: why it came to nothing.
        is_write: a write, else a read.
        size: bytes of each access.
        region: who refuses it; "" for nobody.
        cs, ip: of the instruction: selector, and offset in the segment.
        exact: ``ip`` is the instruction's own; else that of one before it in the same straight run
            of code, or where the CPU goes on (:attr:`InVain.goes_on`).
        low, high: the lowest and the highest address.
        count: how often.
        first, last: the first access, and the newest.
    """

    space: str
    why: Why
    is_write: bool
    size: int
    region: str
    cs: int
    ip: int
    exact: bool
    low: int
    high: int
    count: int
    first: VainAccess
    last: VainAccess


class InVain:
    """Keeps what a guest did in vain; told by its engine of each access before that is done.

    Args:
        instruction: returns CS and the instruction pointer, in the middle of an access; None where
            there are several CPUs, and each says its own.
        goes_on: in the middle of a write that is where the CPU goes on; of a read, its own.

    Attributes:
        goes_on: as given.
        now_ns: the machine's time.
        view: the map that the last access was looked at in; None before.
        taken: accesses that something took, in that map: address and size in one number, all bits
            turned round for a write.
        unlisted: accesses of instructions that found no room any more.
    """

    def __init__(
        self, instruction: Callable[[], tuple[int, int]] | None = None, *, goes_on: bool = False
    ) -> None:
        self._instruction = instruction
        self.goes_on = goes_on
        self._entries: dict[tuple[object, ...], VainAccesses] = {}
        self.view: FlatView | None = None
        self.taken: set[int] = set()
        self.now_ns: Callable[[], int] = time.monotonic_ns
        self.unlisted = 0

    @property
    def entries(self) -> tuple[VainAccesses, ...]:
        """What is kept, in the order of the first access; from any thread."""
        return tuple(self._entries.copy().values())

    def look(
        self,
        space: AddressSpace,
        address: int,
        size: int,
        value: int | None = None,
        at: Callable[[], tuple[int, int]] | None = None,
    ) -> None:
        """Note an access if it will come to nothing.

        Ports have so few addresses and memory so many devices that are polled: only of memory is
        remembered what was taken, until the map changes.

        Args:
            space: where.
            address: of its first byte.
            size: bytes.
            value: what is written; None reads.
            at: the CPU's instruction; None: that of the only one.
        """
        view = space.source.view
        if view is not self.view:
            self.view = view
            self.taken.clear()
        key = address << 4 | size
        if value is not None:
            key = ~key
        if key in self.taken:
            return
        why = _why(space, address, size, is_write=value is not None)
        if why is not None:
            exact = self.goes_on and value is None
            self.note(space, why, address, size, value, exact=exact, at=at)
            return
        if len(self.taken) >= _MAX_TAKEN:
            self.taken.clear()
        self.taken.add(key)

    def note(
        self,
        space: AddressSpace,
        why: Why,
        address: int,
        size: int,
        value: int | None,
        *,
        exact: bool,
        at: Callable[[], tuple[int, int]] | None = None,
    ) -> None:
        """Note an access that comes to nothing; arguments as in :meth:`look`, and as kept."""
        instruction = at or self._instruction
        cs, ip = instruction() if instruction is not None else (0, 0)
        access = VainAccess(
            address, None if value is None else value & ((1 << 8 * size) - 1), self.now_ns()
        )
        is_write = value is not None
        page = None if exact else address >> _PAGE_BITS
        key = (space.name, why, is_write, size, cs, ip, page)
        entry = self._entries.get(key)
        if entry is not None:
            entry.count += 1
            entry.last = access
            entry.low, entry.high = min(entry.low, address), max(entry.high, address)
        elif len(self._entries) < MAX_ENTRIES:
            found = space.view.find(address)
            region = "" if found is None or why is Why.NOBODY else found.region.name
            self._entries[key] = VainAccesses(
                space.name, why, is_write, size, region, cs, ip, exact, address, address, 1,
                access, access,
            )  # fmt: skip
        else:
            self.unlisted += 1


def _why(space: AddressSpace, address: int, size: int, *, is_write: bool) -> Why | None:
    """Return why an access would come to nothing; None where it would not."""
    found = space.view.find(address)
    if found is None:
        return Why.NOBODY
    region = found.region
    if not region.ram and any(region.ops is each for each in _NOBODY):  # to compare takes longer
        return Why.NOBODY
    if region.iommu is not None or space.access_valid(address, size, is_write):
        return None
    is_rom = is_write and space.dispatch.refuses_writes(found)
    return Why.ROM if is_rom else Why.REFUSED
