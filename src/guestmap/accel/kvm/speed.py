"""How fast a host's KVM is: a device node and a version say nothing about that.

A kernel can offer KVM without a CPU that executes guests (nested inside another hypervisor, by
emulating each instruction): such a one runs firmware more slowly than an emulator does.
"""

from __future__ import annotations

import time
from contextlib import closing
from struct import pack
from typing import TYPE_CHECKING

from guestmap.accel.counters import Counters
from guestmap.accel.exits import ExitReason
from guestmap.accel.kvm.ring import CoalescedRing
from guestmap.accel.kvm.vcpu import KvmVcpu
from guestmap.accel.kvm.vm import Vm
from guestmap.accel.types import Register, Segment, SegmentRegister
from guestmap.accel.vcpu import NoInterrupts
from guestmap.base import HostError
from guestmap.memory import MemorySystem

if TYPE_CHECKING:
    from guestmap.accel.kvm.kernel import Kernel

INSTRUCTIONS = 100_000
SLOW_PER_S = 5_000_000
"""Instructions in a second that no CPU stays below, and that every emulator reaches."""

_LOOP = b"\x66\xb9" + pack("<I", INSTRUCTIONS // 2) + b"\x66\x49\x75\xfc\xf4"
_TRIES = 3  # the best counts: a busy host is no slow KVM


def instructions_per_s(kernel: Kernel | None = None) -> float:
    """Measure, in a VM of its own, in some milliseconds on a CPU that executes guests.

    Raises:
        HostError: the host has no KVM that this user may use, or it does not run the loop.
        UnsupportedError: its KVM lacks something.
    """
    with MemorySystem() as system:
        root = system.container("root", 1 << 64)
        root.add_subregion(0, system.ram("ram", 0x1000))
        memory = system.address_space("memory", root)
        memory.write(0, _LOOP)
        io = system.address_space("I/O", system.container("io", 0x10000))
        vm = Vm(kernel)
        try:
            memory.register_listener(vm.slots)
            counters = Counters()
            ring = CoalescedRing(memory, io, counters)
            made = KvmVcpu(vm, 0, memory, io, NoInterrupts(), counters, ring)
            with closing(made) as vcpu, closing(ring):
                best = _once(vcpu)
                for _ in range(_TRIES - 1):
                    if INSTRUCTIONS / best < SLOW_PER_S:
                        best = min(best, _once(vcpu))
        finally:
            vm.close()
            if vm.slots in memory.listeners:
                memory.unregister_listener(vm.slots)
    return INSTRUCTIONS / best


def _once(vcpu: KvmVcpu) -> float:
    vcpu.reset()
    vcpu.write_segment(SegmentRegister.CS, Segment(0, 0, 0xFFFF, 0x9B00))
    vcpu.write_register(Register.EIP, 0)
    start = time.perf_counter()
    end = vcpu.run()
    if end.reason is not ExitReason.HALTED:
        raise HostError(f"KVM does not run a loop of {INSTRUCTIONS} instructions: {end.message}")
    return time.perf_counter() - start
