"""The DMA controllers: register file and transfers, held to the Intel 8237A data sheet."""

from __future__ import annotations

import pytest

from guestmap.hw.i8257 import I8257
from tests.hw.device_traffic import Bench

MASK, MODE, CLEAR_FLIP_FLOP, MASTER_CLEAR, CLEAR_MASK, ALL_MASKS = (
    0x0A,
    0x0B,
    0x0C,
    0x0D,
    0x0E,
    0x0F,
)
WRITE, READ, DOWN = 0x44, 0x48, 0x20  # single transfers, to memory and from it


class Dma(Bench):
    def __init__(self) -> None:
        super().__init__()
        system = self.memory.container("system", 1 << 32)
        self.ram = self.memory.ram("ram", 0x200000)
        system.add_subregion(0, self.ram)
        self.space = self.memory.address_space("memory", system)
        self.first = I8257(self.space)
        self.second = I8257(self.space, second=True)
        self.place(self.first, self.second)
        self.first.reset()
        self.second.reset()

    def program(self, page: int, address: int, count: int, mode: int) -> None:
        """Program channel 2, the floppy's, as a BIOS does."""
        self.outb(CLEAR_FLIP_FLOP, 0)
        self.outb(MODE, mode | 2)
        for value in (address & 0xFF, address >> 8):
            self.outb(0x04, value)
        for value in (count & 0xFF, count >> 8):
            self.outb(0x05, value)
        self.outb(0x81, page)
        self.outb(MASK, 2)

    def pair(self, port: int) -> int:
        self.outb(CLEAR_FLIP_FLOP, 0)
        return self.inb(port) | self.inb(port) << 8


def _note(calls: list[int], channel: int, length: int) -> int:
    calls.append(channel)
    return length


@pytest.fixture
def dma() -> Dma:
    return Dma()


def test_address_and_count_go_through_the_flip_flop(dma: Dma) -> None:
    dma.program(0x12, 0x3456, 0x01FF, WRITE)
    assert (dma.pair(0x04), dma.pair(0x05), dma.inb(0x81)) == (0x3456, 0x01FF, 0x12)


def test_the_flip_flop_is_one_for_all_channels(dma: Dma) -> None:
    dma.outb(CLEAR_FLIP_FLOP, 0)
    dma.outb(0x00, 0x11)
    dma.outb(0x02, 0x22)
    dma.outb(0x00, 0x33)
    dma.outb(0x02, 0x44)
    assert dma.pair(0x02) == 0x4400  # the even writes went to channel 0, as low bytes


def test_every_page_register_keeps_its_own_byte(dma: Dma) -> None:
    ports = (0x81, 0x82, 0x83, 0x87, 0x89, 0x8A, 0x8B, 0x8F)
    for value, port in enumerate(ports):
        dma.outb(port, 0x10 + value)
    assert [dma.inb(port) for port in ports] == [0x10 + value for value in range(8)]
    assert dma.inb(0x84) == 0xFF


def test_a_device_writes_where_the_guest_said(dma: Dma) -> None:
    def handler(channel: int, position: int, length: int) -> int:
        dma.first.write_memory(channel, position, b"sector"[:length])
        return length

    dma.first.register_channel(2, handler)
    dma.program(0x12, 0x3450, 5, WRITE)
    dma.first.hold_dreq(2)
    assert dma.space.read(0x123450, 6) == b"sector"
    assert dma.inb(0x08) == 0x44  # terminal count and request of channel 2
    assert dma.inb(0x08) == 0x40  # reading takes the former away
    dma.first.release_dreq(2)
    assert dma.inb(0x08) == 0x00


def test_a_transfer_may_go_on_in_pieces(dma: Dma) -> None:
    def handler(channel: int, position: int, length: int) -> int:
        dma.first.write_memory(channel, position, bytes([position + 1, position + 2]))
        return min(position + 2, length)

    dma.first.register_channel(2, handler)
    dma.program(0x00, 0x8000, 3, WRITE)
    dma.first.hold_dreq(2)
    assert dma.pair(0x04) == 0x8002
    assert dma.inb(0x08) & 0x0F == 0
    dma.first.hold_dreq(2)
    assert dma.space.read(0x8000, 4) == bytes([1, 2, 3, 4])
    assert dma.inb(0x08) & 0x0F == 4


