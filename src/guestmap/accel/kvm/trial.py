"""A small VM of its own, to find out what a host's KVM does: what it says of itself is not all."""

from __future__ import annotations

from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, NamedTuple

from guestmap.accel.counters import Counters
from guestmap.accel.in_vain import InVain
from guestmap.accel.kvm.ring import CoalescedRing
from guestmap.accel.kvm.vcpu import KvmVcpu
from guestmap.accel.kvm.vm import Vm
from guestmap.accel.types import Processor, Register, Segment, SegmentRegister
from guestmap.accel.vcpu import NoInterrupts
from guestmap.memory import MemorySystem

if TYPE_CHECKING:
    from collections.abc import Iterator

    from guestmap.accel.exits import Exit
    from guestmap.accel.kvm.kernel import Kernel
    from guestmap.memory import MemoryRegion


class TrialVm(NamedTuple):
    """A vCPU that is in reset, and its memory: RAM from address 0, and nothing else."""

    system: MemorySystem
    ram: MemoryRegion
    vcpu: KvmVcpu

    def run(self) -> Exit:
        """Let the vCPU execute from address 0 until something comes up."""
        self.vcpu.write_segment(SegmentRegister.CS, Segment(0, 0, 0xFFFF, 0x9B00))
        self.vcpu.write_register(Register.EIP, 0)
        self.vcpu.prepare()
        return self.vcpu.run()


@contextmanager
def trial_vm(
    kernel: Kernel | None, code: bytes, size: int, *, dirty_ring: int = 0
) -> Iterator[TrialVm]:
    """Make a VM for the length of a ``with`` block.

    Args:
        kernel: whose; None for this host's.
        code: what is at address 0, for real mode.
        size: bytes of RAM.
        dirty_ring: see :class:`Vm`.

    Raises:
        HostError: the host has no KVM that this user may use.
        UnsupportedError: its KVM lacks something.
    """
    with MemorySystem() as system:
        ram = system.ram("ram", size)
        root = system.container("root", 1 << 64)
        root.add_subregion(0, ram)
        memory = system.address_space("memory", root)
        memory.write(0, code)
        io = system.address_space("I/O", system.container("io", 0x10000))
        vm = Vm(kernel, dirty_ring=dirty_ring)
        try:
            memory.register_listener(vm.slots)
            counters = Counters()
            ring = CoalescedRing(memory, io, counters)
            pin, processor = NoInterrupts(), Processor()
            told = InVain(goes_on=True)
            made = KvmVcpu(vm, 0, memory, io, pin, counters, ring, processor, told)
            with closing(made) as vcpu, closing(ring):
                yield TrialVm(system, ram, vcpu)
        finally:
            vm.close()
            if vm.slots in memory.listeners:
                memory.unregister_listener(vm.slots)
