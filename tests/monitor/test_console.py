"""Keys, mouse and screen through the monitor, beside QEMU's: the same bytes at its ports."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from guestmap.base import ConfigError, ManualClock, StateError
from guestmap.hw.ps2.keys import KEYS
from guestmap.machine import MachineConfig, VirtualMachine
from guestmap.monitor.command import Context
from guestmap.monitor.commands import command_table
from guestmap.monitor.commands.console import UNKNOWN_KEYS
from guestmap.monitor.hmp import HumanMonitor
from guestmap.qmp import validate
from tests.support.qemu import Qemu

pytestmark = pytest.mark.seabios

_DATA, _STATUS, _FULL, _OF_MOUSE = 0x60, 0x64, 0x01, 0x20


class Ours:
    """A machine of ours whose CPU does nothing, and whose time is ours to move."""

    def __init__(self, vm: VirtualMachine, clock: ManualClock) -> None:
        self.vm, self.clock = vm, clock
        self.context = Context(vm, command_table())

    def qmp(self, name: str, **arguments: Any) -> Any:
        command = self.context.commands[name]
        checked = validate(
            command.declaration.arguments, {k.replace("_", "-"): v for k, v in arguments.items()}
        )
        return command.run(self.context, checked)

    def inb(self, port: int) -> int:
        return self.vm.board.io.load(port, 1)

    def outb(self, port: int, value: int) -> None:
        self.vm.board.io.store(port, 1, value)


@pytest.fixture
def ours() -> Iterator[Ours]:
    clock = ManualClock()
    with VirtualMachine(MachineConfig(vga="std"), engine="none", clock=clock) as vm:
        vm.cont()
        yield Ours(vm, clock)


@pytest.fixture(scope="module")
def halted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Qemu]:
    """A QEMU that runs, and whose guest does nothing: firmware of one HLT."""
    path = tmp_path_factory.mktemp("firmware") / "halt.bin"
    path.write_bytes(bytes(0xFFF0) + b"\xfa\xf4\xeb\xfd" + bytes(12))
    with Qemu("-bios", str(path), stopped=False) as qemu:
        yield qemu


def drained(machine: Ours | Qemu) -> list[tuple[int, bool]]:
    """Return the bytes that wait, and whether each is the mouse's."""
    found = []
    while (status := machine.inb(_STATUS)) & _FULL:
        found.append((machine.inb(_DATA), bool(status & _OF_MOUSE)))
    return found


def set_mode(machine: Ours | Qemu, *, set_1: bool) -> None:
    machine.outb(_STATUS, 0x60)
    machine.outb(_DATA, 0x43 if set_1 else 0x03)
    drained(machine)


def key(name: str | int, down: bool) -> dict[str, Any]:
    kind = "qcode" if isinstance(name, str) else "number"
    return {"type": "key", "data": {"down": down, "key": {"type": kind, "data": name}}}


def _felt(machine: Ours | Qemu, *events: dict[str, Any]) -> list[tuple[int, bool]]:
    machine.qmp("input-send-event", events=list(events))
    return drained(machine)


@pytest.mark.qemu
@pytest.mark.qemu_7_2("its keyboard")
@pytest.mark.parametrize("set_1", [False, True])
def test_every_key_sends_what_qemus_sends(ours: Ours, halted: Qemu, set_1: bool) -> None:
    for machine in (ours, halted):
        set_mode(machine, set_1=set_1)
    names = [*KEYS, *UNKNOWN_KEYS, *range(0x102)]
    for name in names:
        for down in (True, False):
            event = key(name, down)
            assert _felt(ours, event) == _felt(halted, event), (name, down)
    for modifier in ("alt", "alt_r", "ctrl", "ctrl_r", "shift", "shift_r"):
        for name in ("print", "sysrq", "pause"):
            for event in (key(modifier, True), key(name, True), key(name, False),
                          key(modifier, False)):  # fmt: skip
                assert _felt(ours, event) == _felt(halted, event), (modifier, name)


