"""A machine's screen as pages have it: pictures for who looks, keys, and where dots are."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from guestmap.base import ConfigError
from guestmap.cli.screen.codes import CODES
from guestmap.cli.screen.served import ServedScreen
from guestmap.hw.ps2.keys import KEYS
from guestmap.machine import MachineConfig, VirtualMachine
from guestmap.view.guest_screen import ScreenFrame
from guestmap.view.screen_panel import ScreenPanel
from tests.hw.vga import modes

_PATIENCE_S = 60
_KEYBOARD, _HAS_BYTE = 0x60, 0x64
_TEXT = 0xB8000


@pytest.fixture
def vm() -> Iterator[VirtualMachine]:
    with VirtualMachine(MachineConfig(vga="std"), engine="none") as machine:
        for line in modes.TEXT_80.commands():
            word, port, *value = line.split()
            if word == "outb":
                machine.board.io.store(int(port, 0), 1, int(value[0], 0))
            else:
                machine.board.io.load(int(port, 0), 1)
        yield machine


def _until_shown(screen: ServedScreen, vm: VirtualMachine) -> ScreenFrame:
    """Wait until the newest picture is what the machine's screen shows."""
    end = time.monotonic() + _PATIENCE_S
    while screen.frame is None or screen.frame.rgb != vm.board.picture().rgb:
        assert time.monotonic() < end
        time.sleep(0.01)
    return screen.frame


@pytest.mark.seabios
def test_pictures_are_taken_for_who_looks(vm):
    vm.board.display.state.palette[:] = bytes(range(0x40)) * 12
    with ServedScreen(vm) as screen:
        vm.board.memory.store(_TEXT, 2, 0x0741)
        assert screen.frame is None, "nobody looks"
        leave = screen.look()
        first = _until_shown(screen, vm)
        assert (first.width, first.height) == (720, 400)
        vm.board.memory.store(_TEXT, 2, 0xF041)
        second = _until_shown(screen, vm)
        assert second.rgb != first.rgb
        assert second.number > first.number
        leave()
        vm.board.memory.store(_TEXT, 2, 0x0741)
    assert screen.frame.rgb == first.rgb, "the last is there in any case"


@pytest.mark.seabios
def test_where_a_dot_is_can_be_asked_when_the_machine_is_gone(vm):
    with ServedScreen(vm) as screen:
        screen.look()
        _until_shown(screen, vm)
    vm.close()
    assert screen.frame is not None
    place = screen.frame.place
    assert place(9 * 3, 16 * 2) == (
        "dot 27, 32: its character, 2 bytes at 0x28c of RAM block 0000:00:02.0/vga.vram;"
        " guest address 0xb_8146 (vga-lowmem)"
    )
    assert place(720, 0) == "dot 720, 0: nothing of the guest's memory is shown there"
    screen.key("KeyA", pressed=True)  # felt by nobody
    screen.look()()


@pytest.mark.seabios
def test_keys_reach_the_keyboard_of_a_machine_that_runs(vm):
    with ServedScreen(vm) as screen:
        screen.key("KeyA", pressed=True)
        assert not vm.board.io.load(_HAS_BYTE, 1) & 1, "it stands"
        vm.cont()
        screen.key("NoSuchKey", pressed=True)
        assert not vm.board.io.load(_HAS_BYTE, 1) & 1
        for pressed, code in ((True, 0x1E), (False, 0x9E)):
            screen.key("KeyA", pressed=pressed)
            assert vm.board.io.load(_HAS_BYTE, 1) & 1
            assert vm.board.io.load(_KEYBOARD, 1) in {code, 0x1C, 0xF0}


def test_each_key_that_a_browser_names_is_one_of_the_keyboards():
    assert set(CODES.values()) <= set(KEYS)
    assert len(set(CODES.values())) == len(CODES)
    assert {"a", "z", "0", "9", "f12", "spc", "ret", "kp_0", "up", "ctrl_r"} <= {*CODES.values()}


class FakeScreen:
    """Takes keys."""

    takes_keys, hint = True, ""
    frame = None

    def __init__(self) -> None:
        self.keys: list[tuple[str, bool]] = []

    def look(self):
        return lambda: None

    def key(self, code: str, *, pressed: bool) -> None:
        self.keys.append((code, pressed))


def test_what_no_page_of_ours_sends_is_no_key():
    screen = FakeScreen()
    panel = ScreenPanel(screen)
    for typed in ("1 1 KeyA", "", "KeyA", "1 2 KeyA", "1 1 Key A", "-1 1 KeyA", "1 1 " + "K" * 99,
                  "2 0 KeyA", "1 1 KéyA", "1 1 KeyA\n"):  # fmt: skip
        panel.typed.value = typed
    assert screen.keys == [("KeyA", True), ("KeyA", False)]


@pytest.mark.seabios
def test_a_machine_without_a_screen_has_none_to_show():
    with (
        VirtualMachine(MachineConfig(), engine="none") as vm,
        pytest.raises(ConfigError, match="there is no screen to watch"),
    ):
        ServedScreen(vm)
