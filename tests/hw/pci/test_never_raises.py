"""A guest may do anything to the ports and windows of the PCI side; nothing raises."""

from __future__ import annotations

import random

import pytest

from guestmap.memory import MemTxResult
from tests.support.chipset import Chipset

PORTS = [range(0xB2, 0xB4), range(0xCF8, 0xD00), range(0x600, 0x640), range(0xAE00, 0xAE18),
         range(0xAF00, 0xAF20), range(0xAFE0, 0xAFE4), range(0xB100, 0xB140),
         range(0xC000, 0xC200)]  # fmt: skip
PAGES = [range(0xE000_0000, 0xE000_1000), range(0xE100_0000, 0xE100_0100)]


def ready() -> Chipset:
    board = Chipset()
    bridge = board.bridge(8)
    board.test_device(5, 0x10000)
    board.test_device(3, 0, bridge.secondary)
    board.bus.machine_done()
    for bdf, register, value in (
        (5 << 3, 0x10, 0xE000_0000), (5 << 3, 0x14, 0xC000), (0x40, 0x10, 0xE100_0000),
        (0x09, 0x20, 0xC100), (0x0B, 0x40, 0x601), (0x0B, 0x80, 1), (0x40, 0x18, 0x0001_0100),
        (5 << 3, 4, 7), (0x40, 4, 7), (0x09, 4, 7),
    ):  # fmt: skip
        board.config_store(bdf, register, 4, value)
    return board


@pytest.mark.parametrize("seed", range(4))
def test_random_traffic(seed):
    rng = random.Random(seed)
    board = ready()
    functions = [0x00, 0x08, 0x09, 0x0B, 0x28, 0x40, 0x118, 0x1FF]
    for step in range(4000):
        size = rng.choice([1, 2, 4, 8])
        value = rng.choice([0, (1 << 8 * size) - 1, rng.getrandbits(8 * size)])
        what = rng.random()
        if what < 0.4:
            bdf = rng.choice(functions)
            address = 1 << 31 | bdf << 8 | rng.randrange(256)
            board.io.store(0xCF8, 4, address)
            board.io.store(rng.choice(range(0xCFC, 0xD00)), size, value)
            assert board.io.load(0xCFC, 4) < 1 << 32
        elif what < 0.8:
            port = rng.choice(rng.choice(PORTS))
            assert isinstance(board.io.store(port, size, value), MemTxResult)
            assert board.io.load(port, size) < 1 << (8 * size)
        else:
            address = rng.choice(rng.choice(PAGES))
            assert isinstance(board.system.store(address, size, value), MemTxResult)
            assert board.system.load(address, size) < 1 << (8 * size)
        if step % 1000 == 999:
            board.reset()


@pytest.mark.parametrize("bdf", [0x00, 0x08, 0x09, 0x0B, 0x28, 0x40])
def test_any_offset_and_size_of_configuration_space(bdf):
    device = ready().bus.devices[bdf]
    for offset in range(260):
        for size in (1, 2, 4):
            device.config_write(offset, (1 << 8 * size) - 1, size)
            assert device.config_read(offset, size) < 1 << (8 * size)
