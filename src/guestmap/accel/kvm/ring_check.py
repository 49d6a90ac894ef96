"""Whether a host's dirty rings tell of every page: some that emulate guests lose what is too much.

A kernel must let the guest wait before a ring is full. One that does not writes over what nobody
has taken, and says nothing.
"""

from __future__ import annotations

from contextlib import closing
from struct import pack
from typing import TYPE_CHECKING

from guestmap.accel.counters import Counters
from guestmap.accel.exits import ExitReason
from guestmap.accel.kvm.dirty_ring import LEAST_ENTRIES
from guestmap.accel.kvm.ring import CoalescedRing
from guestmap.accel.kvm.vcpu import KvmVcpu
from guestmap.accel.kvm.vm import Vm
from guestmap.accel.types import Register, Segment, SegmentRegister
from guestmap.accel.vcpu import NoInterrupts
from guestmap.base import UnsupportedError
from guestmap.memory import MemorySystem
from guestmap.memory.ram.dirty import DirtyClient

if TYPE_CHECKING:
    from guestmap.accel.kvm.kernel import Kernel
    from guestmap.memory import MemoryRegion

_PAGE = 0x1000
_PAGES = 2 * LEAST_ENTRIES
# mov edi, 1000h; mov ecx, N; again: mov [edi], al; add edi, 1000h; dec ecx; jnz again; hlt
_WRITER = (
    b"\x66\xbf\x00\x10\x00\x00\x66\xb9" + pack("<I", _PAGES)
    + b"\x67\x88\x07\x66\x81\xc7\x00\x10\x00\x00\x66\x49\x75\xf2\xf4"
)  # fmt: skip
_FLAT_DATA = Segment(0, 0, 0xFFFF_FFFF, 0x8F9300)


def check_rings(kernel: Kernel | None = None) -> None:
    """Have a guest write twice as many pages as a ring has room for, and look at what is told.

    Raises:
        HostError: the host has no KVM that this user may use.
        UnsupportedError: it has no rings, or they lose pages.
    """
    with MemorySystem() as system:
        ram = system.ram("ram", (_PAGES + 1) * _PAGE)
        root = system.container("root", 1 << 64)
        root.add_subregion(0, ram)
        memory = system.address_space("memory", root)
        memory.write(0, _WRITER)
        io = system.address_space("I/O", system.container("io", 0x10000))
        vm = Vm(kernel, dirty_ring=LEAST_ENTRIES)
        try:
            memory.register_listener(vm.slots)
            counters = Counters()
            ring = CoalescedRing(memory, io, counters)
            made = KvmVcpu(vm, 0, memory, io, NoInterrupts(), counters, ring)
            with closing(made) as vcpu, closing(ring):
                system.dirty_logging.start_global()
                _look(system, ram)
                vcpu.write_segment(SegmentRegister.CS, Segment(0, 0, 0xFFFF, 0x9B00))
                vcpu.write_segment(SegmentRegister.DS, _FLAT_DATA)
                vcpu.write_register(Register.EIP, 0)
                vcpu.prepare()
                end = vcpu.run()
                told = _look(system, ram)
        finally:
            vm.close()
            if vm.slots in memory.listeners:
                memory.unregister_listener(vm.slots)
    if end.reason is not ExitReason.HALTED or told < _PAGES:
        raise UnsupportedError(
            f"this host's KVM loses pages in dirty rings ({told} of {_PAGES} were told): do without"
            " dirty-ring-size"
        )


def _look(system: MemorySystem, ram: MemoryRegion) -> int:
    """Return how many pages were written since the last look, not counting the first one."""
    log = system.dirty_logging.snapshot_and_clear(ram, 0, ram.size, DirtyClient.MIGRATION)
    return sum(page > 0 for page in log.pages())
