"""Every way to reset a PC, and the second POST that follows."""

from __future__ import annotations

import resource

import pytest

from guestmap.accel import Register, Segment, SegmentRegister
from guestmap.machine import MachineConfig, MachineReset, Phase, VirtualMachine

pytestmark = [pytest.mark.unicorn, pytest.mark.seabios]

# What SeaBIOS on QEMU 7.2 does when a reset finds the BIOS segment still in RAM: it puts the ROM
# back and resets once more.
RESUME = ["In resume (status=0)", "In 32bit resume", "Attempting a hard reboot"]
FIRMWARES_OWN_RESET = "port CF9h"


class Booted:
    """A machine at "No bootable device", and what it said."""

    def __init__(self) -> None:
        self.resets: list[str] = []
        self.vm = VirtualMachine(MachineConfig(debugcon=True), observer=self._observe)
        self.vm.run(until=Phase.HALT)
        self.first_log = [line.text for line in self.vm.log]

    def _observe(self, event: object) -> None:
        if isinstance(event, MachineReset):
            self.resets.append(event.reason)

    def run_on(self) -> list[str]:
        """Run until the firmware gives up again; return what it wrote meanwhile."""
        before = len(self.vm.log)
        self.vm.run(until=Phase.HALT)
        return [line.text for line in self.vm.log[before:]]


@pytest.fixture
def booted():
    booted = Booted()
    yield booted
    booted.vm.close()


def _keyboard(pc):
    pc.io.store(0x64, 1, 0xFE)


def _cf9(pc):
    pc.io.store(0xCF9, 1, 0x06)


def _port92(pc):
    pc.io.store(0x92, 1, 0x00)
    pc.io.store(0x92, 1, 0x01)


@pytest.mark.parametrize(
    ("trigger", "reason"),
    [(_cf9, "port CF9h"), (_keyboard, "keyboard controller"), (_port92, "port 92h")],
)
def test_a_reset_port_starts_a_second_post(booted, trigger, reason):
    trigger(booted.vm.board)
    assert booted.run_on() == RESUME + booted.first_log
    assert booted.resets == [reason, FIRMWARES_OWN_RESET]


def test_a_triple_fault_starts_a_second_post(booted):
    vm = booted.vm
    vm.board.memory.write(0x7C00, b"\xcc")  # int3
    vm.vcpu.write_segment(SegmentRegister.CS, Segment(0, 0, 0xFFFF))
    vm.vcpu.write_segment(SegmentRegister.IDTR, Segment(0, 0, 0))
    vm.vcpu.write_register(Register.EIP, 0x7C00)
    assert booted.run_on() == RESUME + booted.first_log
    assert booted.resets == ["triple fault", FIRMWARES_OWN_RESET]


def test_the_map_after_a_reset_is_the_one_that_the_firmware_left(booted):
    """As in QEMU, the attribute map outlives a reset; the BARs do not."""
    before = [repr(each) for each in booted.vm.board.memory.view]
    booted.vm.board.system_reset()
    assert [repr(each) for each in booted.vm.board.memory.view] == before


def test_ram_keeps_its_content_over_a_reset(booted):
    booted.vm.board.memory.write(0x500000, b"still here")
    booted.vm.board.system_reset()
    assert booted.vm.board.memory.read(0x500000, 10) == b"still here"


def test_an_interrupt_that_cannot_be_delivered_is_a_triple_fault_and_forgotten(booted):
    vm = booted.vm
    vm.vcpu.write_segment(SegmentRegister.IDTR, Segment(0, 0, 0))
    vm.board.lines[1].set(True)
    assert vm.board.interrupts.pending
    assert booted.run_on() == RESUME + booted.first_log
    assert booted.resets == ["triple fault", FIRMWARES_OWN_RESET]


def test_a_guest_that_resets_again_and_again_costs_no_more(booted):
    """Each POST translates more than a MiB of code anew."""
    for _warm in range(2):
        _cf9(booted.vm.board)
        booted.run_on()
    before = _resident_kib()
    for _again in range(6):
        _cf9(booted.vm.board)
        booted.run_on()
    assert _resident_kib() - before < 4096


def _resident_kib() -> int:
    with open("/proc/self/statm", encoding="ascii") as statm:
        return int(statm.read().split()[1]) * resource.getpagesize() // 1024
