"""Stopping, going on, resetting, and what is said of the machine in one line."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import UUID

import pytest

from guestmap.machine import MachineConfig, MachineEvent, RunState, VirtualMachine
from guestmap.monitor.hmp import HumanMonitor
from tests.monitor.hmp.beside import Beside


class Machine:
    """A started machine without a CPU, its monitor, and the events that it told."""

    def __init__(self, vm: VirtualMachine) -> None:
        self.vm = vm
        self.monitor = HumanMonitor(vm)
        self.events: list[MachineEvent] = []
        vm.events.subscribe(self.events.append)

    def __call__(self, line: str) -> str:
        with self.vm.exclusive():
            return self.monitor.execute(line)

    @property
    def told(self) -> list[str]:
        return [event.name for event in self.events]


@pytest.fixture
def machine() -> Iterator[Machine]:
    config = MachineConfig(name="box", uuid=UUID(int=7))
    with VirtualMachine(config, engine="none") as vm:
        vm.start(paused=True)
        yield Machine(vm)


def test_cont_and_stop(machine: Machine) -> None:
    assert machine("info status") == "VM status: paused (prelaunch)\r\n"
    assert machine("cont") == ""
    assert machine.vm.state is RunState.RUNNING
    assert machine("info status") == "VM status: running\r\n"
    assert machine("s") == ""
    assert machine("info status") == "VM status: paused\r\n"
    assert machine("c") == ""
    assert machine("info status") == "VM status: running\r\n"
    assert machine.told == ["RESUME", "STOP", "RESUME"]


def test_a_machine_that_ended_must_be_reset(machine: Machine) -> None:
    machine.vm.quit()
    assert machine("info status") == "VM status: paused (shutdown)\r\n"
    assert machine("cont") == "Error: Resetting the Virtual Machine is required\r\n"


def test_the_power_button_and_the_reset_wire(machine: Machine) -> None:
    assert machine("system_powerdown") == ""
    assert machine.told == ["POWERDOWN"]
    machine.vm.board.io.store(0x92, 1, 2)
    assert machine("system_reset") == ""
    assert machine("quit") == ""
    assert machine.vm.wait(30)
    assert machine.told[-1] == "SHUTDOWN"


def test_who_it_is(machine: Machine) -> None:
    assert machine("info name") == "box\r\n"
    assert machine("info uuid") == "00000000-0000-0000-0000-000000000007\r\n"
    assert machine("info version").startswith("7.2.")
    assert machine("info kvm") == "kvm support: not compiled\r\n"
    assert machine("info cpus").startswith("* CPU #0: thread_id=")


@pytest.mark.qemu
def test_what_is_said_in_one_line_is_what_qemu_says(plain: Beside, full: Beside) -> None:
    for pair in (plain, full):
        pair.check(
            "info status", "info name", "info uuid", "info memory_size_summary",
            "info memory-devices", "info hotpluggable-cpus",
        )  # fmt: skip
