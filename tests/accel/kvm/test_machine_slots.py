"""The slots of a PC: what a boot costs, and a kernel that refuses any of it."""

from __future__ import annotations

from functools import partial

import pytest

from guestmap.accel.kvm.vm import Vm
from guestmap.base import GIB, MIB, HostError, ManualClock
from guestmap.machine import MachineConfig, Pc, Phase, VirtualMachine
from tests.accel.kvm.bench import Bench
from tests.accel.kvm.fake_kernel import FakeKernel
from tests.support.chipset import CONFIG_ADDRESS, CONFIG_DATA, Chipset

POST = """
0,0,0,c0000 1,2,c0000,20000 2,2,e0000,20000 3,0,100000,7f00000 4,2,fffc0000,40000
del0 del1 del2 del3 0,0,0,d0000 1,2,d0000,10000 2,2,e0000,10000 3,0,f0000,7f10000
del0 del1 del2 del3 0,0,0,8000000
del0 0,0,0,c0000 1,2,c0000,10000 2,0,d0000,20000 3,2,f0000,10000 5,0,100000,7f00000
del1 del2 1,2,c0000,28000 2,0,e8000,8000
"""
"""Slot, flags, address, size, as SeaBIOS makes them go and come with 128 MiB and no display.

QEMU 7.2 (``-accel kvm -M pc,smm=off -m 128M -nodefaults -vga none``, trace event
``kvm_set_user_memory``) needs 30: it adds RAM below the firmware before it knows of the firmware,
in a commit of its own. The sections are the same, but for the PAM segments that are ROM: these are
read-only here, as the i440FX has them, and writable slots there.
"""


def wanted(text: str) -> list[str]:
    return [word.replace("del", "del ") for word in text.split()]


@pytest.mark.unicorn
@pytest.mark.seabios
def test_the_slots_of_a_boot():
    with VirtualMachine(MachineConfig(debugcon=True)) as machine:
        kernel = FakeKernel()
        vm = Vm(kernel)
        machine.board.cpu_memory.register_listener(vm.slots)
        machine.run(until=Phase.HALT)
        assert kernel.log == wanted(POST)
        assert vm.table.requests == len(kernel.log) <= 28
        vm.close()


@pytest.mark.unicorn
@pytest.mark.seabios
@pytest.mark.parametrize("number", [1, 9, 16, 19])
def test_a_boot_that_is_refused_a_slot(number):
    """The device that asked gets the kernel's word, and slots and view are what they were."""
    with VirtualMachine(MachineConfig(debugcon=True)) as machine:
        space = machine.board.cpu_memory
        with Bench(space) as bench:
            bench.kernel.refuse(number)
            machine.board.system.subscribe(lambda _record: seen.append(dict(bench.kernel.slots)))
            seen = [dict(bench.kernel.slots)]
            with pytest.raises(HostError, match="KVM_SET_USER_MEMORY_REGION"):
                machine.run(until=Phase.HALT)
            assert bench.kernel.slots == seen[-1]
            bench.check()


def test_each_request_of_the_pam_registers_refused():
    chipset = Chipset()
    with Bench(chipset.system) as bench:

        def pam(register, value):
            chipset.io.store(CONFIG_ADDRESS, 4, 0x8000_0000 | register & ~3)
            chipset.io.store(CONFIG_DATA + (register & 3), 1, value)

        # The data sheet's settings of a segment, in the order in which a firmware uses them.
        steps = [(r, v) for v in (0x11, 0x33, 0x22, 0x13) for r in range(0x5A, 0x60)]
        refused = sum(bench.refuse_each(partial(pam, *step)) for step in [*steps, (0x59, 0x30)])
        assert refused > len(steps)


def test_each_request_of_a_bar_that_moves_refused():
    """Memory that is behind a BAR: mapped, moved, over RAM, and unmapped again."""
    chipset = Chipset()
    with Bench(chipset.system) as bench:
        bar = chipset.memory.ram("bar", 16 * MIB)
        assert bench.refuse_each(lambda: chipset.pci_region.add_subregion(0xE0000000, bar, 1)) == 1
        assert bench.refuse_each(lambda: bar.set_address(0xF0000000)) == 1
        assert bench.refuse_each(lambda: bar.set_address(0x7800000)) == 2, "RAM hides half"
        assert bench.refuse_each(lambda: chipset.pci_region.del_subregion(bar)) == 1


@pytest.mark.seabios
def test_each_request_of_a_dimm_that_is_plugged_refused():
    pc = Pc(MachineConfig(slots=3, max_ram=2 * GIB), ManualClock(), epoch_ns=0)
    with Bench(pc.cpu_memory) as bench:
        pc.manage.object_add("memory-backend-ram", "m", {"size": 64 * MIB})
        plug = lambda: pc.manage.device_add("pc-dimm", "d", {"memdev": "m"})  # noqa: E731
        before = len(bench.kernel.slots)
        assert bench.refuse_each(plug) == 1
        assert len(bench.kernel.slots) == before + 1
        assert bench.kernel.log[-1].endswith(",0,100000000,4000000")
        bench.kernel.log.clear()
        pc.io.store(0xA00, 4, 0)
        pc.io.store(0xA14, 1, 8)  # ejected
        assert len(bench.kernel.slots) == before
    pc.system.close()
