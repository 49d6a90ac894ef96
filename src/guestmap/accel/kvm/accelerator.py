"""KVM as an accelerator: x86 CPUs, executed by the host's own through the kernel."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from guestmap.accel.accelerator import Accelerator
from guestmap.accel.counters import Counters
from guestmap.accel.in_vain import InVain
from guestmap.accel.irqchip import InterruptChip
from guestmap.accel.kvm.bells import Bells
from guestmap.accel.kvm.kick import prepare_signal
from guestmap.accel.kvm.ring import CoalescedRing, Zones
from guestmap.accel.kvm.ring_check import check_rings
from guestmap.accel.kvm.speed import SLOW_PER_S, instructions_per_s
from guestmap.accel.kvm.vcpu import KvmVcpu
from guestmap.accel.kvm.vm import Vm
from guestmap.accel.types import Capabilities, EngineStatistics, Processor
from guestmap.base import ConfigError, UnsupportedError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from guestmap.accel.kvm.kernel import Kernel
    from guestmap.accel.memory_slot import MemorySlot
    from guestmap.accel.vcpu import InterruptSource
    from guestmap.memory import AddressSpace, MemoryListener


class KvmAccelerator(Accelerator):
    """x86 CPUs in all modes; the interrupt controllers are the machine's, as a rule.

    Each CPU is run by a loop in a thread of its own. Several share the machine by a
    :class:`guestmap.accel.turn.SharedTurn`; whoever wants to see or change one stops it first.

    Args:
        memory, io: what the CPU sees.
        interrupts: the INTR pin of each.
        kernel: whose KVM; None for this host's.
        processors: what each tells of itself; none for cores of one socket.
        chip: who has the interrupt controllers.
        dirty_ring: entries of a ring in which each vCPU tells what it writes; 0: bitmaps tell it.
        guest_memfd: whether RAM is files of the VM's own, 1 or 0.

    Raises:
        HostError: this host has no KVM that this user may use, or it refuses.
        ConfigError: no CPU is asked for.
        UnsupportedError: its KVM lacks something, or has not that many CPUs.
    """

    OPTIONS = MappingProxyType({"dirty-ring-size": "dirty_ring", "guest-memfd": "guest_memfd"})
    name = "kvm"
    may_stand_still = True
    runs_several = True
    CHIPS = frozenset(InterruptChip)

    def __init__(
        self,
        memory: AddressSpace,
        io: AddressSpace,
        interrupts: Sequence[InterruptSource],
        *,
        kernel: Kernel | None = None,
        dirty_ring: int = 0,
        guest_memfd: int = 0,
        processors: Sequence[Processor] = (),
        chip: InterruptChip = InterruptChip.MACHINE,
    ) -> None:
        if not interrupts:
            raise ConfigError("a machine without a CPU: give an INTR pin for each")
        self._counters = Counters()
        self._in_vain = told = InVain(goes_on=True)
        prepare_signal()
        if dirty_ring and kernel is None:
            check_rings()
        self._vm = Vm(kernel, dirty_ring=dirty_ring, chip=chip, guest_memfd=bool(guest_memfd))
        self.irqchip = self._vm.irqchip
        features, handle = self._vm.features, self._vm.handle
        if len(interrupts) > features.vcpus:
            self._vm.close()
            raise UnsupportedError(
                f"this host's KVM runs at most {features.vcpus} CPUs, not {len(interrupts)}"
            )
        shortcuts = Bells(handle, features, ports=False), Zones(handle, features, ports=False)
        self._listeners: tuple[tuple[AddressSpace, MemoryListener], ...] = (
            (memory, self._vm.slots),
            (memory, shortcuts[0]),
            (io, Bells(handle, features, ports=True)),
            (memory, shortcuts[1]),
            (io, Zones(handle, features, ports=True)),
        )
        self._vm.watch.shortcuts = shortcuts
        self._coalesced = memory.dispatch.coalesced
        self._ring = CoalescedRing(memory, io, self._counters)
        self._coalesced.add_ring(self._ring.drain)
        self._vcpus: list[KvmVcpu] = []
        try:
            for space, listener in self._listeners:
                space.register_listener(listener)
            self._vcpus = [
                KvmVcpu(
                    self._vm, number, memory, io, each, self._counters, self._ring, processor, told
                )
                for number, (each, processor) in enumerate(
                    zip(interrupts, processors or _cores(len(interrupts)), strict=True)
                )
            ]
        except BaseException:
            self._end()
            raise

    @staticmethod
    def check_worth() -> None:
        """Measure how fast this host's KVM is."""
        rate = instructions_per_s()
        if rate < SLOW_PER_S:
            raise UnsupportedError(
                f"this host's KVM emulates what it runs, {rate / 1e6:.1f} million instructions a"
                " second: --engine unicorn is faster"
            )

    @property
    def capabilities(self) -> Capabilities:
        """All but the A20 gate, which KVM has not."""
        return Capabilities(
            runs_code=True, exact_interrupts=True, exceptions=True, reset_vector=True, a20=False,
            long_mode=True, smm=self._vm.features.has_smm,
        )  # fmt: skip

    @property
    def listener(self) -> MemoryListener:
        """What keeps the memory slots in step."""
        return self._vm.slots

    @property
    def in_vain(self) -> InVain:
        """What its guest did in vain, in memory."""
        return self._in_vain

    @property
    def vcpus(self) -> tuple[KvmVcpu, ...]:
        """All of them."""
        return tuple(self._vcpus)

    def vcpu(self, number: int = 0) -> KvmVcpu:
        """Return the CPU."""
        if number not in range(len(self._vcpus)):
            raise ConfigError(f"there is no vCPU {number}: engine 'kvm' has {len(self._vcpus)}")
        return self._vcpus[number]

    def memory_slots(self) -> tuple[MemorySlot, ...]:
        """Return the slots of the VM."""
        return self._vm.slots.shown()

    def statistics(self) -> EngineStatistics:
        """Return the counts of this moment; each request of a memory slot is a map."""
        self._counters.maps = self._vm.table.requests
        return self._counters.freeze()

    def close(self) -> None:
        """Let go of the address spaces and of the host's memory."""
        if self._vcpus and self._vcpus[0].closed:
            return
        for each in self._vcpus:
            each.check_idle()
        self._end()

    def _end(self) -> None:
        self._coalesced.remove_ring(self._ring.drain)
        self._ring.close()
        for each in self._vcpus:
            each.close()
        smm = {each.smm_memory for each in self._vcpus if each.smm_memory is not None}
        self._vm.close()  # first, or each slot would be deleted by a request of its own
        for space, listener in (*self._listeners, *((x, self._vm.smm_slots) for x in smm)):
            if listener in space.listeners:
                space.unregister_listener(listener)


def _cores(count: int) -> list[Processor]:
    return [Processor(number, count) for number in range(count)]
