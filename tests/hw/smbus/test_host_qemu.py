"""Random programs for the SMBus host controller, the same on QEMU's and on ours.

They leave the kill bit alone: QEMU 7.2 then keeps its bus in the middle of a transfer.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest

from guestmap.hw.smbus.host import PmSmbus
from guestmap.hw.smbus.slave import SPD_ADDRESSES, Eeprom
from tests.support.bus import ports_of
from tests.support.qemu import Qemu

if TYPE_CHECKING:
    from collections.abc import Iterator

    from guestmap.memory import AddressSpace

pytestmark = pytest.mark.qemu

PORT = 0xB100
KILL = 0x02
VALUES = {
    0: [0xFF, 0x80, 0x04, 0x02],
    2: [0x40, 0x41, 0x44, 0x48, 0x4C, 0x54, 0x58, 0x49, 0x4D, 0x55, 0x59, 0x60, 0x74, 0x75, 0x79],
    3: range(8),
    4: [0xA0, 0xA1, 0xA2, 0xA3, 0xB0, 0x00, 0x01],
    5: [0, 1, 2, 3, 4, 0x20],
    6: range(4),
    7: range(0, 256, 17),
    13: [0, 1, 2, 3],
}


@pytest.mark.parametrize("seed", range(8))
def test_random_program(seed):
    rng = random.Random(seed)
    chips = {address: Eeprom() for address in SPD_ADDRESSES}
    space = ports_of(PmSmbus(chips))
    with Qemu("-m", "128M") as qemu:
        for _ in range(400):
            register = rng.choice([0, 0, 0, 2, 2, 2, 3, 4, 5, 6, 7, 7, 7, 13])
            if rng.random() < 0.6:
                value = rng.choice([*VALUES[register], rng.getrandbits(8)])
                value &= ~KILL if register == 2 else 0xFF
                qemu.outb(PORT + register, value)
                space.store(PORT + register, 1, value)
            else:
                assert space.load(PORT + register, 1) == qemu.inb(PORT + register)


@pytest.fixture(scope="module")
def both() -> Iterator[tuple[AddressSpace, Qemu]]:
    with Qemu("-m", "128M") as qemu:
        yield ports_of(PmSmbus({address: Eeprom() for address in SPD_ADDRESSES})), qemu


@pytest.mark.parametrize("length", [0, 1, 3, 31, 32, 33, 255])
@pytest.mark.parametrize("buffered", [True, False])
def test_a_block_is_read_to_its_end_and_beyond(
    both: tuple[AddressSpace, Qemu], length: int, buffered: bool
) -> None:
    space, qemu = both

    def write(register: int, value: int) -> None:
        qemu.outb(PORT + register, value)
        space.store(PORT + register, 1, value)

    def read(register: int) -> int:
        value = space.load(PORT + register, 1)
        assert value == qemu.inb(PORT + register)
        return value

    write(13, 2 if buffered else 0)
    for place in range(40):  # the chip's first byte is how many follow
        for register, value in ((0, 0xFF), (3, place), (4, 0xA0), (5, place or length), (2, 0x49)):
            write(register, value)
    for register, value in ((0, 0xFF), (3, 0), (4, 0xA1), (2, 0x55)):
        write(register, value)
    assert read(5) == (length if length <= 32 else 0)
    for _ in range(2 * min(length, 33) + 3):
        read(0)
        read(7)
        if not buffered:
            write(0, 0x80)
