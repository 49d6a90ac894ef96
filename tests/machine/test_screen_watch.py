"""Who waits for a screen is woken by what is written to it, and by nothing else."""

from __future__ import annotations

import select
from collections.abc import Iterator

import pytest

from guestmap.base import ConfigError
from guestmap.machine import MachineConfig, VirtualMachine
from guestmap.machine.screen_watch import OFTEN_S, SELDOM_S, ScreenWatch
from tests.hw.vga import modes

pytestmark = pytest.mark.seabios


@pytest.fixture(params=["std", "cirrus"])
def vm(request: pytest.FixtureRequest) -> Iterator[VirtualMachine]:
    with VirtualMachine(MachineConfig(vga=request.param), engine="none") as machine:
        _set(machine, modes.TEXT_80)
        yield machine


def _set(vm: VirtualMachine, mode: modes.Mode) -> None:
    for line in mode.commands():
        word, port, *value = line.split()
        if word == "outb":
            vm.board.io.store(int(port, 0), 1, int(value[0], 0))
        else:
            vm.board.io.load(int(port, 0), 1)


def _is_told(watch: ScreenWatch) -> bool:
    return bool(select.select([watch], [], [], 0)[0])


def _memory(vm: VirtualMachine) -> memoryview:
    assert vm.board.display is not None
    return vm.board.display.memory


def test_what_is_written_is_told_once(vm: VirtualMachine) -> None:
    with ScreenWatch(vm) as watch:
        assert _is_told(watch), "of the first picture"
        assert watch.changed()
        assert not _is_told(watch)
        assert not watch.changed(), "it stands still"
        vm.board.memory.store(0xB8000, 1, 0x41)
        vm.board.memory.store(0xB8002, 1, 0x42)
        assert _is_told(watch)
        assert watch.changed()
        assert not _is_told(watch)
        assert not watch.changed()


def test_a_register_is_told(vm: VirtualMachine) -> None:
    with ScreenWatch(vm) as watch:
        assert watch.changed()
        for port, value in ((0x3D4, 0x0F), (0x3D5, 0x21)):  # the cursor's place
            vm.board.io.store(port, 1, value)
        assert _is_told(watch)
        assert watch.changed()
        vm.board.io.load(0x3DA, 1)
        assert not _is_told(watch), "reading changes nothing"


def test_a_reset_is_told(vm: VirtualMachine) -> None:
    with ScreenWatch(vm) as watch:
        assert watch.changed()
        assert vm.board.display is not None
        vm.board.display.reset()
        assert _is_told(watch)


def test_what_a_cpu_stores_straight_is_found_out(vm: VirtualMachine) -> None:
    with ScreenWatch(vm) as watch:
        assert watch.changed()
        _memory(vm)[5] ^= 0xFF
        assert not _is_told(watch)
        assert watch.changed()
        assert not watch.changed()


def test_only_a_running_machine_is_often_looked_at(vm: VirtualMachine) -> None:
    with ScreenWatch(vm) as watch:
        assert watch.look_again_s == SELDOM_S
        _set(vm, modes.GRAPHICS["320x200, 256 colours"])
        assert watch.look_again_s == SELDOM_S, "it stands"
        vm.cont()
        assert watch.look_again_s == OFTEN_S
        _set(vm, modes.TEXT_80)
        assert watch.look_again_s == SELDOM_S


def test_afterwards_nobody_is_told(vm: VirtualMachine) -> None:
    with ScreenWatch(vm):
        pass
    vm.board.memory.store(0xB8000, 1, 0x41)
    vm.board.io.store(0x3D4, 1, 0x0F)


def test_a_machine_without_a_screen_has_nothing_to_watch() -> None:
    with (
        VirtualMachine(MachineConfig(), engine="none") as machine,
        pytest.raises(ConfigError, match="there is no screen to watch"),
    ):
        ScreenWatch(machine)
