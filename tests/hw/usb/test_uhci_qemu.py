"""The UHCI beside QEMU's: the same answers to random accesses, the same map, frames alike."""

from __future__ import annotations

import random
import time
from pathlib import Path
from typing import Any

import pytest

from guestmap.base import ManualClock
from guestmap.hw.usb.uhci import Piix3Uhci
from guestmap.inspect import Snapshot
from guestmap.inspect.text.mtree import write_flat, write_mtree
from guestmap.machine import MachineConfig, Pc, VirtualMachine, config_of
from guestmap.monitor.hmp import HumanMonitor
from tests.machine.tree.test_composition_qemu import assert_same_tree
from tests.support.chipset import Chipset
from tests.support.mtree_text import blocks
from tests.support.qemu import MACHINE, Qemu

pytestmark = [pytest.mark.qemu_7_2("its UHCI"), pytest.mark.qemu, pytest.mark.seabios]

_BASE, _FUNCTION = 0xC000, 0x0A
_WIDTHS = {"b": 1, "w": 2, "l": 4}
_MACHINE = ("-M", "pc-i440fx-7.2,smm=off,usb=on", "-nodefaults", "-vga", "none", "-m", "128M")
_PLACED = (
    "outl 0xcf8 0x80000a20", f"outl 0xcfc {_BASE:#x}", "outl 0xcf8 0x80000a04", "outw 0xcfc 0x1",
)  # fmt: skip
_LIKELY = {0: (0, 1, 1, 0xC1, 2, 4, 0x80, 8), 2: (0, 0x20, 0xFFFF), 6: (0, 5, 0x7FF)}


def _commands(rng: random.Random, count: int) -> list[str]:
    lines = []
    for _ in range(count):
        offset = rng.choice((0, 0, 2, 4, 6, 8, 10, 12, 16, 18, 20, 1, rng.randrange(0x20)))
        width = rng.choice("wwwbl")
        kind = rng.random()
        value = rng.choice(_LIKELY.get(offset, (rng.getrandbits(16),)))
        if kind < 0.5:
            lines.append(f"in{width} {_BASE + offset:#x}")
        else:
            lines.append(
                f"out{width} {_BASE + offset:#x} {value & (1 << 8 * _WIDTHS[width]) - 1:#x}"
            )
    return lines


class _Ours(Chipset):
    def __init__(self) -> None:
        super().__init__()
        self.manual = ManualClock()
        Piix3Uhci(self.bus, _FUNCTION, self.manual)

    def answer(self, command: str) -> Any:
        word, *numbers = command.split()
        if word.startswith("in"):
            return self.io.load(int(numbers[0], 0), _WIDTHS[word[-1]])
        self.io.store(int(numbers[0], 0), _WIDTHS[word[-1]], int(numbers[1], 0))
        return None


def _assert_same(seed: int, count: int) -> None:
    ours = _Ours()
    with Qemu(*_MACHINE, machine=False) as qemu:
        done = [*_PLACED, *_commands(random.Random(seed), count)]
        for number, command in enumerate(done):
            reply = qemu.qtest(command)
            found = ours.answer(command)
            if found is not None:
                assert found == int(reply, 0), f"{number}: {done[max(0, number - 30) : number + 1]}"


def test_random_accesses_are_answered_as_by_qemu() -> None:
    _assert_same(0, 600)


@pytest.mark.long
@pytest.mark.timeout(900)
@pytest.mark.parametrize("seed", range(100, 110))
def test_a_hundred_thousand_accesses_are_answered_as_by_qemu(seed: int) -> None:
    _assert_same(seed, 10_000)


