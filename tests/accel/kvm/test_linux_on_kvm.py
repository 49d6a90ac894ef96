"""Linux on our machine and a real KVM: to its shell, and with memory that comes and goes."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from guestmap.base import MIB
from tests.accel.kvm.linux import Linux

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.kvm, pytest.mark.long, pytest.mark.seabios]

POLICY = "/sys/devices/system/memory/auto_online_blocks"


@pytest.mark.parametrize("irqchip", ["split", "on"])
def test_linux_on_the_kernels_interrupt_controllers(tmp_path: Path, irqchip: str) -> None:
    with Linux(tmp_path, "kvm", timeout_s=900, cpus=2, irqchip=irqchip) as guest:
        assert guest.run("grep -c ^processor /proc/cpuinfo").strip() == "2"
        lines = guest.run("cat /proc/interrupts").splitlines()
        assert any("IO-APIC" in each and "ttyS0" in each for each in lines)
        assert any("fasteoi" in each and "acpi" in each for each in lines)
        before = guest.local_timers()
        guest.run("i=0; while [ $i -lt 9999 ]; do i=$((i+1)); done")
        assert sum(guest.local_timers()) > sum(before)


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