def test_a_masked_channel_waits_for_its_mask_to_open(dma: Dma) -> None:
    calls: list[int] = []
    dma.first.register_channel(2, lambda channel, _position, length: _note(calls, channel, length))
    dma.program(0x00, 0x8000, 3, WRITE)
    dma.outb(MASK, 4 | 2)
    dma.first.hold_dreq(2)
    assert calls == []
    dma.outb(CLEAR_MASK, 0)
    assert calls == [2]


def test_a_disabled_controller_does_nothing(dma: Dma) -> None:
    calls: list[int] = []
    dma.first.register_channel(2, lambda channel, _position, length: _note(calls, channel, length))
    dma.outb(0x08, 0x04)
    dma.program(0x00, 0x8000, 3, WRITE)
    dma.first.hold_dreq(2)
    assert calls == []


def test_a_device_reads_up_and_down(dma: Dma) -> None:
    dma.space.write(0x9000, b"abcdef")
    dma.program(0x00, 0x9000, 5, READ)
    assert dma.first.read_memory(2, 1, 3) == b"bcd"
    dma.program(0x00, 0x9006, 5, READ | DOWN)
    assert dma.first.read_memory(2, 0, 3) == b"fed"
    dma.first.write_memory(2, 0, b"xyz")
    assert dma.space.read(0x9000, 6) == b"abczyx"


def test_the_second_controller_counts_words(dma: Dma) -> None:
    for port, value in ((0xD8, 0), (0xC4, 0x00), (0xC4, 0x40), (0xC6, 0x01), (0xC6, 0x00)):
        dma.outb(port, value)
    dma.outb(0x8B, 0x02)
    lengths: list[int] = []

    def handler(channel: int, position: int, length: int) -> int:
        lengths.append(length)
        dma.second.write_memory(channel, position, b"word")
        return length

    dma.second.register_channel(1, handler)
    dma.outb(0xD4, 1)
    dma.second.hold_dreq(1)
    assert lengths == [4]
    assert dma.space.read(0x28000, 4) == b"word"


def test_master_clear_masks_everything(dma: Dma) -> None:
    dma.program(0x12, 0x3456, 0x01FF, WRITE)
    dma.outb(0x09, 4 | 1)
    dma.outb(MASTER_CLEAR, 0)
    assert (dma.inb(0x08), dma.inb(0x09)) == (0x00, 0xFF)
    assert dma.pair(0x04) == 0x3456


def test_all_masks_are_written_at_once(dma: Dma) -> None:
    dma.outb(ALL_MASKS, 0x05)
    assert dma.inb(0x09) == 0x05


def test_a_handler_that_asks_again_is_not_entered_twice(dma: Dma) -> None:
    depth = 0

    def handler(channel: int, position: int, length: int) -> int:
        nonlocal depth
        depth += 1
        dma.first.hold_dreq(channel)
        return length

    dma.first.register_channel(2, handler)
    dma.program(0x00, 0x8000, 3, WRITE)
    dma.first.hold_dreq(2)
    assert depth == 1


@pytest.mark.parametrize(("mode", "address"), [(WRITE, 0x3010), (WRITE | DOWN, 0x2FF0)])
def test_the_address_register_shows_how_far_it_is(dma: Dma, mode: int, address: int) -> None:
    """Addresses count up, or down (mode bit 5); the count always down."""
    dma.first.register_channel(2, lambda _channel, _position, _length: 0x10)
    dma.program(0x01, 0x3000, 0x00FF, mode)
    dma.first.hold_dreq(2)
    assert (dma.pair(0x04), dma.pair(0x05)) == (address, 0xEF)
