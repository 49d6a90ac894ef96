"""The parallel port: a byte goes out with the strobe; else it is QEMU's, access by access."""

from __future__ import annotations

import random

import pytest

from guestmap.hw.parallel import ParallelPort
from guestmap.machine import MachineConfig, Pc
from tests.hw.device_traffic import Bench
from tests.machine.tree.test_composition_qemu import assert_same_tree
from tests.support.qemu import Qemu

_DATA, _STATUS, _CONTROL = 0x378, 0x379, 0x37A


def test_a_byte_goes_out_when_the_strobe_comes() -> None:
    bench, sent = Bench(), bytearray()
    bench.place(ParallelPort(bench.line(7), sink=sent.append))
    for byte in b"page\f":
        bench.outb(_DATA, byte)
        bench.outb(_CONTROL, 0x0D)
        bench.outb(_CONTROL, 0x0D)  # no second strobe
        bench.outb(_CONTROL, 0x0C)
        assert [bench.inb(_STATUS) >> 6 for _ in range(3)] == [0b01, 0b00, 0b11]  # busy, taken
    assert sent == b"page\f"
    bench.outb(_CONTROL, 0x05)  # not selected
    assert sent == b"page\f"


def test_an_interrupt_says_that_a_byte_was_taken() -> None:
    bench = Bench()
    bench.place(ParallelPort(bench.line(7)))
    for control in (0x1D, 0x1C):
        bench.outb(_CONTROL, control)
    assert bench.line(7).level
    bench.inb(_STATUS)
    assert not bench.line(7).level


_PIC, _IRR = 0x20, 0x0A
_VALUES = (0x0C, 0x0D, 0x1C, 0x1D, 0x08, 0x00, 0x2C, 0x3D, 0xFF)


def _command(rng: random.Random) -> str:
    if rng.random() < 0.1:  # what the interrupt controller has heard
        return rng.choice((f"outb {_PIC:#x} {_IRR:#x}", f"inb {_PIC:#x}"))
    port, width = _DATA + rng.choice((0, 1, 1, 2, 2, 2, rng.randrange(8))), rng.choice("bbbbwl")
    if rng.random() < 0.5:
        return f"in{width} {port:#x}"
    size = {"b": 1, "w": 2, "l": 4}[width]
    value = rng.choice((rng.choice(_VALUES), rng.getrandbits(8 * size)))
    return f"out{width} {port:#x} {value:#x}"


def _assert_same(seed: int, count: int) -> None:
    rng = random.Random(seed)
    ours = Pc(MachineConfig(ram_size=128 << 20, parallel=True)).io
    commands = [_command(rng) for _ in range(count)]
    with Qemu("-m", "128M", "-parallel", "null") as qemu:
        replies = qemu.qtest_many(commands)
    for number, (command, reply) in enumerate(zip(commands, replies, strict=True)):
        word, port, *value = command.split()
        size = {"b": 1, "w": 2, "l": 4}[word[-1]]
        if value:
            ours.store(int(port, 0), size, int(value[0], 0))
        else:
            before = commands[max(0, number - 20) : number + 1]
            assert ours.load(int(port, 0), size) == int(reply, 0), (number, before)


@pytest.mark.qemu
@pytest.mark.qemu_7_2("its parallel port")
@pytest.mark.seabios
def test_random_accesses_are_answered_as_by_qemu() -> None:
    _assert_same(1, 2000)


@pytest.mark.long
@pytest.mark.qemu
@pytest.mark.qemu_7_2("its parallel port")
@pytest.mark.seabios
@pytest.mark.parametrize("seed", range(100, 110))
def test_many_random_accesses_are_answered_as_by_qemu(seed: int) -> None:
    _assert_same(seed, 10_000)


@pytest.mark.qemu
@pytest.mark.qemu_7_2("its parallel port")
@pytest.mark.seabios
def test_the_tree_is_qemus() -> None:
    board = Pc(MachineConfig(ram_size=128 << 20, parallel=True))
    with Qemu("-m", "128M", "-parallel", "null") as qemu:
        assert_same_tree(board.tree, qemu)
