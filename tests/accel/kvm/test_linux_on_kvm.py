"""Linux on our machine and a real KVM: to its shell, and with memory that comes and goes."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from guestmap.base import MIB
from tests.accel.kvm.linux import Linux

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.kvm, pytest.mark.seabios]

POLICY = "/sys/devices/system/memory/auto_online_blocks"


@pytest.mark.parametrize(
    "irqchip",
    [pytest.param("on", marks=pytest.mark.long), pytest.param("off", marks=pytest.mark.soak)],
)
def test_linux_runs_on_four_cpus(tmp_path: Path, irqchip: str) -> None:
    """Four CPUs on two that QEMU emulates; where it is off, all timers' interrupts come out."""
    with Linux(tmp_path, "kvm", timeout_s=3000, cpus=4, irqchip=irqchip) as guest:
        assert guest.run("grep -c ^processor /proc/cpuinfo").strip() == "4"
        ids = guest.run("grep ^apicid /proc/cpuinfo").split("\n")
        assert [each.split()[-1] for each in ids if each] == ["0", "1", "2", "3"]
        cores = guest.run("grep '^cpu cores' /proc/cpuinfo").split("\n")
        assert {each.split()[-1] for each in cores if each} == {"4"}
        before = _local_timers(guest)
        for cpu in range(4):
            here = f"taskset {1 << cpu:x} sh -c"
            guest.run(f"{here} 'i=0; while [ $i -lt 9999 ]; do i=$((i+1)); done'")
            said = guest.run(f"{here} 'cut -d\" \" -f39 /proc/self/stat'")
            assert said.strip() == str(cpu), "a program runs where it is told to"
        assert all(now > then for now, then in zip(_local_timers(guest), before, strict=True))
        guest.run("echo 0 >/sys/devices/system/cpu/cpu2/online")
        assert guest.run("cat /sys/devices/system/cpu/online").strip() == "0-1,3"
        guest.run("echo 1 >/sys/devices/system/cpu/cpu2/online")
        assert guest.run("cat /sys/devices/system/cpu/online").strip() == "0-3"


@pytest.mark.long
@pytest.mark.parametrize("irqchip", ["split", "on"])
def test_linux_on_the_kernels_interrupt_controllers(tmp_path: Path, irqchip: str) -> None:
    with Linux(tmp_path, "kvm", timeout_s=900, cpus=2, irqchip=irqchip) as guest:
        assert guest.run("grep -c ^processor /proc/cpuinfo").strip() == "2"
        lines = guest.run("cat /proc/interrupts").splitlines()
        assert any("IO-APIC" in each and "ttyS0" in each for each in lines)
        assert any("fasteoi" in each and "acpi" in each for each in lines)
        before = _local_timers(guest)
        guest.run("i=0; while [ $i -lt 9999 ]; do i=$((i+1)); done")
        assert sum(_local_timers(guest)) > sum(before)


def _local_timers(guest: Linux) -> list[int]:
    """Return how many interrupts of its own timer each CPU has had."""
    line = guest.run("grep LOC: /proc/interrupts")
    return [int(word) for word in line.split() if word.isdecimal()]


@pytest.mark.long
def test_linux_onlines_a_dimm_and_gives_it_back(tmp_path: Path) -> None:
    with Linux(tmp_path, "kvm", timeout_s=900) as guest:
        vm, before = guest.vm, guest.memory
        assert "IO-APIC" in guest.run("cat /proc/interrupts")
        guest.run(f"echo online_movable > {POLICY}")
        with vm.exclusive():
            manage = vm.board.manage
            manage.object_add("memory-backend-ram", "mem0", {"size": 128 * MIB})
            manage.device_add("pc-dimm", "dimm0", {"memdev": "mem0"})
        guest.until("grep MemTotal /proc/meminfo", f" {before + 128 * MIB >> 10} kB")
        slots = [each.slot for each in vm.accelerator.listener._table.live.values()]
        assert any(each.block.name.endswith("mem0") and each.size == 128 * MIB for each in slots)
        with vm.exclusive():
            manage.device_del("dimm0")
        deadline = time.monotonic() + 900
        while manage.memory_devices():
            assert time.monotonic() < deadline
            time.sleep(0.5)
        assert guest.memory == before
        assert all(
            each.slot.block.name != "mem0" for each in vm.accelerator.listener._table.live.values()
        )
