"""Faults in the devices that their tests must notice."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.planted import Fault, is_noticed

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.long

FAULTS = (
    Fault(
        "hw/acpi/pci_hotplug.py",
        "            if device is not None and device.hotpluggable:",
        "            if device is not None:",
        "hotplug/test_pci.py",
    ),
    Fault(
        "machine/hotplug/pci.py",
        "        if device.hotplugged:",
        "        if not device.hotplugged:",
        "hotplug/test_pci.py",
    ),
    Fault(
        "hw/pci/shpc.py",
        "                self._bus.root.on_eject(device)",
        "                device.remove()",
        "hotplug/test_pci.py",
    ),
    Fault(
        "hw/pci/shpc.py",
        "            events |= reg.EVENT_LATCH | reg.EVENT_PRESENCE",
        "            pass",
        "hotplug/test_bridges.py",
    ),
    Fault(
        "machine/hotplug/pci.py",
        "        made.hotpluggable = made.hotpluggable or device.hotplugged",
        "        pass",
        "hotplug/test_bridges.py",
    ),
    Fault(
        "hw/serial/chip.py",
        "        rearm(self._timeout, self.state.timeout_ns)",
        "        pass",
        "hw/test_contract.py",
    ),
    Fault(
        "hw/i8259/device.py",
        "        self.state.levels = levels(self.inputs)",
        "        self.state.levels = None",
        "hw/test_contract.py",
    ),
    Fault(
        "hw/i8254/device.py",
        "not counter.gate and counter.mode in (1, 2, 3, 5):",
        "not counter.gate and counter.mode in (1, 3, 5):",
        "hw/i8254/test_i8254.py",
    ),
    Fault(
        "hw/i8254/device.py",
        "_MAX_LAG_NS = SECOND_NS",
        "_MAX_LAG_NS = 10_000 * SECOND_NS",
        "hw/i8254/test_i8254.py",
    ),
    Fault(
        "hw/i8254/device.py",
        "            self._update_irq(now)",
        "            self._update_irq(self._clock.now_ns())",
        "hw/i8254/test_i8254.py",
    ),
    Fault(
        "hw/serial/registers.py",
        "TRIGGER_BYTES = (1, 4, 8, 14)",
        "TRIGGER_BYTES = (1, 4, 8, 12)",
        "hw/serial/test_serial.py",
    ),
    Fault(
        "hw/pci/device.py",
        "            self.set_interrupt(False)\n            for bar",
        "            for bar",
        "hw/pci/test_device.py",
    ),
    Fault(
        "hw/apic/timer.py",
        "self._timer.start(self._next(now))",
        "self._timer.start(self._next(self._clock.now_ns()))",
        "hw/apic/test_local.py",
    ),
    Fault(
        "hw/apic/timer.py",
        "if elapsed >= self.state.initial_count:",
        "if elapsed > self.state.initial_count:",
        "hw/apic/test_local.py",
    ),
    Fault(
        "hw/hpet/timer.py",
        "return distance if 0 < distance < 1 << bits - 1 else 1",
        "return distance",
        "hw/hpet/test_hpet.py",
    ),
    Fault(
        "hw/hpet/timer.py",
        "periods = -(-behind // self.state.period)",
        "periods = behind // self.state.period",
        "hw/hpet/test_hpet.py",
    ),
    Fault(
        "hw/mc146818/running.py",
        "rate + 7 if rate <= 2 else rate",
        "rate + 7 if rate <= 1 else rate",
        "hw/mc146818/test_mc146818.py",
    ),
    Fault(
        "hw/mc146818/running.py",
        "        return self._next_periodic(due_ns)",
        "        return self._next_periodic(self._clock.now_ns())",
        "hw/mc146818/test_mc146818.py",
    ),
    Fault(
        "hw/i8259/pair.py",
        "return slave.irq_base + (line if line >= 0 else 7)",
        "return slave.irq_base + (line if line >= 0 else 15)",
        "hw/i8259/test_i8259.py",
    ),
    Fault(
        "hw/i8259/state.py",
        "            serving &= ~self.imr",
        "            serving &= self.imr",
        "hw/i8259/test_i8259.py",
    ),
    Fault(
        "hw/apic/ioapic.py",
        "pin = 2 if line == 0 else line",
        "pin = line",
        "hw/apic/test_ioapic.py",
    ),
    Fault(
        "hw/apic/ioapic.py",
        "            new &= ~_REMOTE_IRR",
        "            pass",
        "hw/apic/test_ioapic.py",
    ),
    Fault(
        "hw/apic/bus.py",
        "            targets = targets[:1]",
        "            pass",
        "hw/apic/test_local.py",
    ),
    Fault(
        "hw/i8257/device.py",
        "value = channel.address - channel.position",
        "value = channel.address + channel.position",
        "hw/i8257/test_i8257.py",
    ),
    Fault(
        "hw/ps2/device.py",
        "return _QUEUE_BYTES - len(self.state.replies) - len(self.state.events)",
        "return _QUEUE_BYTES - len(self.state.replies) + len(self.state.events)",
        "hw/ps2/test_i8042.py",
    ),
    Fault(
        "hw/acpi/pm.py",
        "& ~(_HALF_PERIOD - 1)",
        "& ~_HALF_PERIOD",
        "hw/acpi/test_pm.py",
    ),
    Fault(
        "hw/pci/bar.py",
        "return start if last < limit else None",
        "return start if last <= limit else None",
        "hw/pci/test_device.py",
    ),
    Fault(
        "hw/pci/msi.py",
        "            config.set(self.offset + _PENDING, pending & ~1, 4)",
        "            pass",
        "hw/pci/test_msi.py",
    ),
    Fault(
        "hw/acpi/memory_hotplug.py",
        "            self.on_eject(self.state.selected)",
        "            self.on_eject(0)",
        "hw/acpi/test_memory_hotplug.py",
    ),
)


@pytest.mark.parametrize("fault", FAULTS, ids=str)
def test_a_planted_fault_is_noticed(fault: Fault, tmp_path: Path) -> None:
    assert is_noticed(fault, tmp_path)
