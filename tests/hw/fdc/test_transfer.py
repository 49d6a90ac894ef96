"""A floppy disk's data and the DMA controller, where a guest does what no driver does."""

from __future__ import annotations

import pytest

from guestmap.hw.fdc import Fdc, FloppyDrive
from guestmap.hw.i8257 import I8257
from guestmap.hw.medium import MemoryMedium
from tests.hw.device_traffic import Bench

DOR, FIFO = 0x3F2, 0x3F5
_READ, _WRITE = 0xE6, 0xC5
_TO_MEMORY, _FROM_MEMORY = 0x46, 0x4A
_BOTH_HALVES, _MODE, _MASK, _COUNT = 0x0C, 0x0B, 0x0A, 0x05


@pytest.mark.parametrize(("command", "mode"), [(_READ, _TO_MEMORY), (_WRITE, _FROM_MEMORY)])
def test_a_count_that_is_cut_below_what_was_moved_moves_nothing(command: int, mode: int) -> None:
    bench = Bench()
    system = bench.memory.container("system", 1 << 32)
    system.add_subregion(0, bench.memory.ram("ram", 0x100000))
    dma = I8257(bench.memory.address_space("memory", system))
    fdc = Fdc(bench.clock, bench.line(6), dma)
    disk = MemoryMedium(b"\xaa" * (1440 << 10))
    fdc.attach(FloppyDrive(0, disk))
    bench.place(dma, fdc)

    def transfer() -> list[int]:
        for value in (command, 0, 0, 0, 1, 2, 18, 27, 0xFF):
            bench.outb(FIFO, value)
        return [bench.inb(FIFO) for _ in range(7)]

    bench.outb(DOR, 0x0C)
    for port, value in ((_MODE, mode), (_COUNT, 0xFF), (_COUNT, 0x01), (_MASK, 2)):
        bench.outb(port, value)
    assert transfer() == [0, 0, 0, 0, 0, 2, 2]
    content = bytes(disk.content)
    bench.outb(_BOTH_HALVES, 0)
    bench.outb(_COUNT, 0x00)
    assert transfer() == [0, 0, 0, 0, 0, 1, 2]
    assert disk.content == content
