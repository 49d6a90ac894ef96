"""Linux on a machine of four CPUs and a real KVM, each CPU with its thread."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.accel.kvm.linux import Linux

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.kvm, pytest.mark.long, pytest.mark.seabios]


@pytest.mark.parametrize("irqchip", ["on", "off"])
def test_linux_runs_on_four_cpus(tmp_path: Path, irqchip: str) -> None:
    """Where the interrupt controllers are the machine's, all timers' interrupts come out."""
    with Linux(tmp_path, "kvm", timeout_s=2400, cpus=4, irqchip=irqchip) as guest:
        assert guest.run("grep -c ^processor /proc/cpuinfo").strip() == "4"
        ids = guest.run("grep ^apicid /proc/cpuinfo").split("\n")
        assert [each.split()[-1] for each in ids if each] == ["0", "1", "2", "3"]
        cores = guest.run("grep '^cpu cores' /proc/cpuinfo").split("\n")
        assert {each.split()[-1] for each in cores if each} == {"4"}
        before = guest.local_timers()
        for cpu in range(4):
            here = f"taskset {1 << cpu:x} sh -c"
            guest.run(f"{here} 'i=0; while [ $i -lt 9999 ]; do i=$((i+1)); done'")
            said = guest.run(f"{here} 'cut -d\" \" -f39 /proc/self/stat'")
            assert said.strip() == str(cpu), "a program runs where it is told to"
        assert all(now > then for now, then in zip(guest.local_timers(), before, strict=True))
        guest.run("echo 0 >/sys/devices/system/cpu/cpu2/online")
        assert guest.run("cat /sys/devices/system/cpu/online").strip() == "0-1,3"
        guest.run("echo 1 >/sys/devices/system/cpu/cpu2/online")
        assert guest.run("cat /sys/devices/system/cpu/online").strip() == "0-3"
