"""Slots that go and slots that come are made so, or nothing is changed."""

from __future__ import annotations

from contextlib import nullcontext
from functools import partial
from typing import TYPE_CHECKING

from guestmap.accel.kvm.change import SlotPlan, plan_change
from guestmap.base import HostError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import AbstractContextManager

    from guestmap.accel.kvm.dirty import DirtyPages
    from guestmap.accel.kvm.dirty_ring import DirtyRings
    from guestmap.accel.kvm.pieces import Slot
    from guestmap.accel.kvm.slot_table import LiveSlot, SlotTable
    from guestmap.memory.ram import RamBlock

_TOGETHER = nullcontext()


class SlotRequests:
    """Makes the requests that change a table of slots.

    Args:
        table: the slots.
        dirty: the log of what the guest wrote, which is fetched before a slot changes.
        alone: keeps all vCPUs out of the guest, while memory that stays is away for a moment.

    Attributes:
        torn: whether changing the slots back was refused, too, and they are neither as they were
            nor as they shall be.
    """

    def __init__(
        self,
        table: SlotTable,
        dirty: DirtyPages | DirtyRings,
        alone: Callable[[], AbstractContextManager[None]],
    ) -> None:
        self._table = table
        self._dirty = dirty
        self._alone = alone
        self.torn = False

    def make(self, going: Sequence[LiveSlot], coming: Sequence[Slot]) -> None:
        """Have some slots go, and others come.

        Raises:
            HostError: the kernel refuses, and the slots are as they were, or ``torn``.
        """
        if len(going) + len(coming) > 1:
            self._carry_out(plan_change(going, coming, moves=self._table.takes_changes))
            return
        for live in going:  # one request has no order, and nothing to undo where it is refused
            self._dirty.fetch(live)
            self._table.delete(live)
        for slot in coming:
            self._table.add(slot)

    def _carry_out(self, plan: SlotPlan) -> None:
        """Change the slots of the VM; if the kernel refuses, change them back."""
        done: list[Callable[[], object]] = []
        kept: list[RamBlock] = []
        table = self._table
        with self._alone() if plan.leaves_gaps else _TOGETHER:
            try:
                for live in plan.deletes:
                    self._dirty.fetch(live)
                    live.slot.block.pin()  # as long as it may come back
                    kept.append(live.slot.block)
                    table.delete(live)
                    done.append(partial(table.add, live.slot, live.number))
                for live, slot in plan.changes:
                    self._dirty.fetch(live)
                    done.append(partial(table.change, table.change(live, slot), live.slot))
                for slot in plan.adds:
                    added = table.add(slot)
                    if added is not None:
                        done.append(partial(table.delete, added))
            except BaseException as error:
                self._undo(done, error)
                raise
            finally:
                for block in kept:
                    block.unpin()

    def _undo(self, done: list[Callable[[], object]], error: BaseException) -> None:
        for step in reversed(done):
            try:
                step()
            except HostError as failure:
                self.torn = True
                error.add_note(f"changing the memory slots back: {failure}")
