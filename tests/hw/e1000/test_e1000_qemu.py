"""The network card beside QEMU's: the same answers to random accesses, the same map and tree."""

from __future__ import annotations

import random

import pytest

from guestmap.hw.e1000.device import E1000
from guestmap.inspect import Snapshot
from guestmap.inspect.text.mtree import write_flat, write_mtree
from guestmap.machine import Pc
from guestmap.machine.options.command_line import config_of
from tests.machine.tree.test_composition_qemu import assert_same_tree
from tests.support.chipset import Chipset
from tests.support.mtree_text import blocks
from tests.support.qemu import MACHINE, Qemu
from tests.support.roms import require_rom

pytestmark = [pytest.mark.qemu_7_2("its e1000"), pytest.mark.qemu, pytest.mark.seabios]

_MMIO, _PORTS, _RING = 0xE000_0000, 0xC000, 0x10000
_PLACED = (
    "outl 0xcf8 0x80002010", f"outl 0xcfc {_MMIO:#x}", "outl 0xcf8 0x80002014",
    f"outl 0xcfc {_PORTS:#x}", "outl 0xcf8 0x80002004", "outw 0xcfc 0x7",
)  # fmt: skip
_NAMED = (
    0, 4, 8, 0x10, 0x14, 0x18, 0x20, 0x38, 0xC0, 0xC8, 0xD0, 0xD8, 0x100, 0x400, 0x2808, 0x2810,
    0x2818, 0x2820, 0x3800, 0x3808, 0x3820, 0x382C, 0x5200, 0x5400, 0x5404, 0x547C, 0x5800, 0x5820,
    0x5F00, 0x9000, 0x9804, 0x10000, 0x1FFFC,
)  # fmt: skip


def _commands(rng: random.Random, count: int) -> list[str]:
    kinds = (_register, _register, _phy, _microwire, _word, _send)
    return [line for _ in range(count) for line in rng.choice(kinds)(rng)]


def _register(rng: random.Random) -> list[str]:
    offset = rng.choice(_NAMED) if rng.random() < 0.8 else rng.randrange(0x20000) & ~3
    if rng.random() < 0.5:
        width = rng.choice("lllwb")
        return [f"read{width} {_MMIO + offset:#x}"]
    if offset in (0x20, 0x400):
        return []
    return [f"writel {_MMIO + offset:#x} {rng.getrandbits(32):#x}"]


def _phy(rng: random.Random) -> list[str]:
    value = rng.choice((0x0800_0000, 0x0400_0000, 0)) | rng.choice((1, 1, 1, 2)) << 21
    value |= rng.randrange(32) << 16 | rng.getrandbits(16) & ~0x0200
    value |= rng.choice((0, 0, 0x2000_0000))
    return [f"writel {_MMIO + 0x20:#x} {value:#x}", f"readl {_MMIO + 0x20:#x}"]


def _microwire(rng: random.Random) -> list[str]:
    """Clock a word out of the EEPROM."""
    lines = [2, 3] if rng.random() < 0.9 else []
    command = 0b110 << 6 | rng.randrange(64)
    for bit in range(8, -1, -1):
        lines += [2 | (command >> bit & 1) << 2, 3 | (command >> bit & 1) << 2]
    lines = [0, *lines[2:], *[2, 3] * rng.randrange(18), 2]
    at = _MMIO + 0x10
    return [each for line in lines for each in (f"writel {at:#x} {line:#x}", f"readl {at:#x}")]


def _word(rng: random.Random) -> list[str]:
    at = _MMIO + 0x14
    return [f"writel {at:#x} {rng.randrange(0x50) << 8 | 1:#x}", f"readl {at:#x}"]


def _send(rng: random.Random) -> list[str]:
    """Put descriptors into a ring, let the card take some, and read what became of them."""
    count = rng.choice((8, 16))
    command = rng.choice((0x0800_0000, 0x0B00_0000, 0x0300_0000)) | 60
    lines = [f"writel {_MMIO + 0x400:#x} 0x0", f"writel {_MMIO + 0x3810:#x} 0x0"]
    lines += [
        f"writel {_RING + 16 * at + word:#x} {value:#x}"
        for at in range(count)
        for word, value in ((0, 0x20000), (4, 0), (8, command), (12, 0))
    ]
    values = ((0x3800, _RING), (0x3804, 0), (0x3808, 16 * count), (0x3818, 0), (0x400, 2))
    lines += [f"writel {_MMIO + offset:#x} {value:#x}" for offset, value in values]
    lines += [f"writel {_MMIO + 0x3818:#x} {rng.randrange(count):#x}", f"readl {_MMIO + 0xC8:#x}"]
    lines += [f"readl {_MMIO + 0x3810:#x}"]
    return lines + [f"readl {_RING + 16 * at + 12:#x}" for at in range(count)]


class _Ours(Chipset):
    def __init__(self) -> None:
        super().__init__()
        E1000(self.bus, 4 << 3)
        self.bus.machine_done()

    def answer(self, command: str) -> int | None:
        word, where, *value = command.split()
        space = self.io if word.startswith(("in", "out")) else self.system
        size = {"b": 1, "w": 2, "l": 4}[word[-1]]
        if word.startswith(("in", "read")):
            return space.load(int(where, 0), size)
        space.store(int(where, 0), size, int(value[0], 0))
        return None


def _assert_same(seed: int, count: int) -> None:
    ours = _Ours()
    with Qemu("-m", "128M", "-device", "e1000,addr=4") as qemu:
        done = [*_PLACED, *_commands(random.Random(seed), count)]
        for number, command in enumerate(done):
            reply, found = qemu.qtest(command), ours.answer(command)
            if found is not None:
                assert found == int(reply, 0), f"{number}: {done[max(0, number - 30) : number + 1]}"


def test_random_accesses_are_answered_as_by_qemu() -> None:
    _assert_same(1, 150)


@pytest.mark.long
@pytest.mark.timeout(900)
@pytest.mark.parametrize("seed", range(100, 110))
def test_many_random_accesses_are_answered_as_by_qemu(seed: int) -> None:
    _assert_same(seed, 3000)


def test_map_and_tree_at_reset_are_qemus() -> None:
    require_rom(E1000.ROM_FILE)
    words = ("-m", "128M", "-device", "e1000,addr=4")
    board = Pc(config_of([*MACHINE, "-global", "apic-common.vapic=off", *words]))
    snapshot = Snapshot.of(board.system)
    with Qemu(*words) as qemu:
        assert blocks(write_mtree(snapshot)) == blocks(qemu.hmp("info mtree"))
        assert blocks(write_flat(snapshot)) == blocks(qemu.hmp("info mtree -f"))
        assert_same_tree(board.tree, qemu)
