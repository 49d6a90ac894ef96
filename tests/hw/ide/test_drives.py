"""What drives do that no QEMU can be asked for: media that fail, transfers that are cut in two."""

from __future__ import annotations

import struct
from dataclasses import replace
from typing import Any

import msgspec
import pytest

from guestmap.base import ConfigError, HostError, IrqLine
from guestmap.hw.ide.cdrom import IdeCdrom
from guestmap.hw.ide.channel import IdeChannel
from guestmap.hw.ide.disk import IdeDisk
from guestmap.hw.ide.identify import Geometry
from guestmap.hw.ide.registers import AtaState, Going
from guestmap.hw.ide.unit import IdeUnit
from guestmap.hw.medium import MemoryMedium
from tests.hw.device_traffic import Bench

SECTOR = 512
CONTENT = b"".join(bytes((number % 251,)) * SECTOR for number in range(64))
_READ, _WRITE, _FLUSH, _PACKET = 0x20, 0x30, 0xE7, 0xA0
_FAILED = 0x41


class Failing(MemoryMedium):
    """A medium whose host refuses everything."""

    def read(self, offset: int, length: int) -> bytes:
        if offset == 0:
            return super().read(offset, length)  # its partitions
        raise HostError("cannot read", errno=5)

    def write(self, offset: int, data: bytes | bytearray | memoryview) -> None:
        raise HostError("cannot write", errno=28)

    def flush(self) -> None:
        raise HostError("cannot flush", errno=5)


class Guest:
    """A channel on a bench, with one drive."""

    def __init__(self, unit: IdeUnit) -> None:
        self.bench = Bench()
        self.irq = IrqLine()
        self.channel = IdeChannel(self.irq)
        self.channel.attach(unit)
        self.bench.place(self.channel)

    def command(self, code: int, sector: int = 0, count: int = 1) -> None:
        for register, value in ((2, count), (3, sector), (4, 0), (5, 0), (6, 0xE0), (7, code)):
            self.bench.outb(0x1F0 + register, value)

    def words(self, count: int) -> bytes:
        return b"".join(self.bench.ports.load(0x1F0, 2).to_bytes(2, "little") for _ in range(count))

    def put(self, data: bytes) -> None:
        for (word,) in struct.iter_unpack("<H", data):
            self.bench.ports.store(0x1F0, 2, word)

    @property
    def status(self) -> int:
        return self.bench.inb(0x1F7)


def test_a_transfer_that_is_saved_half_done_goes_on_elsewhere() -> None:
    first = Guest(IdeDisk(MemoryMedium(CONTENT)))
    first.command(_READ, sector=5, count=3)
    data = first.words(300)
    second = Guest(IdeDisk(MemoryMedium(CONTENT)))
    saved = msgspec.msgpack.encode(first.channel.save())
    second.channel.load(msgspec.msgpack.decode(saved, type=type(second.channel.state)))
    data += second.words(3 * 256 - 300)
    assert data == CONTENT[5 * SECTOR : 8 * SECTOR]
    assert second.status == 0x50


def test_a_half_written_sector_reaches_the_medium_where_the_rest_is_written() -> None:
    medium = MemoryMedium(CONTENT)
    first, second = Guest(IdeDisk(MemoryMedium(CONTENT))), Guest(IdeDisk(medium))
    first.command(_WRITE, sector=9)
    first.put(b"ab" * 100)
    second.channel.load(first.channel.save())
    second.put(b"cd" * 156)
    assert medium.content[9 * SECTOR : 10 * SECTOR] == b"ab" * 100 + b"cd" * 156
    assert second.irq.level


@pytest.mark.parametrize(("drive", "going", "change"), [
    (IdeDisk, "packet_complete", {}), (IdeDisk, "", {"waiting": "dma_answer"}),
    (IdeDisk, "sectors_written", {"buffer": bytes(SECTOR), "sectors": 0}),
    (IdeDisk, "sectors_written", {"buffer": bytes(SECTOR), "sectors": 1, "status": 0x50}),
    (IdeDisk, "sectors_written", {"buffer": bytes(SECTOR - 1), "sectors": 1}),
    (IdeDisk, "sectors_written", {"buffer": bytes(SECTOR), "sectors": 1, "position": SECTOR - 1}),
    (IdeCdrom, "sectors_read", {}), (IdeCdrom, "packet_complete", {"buffer": bytes(13)}),
    (IdeCdrom, "next_block", {"rest": 1}),
])  # fmt: skip
def test_a_state_that_no_drive_comes_to_is_refused(
    drive: type[IdeDisk | IdeCdrom], going: Going, change: dict[str, Any]
) -> None:
    with pytest.raises(ConfigError, match=r"^saved state of a device ide-..: no drive comes"):
        drive(MemoryMedium(CONTENT)).load(replace(AtaState(status=0x58), going=going, **change))


