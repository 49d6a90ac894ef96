"""From the slots that go and come to the requests that it takes, and their order."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Collection
from operator import attrgetter
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from guestmap.accel.kvm.pieces import Slot
    from guestmap.accel.kvm.slot_table import LiveSlot

_start = attrgetter("start")
_address = attrgetter("slot.start")


class SlotPlan(NamedTuple):
    """Requests, in the order in which they are made: no slot ever overlaps another.

    Attributes:
        deletes: slots that go.
        changes: slots that move, or whose log is switched, and what they become.
        adds: slots that come.
    """

    deletes: list[LiveSlot]
    changes: list[tuple[LiveSlot, Slot]]
    adds: list[Slot]

    @property
    def leaves_gaps(self) -> bool:
        """Whether addresses that are memory before and after may be nothing in between."""
        moves = sum(live.slot.start != slot.start for live, slot in self.changes)
        return bool(self.deletes and (self.adds or moves)) or moves > 1


def plan_change(
    going: Collection[LiveSlot], coming: Collection[Slot], *, moves: bool = True
) -> SlotPlan:
    """Return the requests that make ``coming`` of ``going``.

    Args:
        going: slots that are there, and shall not be, or not in this way.
        coming: slots that shall be there.
        moves: whether a slot can be moved, or logged from now on.
    """
    if not moves or not going or not coming:
        return SlotPlan(sorted(going, key=_address), [], sorted(coming, key=_start))
    leaving = {live.slot.start: live for live in going}
    changes, arriving = [], []
    for slot in sorted(coming, key=_start):
        live = leaving.get(slot.start)
        if live is not None and live.slot.content == slot.content:  # its log alone is switched
            changes.append((leaving.pop(slot.start), slot))
        else:
            arriving.append(slot)
    moving, adds = _moves(leaving, arriving)
    changes += _in_order(moving, leaving, adds)
    deletes = [leaving[start] for start in sorted(leaving)]
    return SlotPlan(deletes, changes, sorted(adds, key=_start))


def _moves(
    leaving: dict[int, LiveSlot], arriving: list[Slot]
) -> tuple[list[tuple[LiveSlot, Slot]], list[Slot]]:
    """Take what only moves out of ``leaving``; return it, and what of ``arriving`` is new."""
    there: defaultdict[object, deque[LiveSlot]] = defaultdict(deque)
    for start in sorted(leaving):
        there[leaving[start].slot.content].append(leaving[start])
    moves, adds = [], []
    for slot in arriving:
        same = there.get(slot.content)
        if same:
            live = same.popleft()
            moves.append((leaving.pop(live.slot.start), slot))
        else:
            adds.append(slot)
    return moves, adds


def _in_order(
    moves: list[tuple[LiveSlot, Slot]], leaving: dict[int, LiveSlot], adds: list[Slot]
) -> list[tuple[LiveSlot, Slot]]:
    """Order moves so that each finds its place free; one of those that cannot goes and comes."""
    ordered: list[tuple[LiveSlot, Slot]] = []
    while moves:
        sources = [live.slot for live, _ in moves]
        waiting = [
            (live, slot)
            for live, slot in moves
            if any(slot.overlaps(other) for other in sources if other is not live.slot)
        ]
        if len(waiting) == len(moves):
            live, slot = waiting.pop()
            leaving[live.slot.start] = live
            adds.append(slot)
        else:
            ordered += [move for move in moves if move not in waiting]
        moves = waiting
    return ordered