@pytest.mark.qemu
@pytest.mark.qemu_7_2("its mouse")
@pytest.mark.parametrize("knock", [(), (200, 100, 80), (200, 100, 80, 200, 200, 80)])
def test_the_mouse_sends_what_qemus_sends(ours: Ours, halted: Qemu, knock: tuple[int, ...]) -> None:
    rng = random.Random(len(knock))
    commands = [0xFF, *(value for rate in knock for value in (0xF3, rate)), 0xF4]
    for machine in (ours, halted):
        for value in commands:
            machine.outb(_STATUS, 0xD4)
            machine.outb(_DATA, value)
            drained(machine)
    buttons = ("left", "middle", "right", "wheel-up", "wheel-down", "side", "extra")
    released = [{"type": "btn", "data": {"button": each, "down": False}} for each in buttons]
    assert _felt(ours, *released)[1:3] == _felt(halted, *released)[1:3]
    for _ in range(40):
        events: list[dict[str, Any]] = []
        for _ in range(rng.randrange(1, 4)):
            if rng.random() < 0.5:
                down = {"button": rng.choice(buttons), "down": rng.random() < 0.6}
                events.append({"type": "btn", "data": down})
            else:
                moved = {"axis": rng.choice("xy"), "value": rng.randrange(-300, 300)}
                events.append({"type": "rel", "data": moved})
        assert _felt(ours, *events) == _felt(halted, *events), events


def test_typed_keys_go_down_and_come_up_again(ours: Ours) -> None:
    set_mode(ours, set_1=True)
    keys = [{"type": "qcode", "data": name} for name in ("ctrl", "alt", "delete")]
    ours.qmp("send-key", keys=keys)
    expected = ["1d", "38", "e053", "e0d3", "b8", "9d"]
    for strokes in expected:
        assert bytes(value for value, _ in drained(ours)).hex() == strokes
        ours.clock.advance(99_000_000)
        assert not drained(ours)
        ours.clock.advance(1_000_000)
    assert not drained(ours)


def test_what_is_typed_on_top_comes_behind(ours: Ours) -> None:
    set_mode(ours, set_1=True)
    for name in ("a", "b"):
        ours.qmp("send-key", keys=[{"type": "qcode", "data": name}], hold_time=5)
    ours.qmp("input-send-event", events=[key("c", True)])
    seen = b""
    for _ in range(8):
        seen += bytes(value for value, _ in drained(ours))
        ours.clock.advance(5_000_000)
    assert seen.hex() == "1e9e30b02e"


def test_keys_are_typed_in_the_human_monitor(ours: Ours) -> None:
    set_mode(ours, set_1=True)
    human = HumanMonitor(ours.vm)
    assert human.execute("sendkey shift-a-0x1f 0") == ""
    assert bytes(value for value, _ in drained(ours)).hex() == "2a1e1f9f9eaa"
    assert human.execute("sendkey foo") == "invalid parameter: foo\r\n"
    assert human.execute("sendkey a-") == "invalid parameter: \r\n"


def test_nobody_feels_keys_while_the_machine_stands(ours: Ours) -> None:
    set_mode(ours, set_1=True)
    ours.vm.stop()
    ours.qmp("send-key", keys=[{"type": "qcode", "data": "a"}])
    ours.vm.cont()
    assert not drained(ours)
    ours.vm.stop()
    with pytest.raises(StateError, match=r"^VM not running$"):
        ours.qmp("input-send-event", events=[])
    with pytest.raises(ConfigError, match=r"^Device 'x' not found$"):
        ours.qmp("input-send-event", events=[], device="x")


def test_the_screen_is_dumped(ours: Ours, tmp_path: Path) -> None:
    for form in ("ppm", "png"):
        file = tmp_path / form
        ours.qmp("screendump", filename=str(file), format=form)
        with Image.open(file) as image:
            assert image.format == form.upper()
            picture = ours.vm.board.picture()
            assert picture is not None
            assert (image.size, image.tobytes()) == (picture[:2], picture.rgb)
    assert HumanMonitor(ours.vm).execute(f"screendump {tmp_path / 'human'}") == ""
    human = HumanMonitor(ours.vm)
    assert human.execute(f"screendump {tmp_path / 'dots'} -f png") == ""
    assert (tmp_path / "dots").read_bytes() == (tmp_path / "png").read_bytes()
    assert human.execute(f"screendump {tmp_path / 'x'} -f gif").startswith("Error: invalid par")
    assert (
        human.execute(f"screendump {tmp_path / 'x'} vga9") == "Error: Device 'vga9' not found\r\n"
    )
    assert (tmp_path / "human").read_bytes() == (tmp_path / "ppm").read_bytes()


def test_a_machine_without_a_screen_has_nothing_to_dump(tmp_path: Path) -> None:
    with VirtualMachine(MachineConfig(), engine="none") as vm:
        ours = Ours(vm, ManualClock())
        with pytest.raises(ConfigError, match=r"no console to take a screendump from$"):
            ours.qmp("screendump", filename=str(tmp_path / "x"))