def test_a_host_that_refuses_is_an_error_of_the_drive() -> None:
    guest = Guest(IdeDisk(Failing(CONTENT)))
    guest.command(_READ, sector=1)
    assert guest.irq.level
    assert guest.status & _FAILED == _FAILED
    guest.command(_WRITE, sector=1)
    guest.put(bytes(SECTOR))
    assert guest.status & _FAILED == _FAILED
    guest.command(_FLUSH)
    assert guest.status & _FAILED == _FAILED


def test_a_flush_reaches_the_medium() -> None:
    medium = MemoryMedium(CONTENT)
    guest = Guest(IdeDisk(medium))
    guest.command(_FLUSH)
    assert medium.flushes == 1
    guest.bench.outb(0x1F1, 0x82)  # no write cache: each write is as if it were flushed
    guest.command(0xEF)
    guest.command(_WRITE)
    guest.put(bytes(SECTOR))
    assert medium.flushes == 3


def test_a_medium_that_is_read_only_stays_as_it_is() -> None:
    medium = MemoryMedium(CONTENT, readonly=True)
    guest = Guest(IdeDisk(medium))
    guest.command(_WRITE, sector=1)
    guest.put(bytes(SECTOR))
    assert guest.status & _FAILED == _FAILED
    assert medium.content == CONTENT


def test_a_sector_that_is_not_there_is_an_error() -> None:
    guest = Guest(IdeDisk(MemoryMedium(CONTENT)))
    guest.command(_READ, sector=64)
    assert guest.status & _FAILED == _FAILED
    guest.command(_READ, sector=63)
    assert guest.words(256) == CONTENT[63 * SECTOR :]


@pytest.mark.parametrize(("sectors", "partition", "geometry"), [
    (1, None, (2, 16, 63, False)), (1008 * 5, None, (5, 16, 63, False)),
    (1008 * 1025, None, (1025, 16, 63, True)), (1008 * 20_000, None, (16383, 16, 63, True)),
    (9000, (7, 9), (125, 8, 9, False)), (1008 * 3, (254, 63), (3, 16, 63, False)),
])  # fmt: skip
def test_cylinders_are_counted_as_the_partitions_were_made(
    sectors: int, partition: tuple[int, int] | None, geometry: tuple[int, int, int, bool]
) -> None:
    class Large(MemoryMedium):
        size = sectors * SECTOR  # type: ignore[assignment]

    table = bytearray(SECTOR)
    if partition is not None:
        table[446 + 5], table[446 + 6], table[446 + 12] = *partition, 1
        table[510:] = b"\x55\xaa"
    assert Geometry.of(Large(table)) == geometry


def test_an_empty_drive_says_that_it_is_empty() -> None:
    guest = Guest(IdeCdrom(None))
    guest.command(_PACKET)
    guest.put(bytes(12))
    assert guest.status == 0x41
    assert guest.bench.inb(0x1F1) == 0x20  # not ready
    guest.bench.outb(0x1F4, 18)
    guest.bench.outb(0x1F7, _PACKET)
    guest.put(bytes((3, 0, 0, 0, 18, 0)).ljust(12, b"\0"))
    sense = guest.words(9)
    assert (sense[2], sense[12]) == (2, 0x3A)


def test_what_an_odd_room_leaves_can_be_read() -> None:
    guest = Guest(IdeCdrom(MemoryMedium(bytes(4096))))
    for register, value in ((4, 0xFE), (7, _PACKET)):
        guest.bench.outb(0x1F0 + register, value)
    guest.put(bytes((0x12, 0, 0, 0, 5, 0)).ljust(12, b"\0"))
    assert guest.words(3) == b"\x05\x80\x00\x21\x1f\x00"
    assert guest.status == 0x50