def _behind(image: Path) -> int:
    """Return how many frames a QEMU that ran for a while has counted less than we."""
    ours = _Ours()
    with Qemu(*_MACHINE, "-bios", str(image), machine=False) as qemu:
        qemu.store(0xFED0_0010, 4, 1)  # the HPET's counter tells QEMU's time to 10 ns
        for command in (*_PLACED, f"outw {_BASE + 6:#x} 0x7f0", f"outw {_BASE:#x} 0x1"):
            qemu.qtest(command)
            ours.answer(command)
        qemu.qmp("cont")
        time.sleep(0.1)  # QEMU runs in real time; what it did is read off its own clock
        qemu.qmp("stop")
        ours.manual.advance(qemu.load(0xFED0_00F0, 8) * 10)
        counted = int(qemu.qtest(f"inw {_BASE + 6:#x}"), 0)
        return (ours.answer(f"inw {_BASE + 6:#x}") - counted) & 0x7FF


def test_frames_are_counted_as_by_qemu(tmp_path: Path) -> None:
    image = bytearray(0x10000)
    image[0xFFF0:0xFFF4] = b"\xfa\xf4\xeb\xfd"  # cli; hlt; jmp back
    path = tmp_path / "halt.bin"
    path.write_bytes(image)
    # QEMU counts when its timer comes, which on a busy host may be late.
    assert any(_behind(path) in range(3) for _ in range(10))


def test_a_controller_that_is_stopped_stands_after_its_frame() -> None:
    ours = _Ours()
    for command in (*_PLACED, f"outw {_BASE:#x} 0x1"):
        ours.answer(command)
    ours.manual.advance(5_400_000)
    assert ours.answer(f"inw {_BASE + 2:#x}") == 0
    assert ours.answer(f"inw {_BASE + 6:#x}") == 5
    for command in (f"outw {_BASE:#x} 0x0", f"outw {_BASE + 2:#x} 0x20"):
        ours.answer(command)
    assert ours.answer(f"inw {_BASE + 2:#x}") == 0
    ours.manual.advance(2_000_000)
    assert ours.answer(f"inw {_BASE + 2:#x}") == 0x20
    assert ours.answer(f"inw {_BASE + 6:#x}") == 5


def test_map_and_tree_at_reset_are_qemus() -> None:
    board = Pc(MachineConfig(options={"usb": True}))
    snapshot = Snapshot.of(board.system)
    with Qemu(*_MACHINE, machine=False) as qemu:
        assert blocks(write_mtree(snapshot)) == blocks(qemu.hmp("info mtree"))
        assert blocks(write_flat(snapshot)) == blocks(qemu.hmp("info mtree -f"))
        assert_same_tree(board.tree, qemu)


@pytest.mark.parametrize("words", [
    ("-device", "piix3-usb-uhci,id=usb,bus=pci.0,addr=0x1.0x2"),
    ("-device", "piix3-usb-uhci", "-device", "piix3-usb-uhci,id=x,addr=5,multifunction=on"),
    ("-machine", "usb=on", "-device", "piix3-usb-uhci"),
])  # fmt: skip
def test_controllers_that_are_named_are_qemus(words: tuple[str, ...]) -> None:
    config = config_of([*MACHINE, "-global", "apic-common.vapic=off", *words])
    with VirtualMachine(config, engine="none") as vm, Qemu(*words) as qemu:
        assert_same_tree(vm.board.tree, qemu)
        told = HumanMonitor(vm).execute("info qtree").splitlines()
        assert told == qemu.hmp("info qtree").splitlines()


def test_frames_of_a_controller_that_is_named_are_the_machine_s_time() -> None:
    clock = ManualClock()
    pc = Pc(config_of([*MACHINE, "-device", "piix3-usb-uhci,addr=0x1.0x2"]), clock)
    for port, width, value in ((0xCF8, 4, 0x80000A20), (0xCFC, 4, _BASE), (0xCF8, 4, 0x80000A04),
                               (0xCFC, 2, 1), (_BASE, 2, 1)):  # fmt: skip
        pc.io.store(port, width, value)
    clock.advance(5_400_000)
    assert pc.io.load(_BASE + 6, 2) == 5
