"""A machine of several CPUs on a real KVM: firmware starts them, they wait, and are saved."""

from __future__ import annotations

import threading
import time

import pytest

from guestmap.base import ConfigError
from guestmap.machine import MachineConfig, Phase, RunState, VirtualMachine, saved

pytestmark = [pytest.mark.kvm, pytest.mark.seabios]

CPUS = 4
WAIT_S = 60
FOUND = "Found 4 cpu(s) max supported 4 cpu(s)"


def machine(**fields) -> VirtualMachine:
    return VirtualMachine(MachineConfig(debugcon=True, cpus=CPUS, **fields), engine="kvm")


def texts(vm: VirtualMachine) -> list[str]:
    return [line.text for line in vm.log]


def test_firmware_starts_all_and_resets_them_with_the_machine():
    with machine() as vm:
        for _ in range(2):
            vm.run(until=Phase.PREPBOOT)
            log = texts(vm)
            vm.debug_log.lines.clear()
            assert FOUND in log
            started = sorted(each for each in log if each.startswith("handle_smp"))
            assert started == [f"handle_smp: apic_id=0x{n}" for n in range(1, CPUS)]
            assert not any(each.start_up.waits for each in vm.loop.loops)
            vm.system_reset()
        vm.run(until=Phase.PREINIT)
        assert [each.start_up.waits for each in vm.loop.loops] == [False, True, True, True]


def test_apic_ids_are_those_of_the_board():
    with machine(sockets=2, max_cpus=6) as vm:
        vm.run(until=Phase.PREPBOOT)
        started = sorted(each[-3:] for each in texts(vm) if each.startswith("handle_smp"))
        assert started == ["0x1", "0x2", "0x4"], "three cores of a socket have two bits"


def test_who_has_the_machine_to_itself_has_all_of_them_outside():
    with machine() as vm:
        vm.start()
        deadline = time.monotonic() + WAIT_S
        while FOUND not in texts(vm):
            assert time.monotonic() < deadline
            time.sleep(0.05)
            with vm.exclusive():
                registers = [each.save() for each in vm.vcpus]
            assert len(registers) == CPUS
        vm.stop()
        assert vm.state is RunState.PAUSED
        vm.cont()
        vm.quit()
        assert vm.wait(WAIT_S)
    assert not [x for x in threading.enumerate() if x.name.startswith("guestmap-cpu")]


@pytest.mark.long
def test_they_go_on_as_they_were_saved(tmp_path):
    path = tmp_path / "saved"
    with machine() as vm:
        vm.run(until=Phase.PREPBOOT)
        before = [each.save() for each in vm.loop.loops]
        saved.save(vm, path)
    with saved.restore(path) as vm:
        assert [each.save() for each in vm.loop.loops] == before
        vm.run(until=Phase.HALT)
        assert texts(vm)[-1] == "No bootable device."
    pytest.importorskip("unicorn")
    with pytest.raises(ConfigError, match=r"has 4 CPUs that had been started.*'unicorn' runs 1$"):
        saved.restore(path, engine="unicorn")


def test_those_that_wait_are_saved_as_waiting(tmp_path):
    path = tmp_path / "saved"
    with machine() as vm:
        vm.run(until=Phase.PREINIT)
        saved.save(vm, path)
    with saved.restore(path) as vm:
        vm.run(until=Phase.PREPBOOT)
        assert FOUND in texts(vm)
    pytest.importorskip("unicorn")
    with saved.restore(path, engine="unicorn") as vm:
        assert len(vm.vcpus) == 1
