"""A machine whose interrupt controllers are a real kernel's, all or the local APICs alone."""

from __future__ import annotations

import pytest

from guestmap.base import UnsupportedError
from guestmap.machine import MachineConfig, Phase, VirtualMachine, saved

pytestmark = [pytest.mark.kvm, pytest.mark.seabios]


def machine(kind: str, **fields) -> VirtualMachine:
    config = MachineConfig(debugcon=True, options={"kernel-irqchip": kind}, **fields)
    return VirtualMachine(config, engine="kvm")


@pytest.mark.parametrize("kind", ["split", "on"])
def test_firmware_comes_to_its_end(kind, tmp_path):
    with machine(kind) as vm:
        vm.run(until=Phase.HALT)
        assert [line.text for line in vm.log][-1] == "No bootable device."
        assert vm.accelerator.irqchip.kind.value == kind
        with pytest.raises(UnsupportedError, match=f"kernel-irqchip={kind} the state of interrupt"):
            saved.save(vm, tmp_path / "saved")


@pytest.mark.long
@pytest.mark.parametrize("kind", ["split", "on"])
def test_firmware_starts_four_cpus_also_after_a_reset(kind):
    with machine(kind, cpus=4) as vm:
        for _ in range(2):
            vm.run(until=Phase.PREPBOOT)
            log = [line.text for line in vm.log]
            vm.debug_log.lines.clear()
            started = sorted(each for each in log if each.startswith("handle_smp"))
            assert started == [f"handle_smp: apic_id=0x{n}" for n in (1, 2, 3)]
            vm.board.on_reset_request("port CF9h")
