"""What a VM's memory becomes while somebody watches it, and what it was before when he has gone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from guestmap.accel.kvm.guards import Guards

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from guestmap.accel.debug import Watchpoint
    from guestmap.accel.kvm.slots import Slots
    from guestmap.memory import AddressSpace, MemoryListener


class MemoryWatch:
    """Has the accesses that are watched come out of the guest, of whatever vCPU.

    Args:
        followers: what keeps the VM's memory slots.

    Attributes:
        shortcuts: what has writes end in the kernel: it is away while writes are watched.
    """

    def __init__(self, followers: Sequence[Slots]) -> None:
        self.shortcuts: Sequence[MemoryListener] = ()
        self._followers = followers
        self._guards = Guards()

    def watch(self, points: Collection[Watchpoint], memory: AddressSpace) -> None:
        """Have these accesses come out, and no others that need not.

        Args:
            points: those of the whole machine, whichever vCPU tells them.
            memory: what its vCPUs see.

        Raises:
            UnsupportedError: reads of memory are watched.
            HostError: the kernel refuses; what came out before comes out still.
        """
        before, guards = self._guards, Guards(points)
        if (before.writes, before.reads) == (guards.writes, guards.reads):
            return
        with memory.root.system.transactions.lock:
            done: list[Slots] = []
            try:
                for each in self._followers:
                    each.watch(guards)
                    done.append(each)
            except BaseException:
                for each in done:
                    each.watch(before)
                raise
        self._guards = guards
        if bool(before.writes) != bool(guards.writes):
            for shortcut in self.shortcuts:
                if guards.writes:
                    memory.unregister_listener(shortcut)
                else:
                    memory.register_listener(shortcut)
