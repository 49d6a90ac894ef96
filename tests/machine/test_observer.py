"""What the observer of a machine hears of, each of its kinds, and that it ends with the machine."""

from __future__ import annotations

import pytest

from guestmap.accel import SoftwareInterrupt
from guestmap.machine import (
    Event,
    LogLine,
    MachineConfig,
    MachineReset,
    Phase,
    PhaseChange,
    RunState,
    VirtualMachine,
)
from guestmap.memory.map import CommitRecord

pytestmark = pytest.mark.seabios


class Observed:
    """A machine whose CPU does nothing, and what its observer heard."""

    def __init__(self) -> None:
        self.heard: list[Event] = []
        config = MachineConfig(ram_size=16 << 20, debugcon=True)
        self.vm = VirtualMachine(config, engine="none", observer=self.heard.append)


def test_lines_of_the_debug_console() -> None:
    observed = Observed()
    with observed.vm as vm:
        for byte in b"one\nSeaBIOS (version 1)\nthr":
            vm.board.debug_byte(byte)
        banner = LogLine(0, "SeaBIOS (version 1)")
        assert vm.log == [LogLine(0, "one"), banner]
        assert observed.heard == [*vm.log, PhaseChange(Phase.PREINIT, 0, f"log: {banner.text}")]
        vm.board.on_debug_text(b"ee\n")
        assert observed.heard[3:] == [LogLine(0, "three")]


def test_software_interrupts_that_begin_a_phase() -> None:
    observed = Observed()
    with observed.vm as vm:
        video, boot = (
            SoftwareInterrupt(vector, 1, 2, 3, 4, 0xF000, 0x1234, real_mode=True)
            for vector in (0x10, 0x19)
        )
        for each in (video, boot):
            vm._software_interrupt(each)
        assert observed.heard == [PhaseChange(Phase.BOOT, 0, "INT 19h")]


def test_resets_and_changes_of_the_map() -> None:
    observed = Observed()
    with observed.vm as vm:
        vm.start(paused=True)
        vm.cont()
        vm.stop()
        began = observed.heard.copy()
        assert [type(each) for each in began] == [PhaseChange]
        with vm.exclusive():
            region = vm.board.system.io("extra", 4096, None)
            vm.board.system_region.add_subregion(1 << 40, region)
            vm.request_reset("a test")
            vm.request_reset("another")  # the first is told
            vm.stand()
        kinds = [type(each) for each in observed.heard[1:]]
        assert kinds[0] is CommitRecord
        assert kinds.count(MachineReset) == 1
        (told,) = (each for each in observed.heard if isinstance(each, MachineReset))
        assert told.reason == "a test"
        last = observed.heard[-1]
        assert isinstance(last, PhaseChange)
        assert (last.phase, last.evidence) == (Phase.RESET, "a test")
        assert vm.state is RunState.PRELAUNCH


def test_an_observer_hears_nothing_of_a_machine_that_is_closed() -> None:
    observed = Observed()
    vm = observed.vm
    vm.close()
    count = len(observed.heard)
    vm.close()
    assert vm.board.system.closed
    assert len(observed.heard) == count
