"""What a VM's guest cannot do to its memory unseen, while somebody watches it.

A page whose writes are watched is a read-only slot: each write comes out, is told, and is carried
out through the address space. A page whose reads are watched would have to be no slot at all, and
the processor itself reads there too: code, page tables, descriptors. A guest would end by being
looked at. So reads are told of devices, and of what nobody answers; they come out anyway.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from guestmap.accel.debug import WatchKind
from guestmap.accel.kvm.abi import PAGE
from guestmap.base.addrrange import merged

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from guestmap.accel.debug import Watchpoint
    from guestmap.accel.kvm.pieces import Slot

    Spans = tuple[tuple[int, int], ...]


class Guards:
    """The pages that are watched.

    Args:
        points: what is watched.

    Attributes:
        writes, reads: where each is: first address and the one behind, whole pages, lowest first.
    """

    def __init__(self, points: Collection[Watchpoint] = ()) -> None:
        self.writes = _pages(each for each in points if WatchKind.WRITE in each.kinds)
        self.reads = _pages(each for each in points if WatchKind.READ in each.kinds)

    def cut(self, slot: Slot) -> Iterator[Slot]:
        """Yield a slot in pieces: those whose writes are watched are read-only."""
        at = slot.start
        for start, end in () if slot.readonly else self.writes:
            first, last = max(start, at), min(end, slot.end)
            if first < last:
                if at < first:
                    yield slot.piece(at, first)
                yield slot.piece(first, last)._replace(readonly=True, guarded=True)
                at = last
        if at < slot.end:
            yield slot.piece(at, slot.end)

    def unseen(self, slots: Iterable[Slot]) -> Slot | None:
        """Return one of the slots whose reads are watched; None where there is none."""
        if not self.reads:
            return None
        for slot in slots:
            if any(start < slot.end and slot.start < end for start, end in self.reads):
                return slot
        return None


def _pages(points: Iterable[Watchpoint]) -> Spans:
    return tuple(merged((x.first & -PAGE, (x.last | (PAGE - 1)) + 1) for x in points))
