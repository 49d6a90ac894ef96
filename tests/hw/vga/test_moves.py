"""Text that is moved as a whole in the window: the same as reads and writes of each byte."""

from __future__ import annotations

import random

import pytest

from guestmap.hw.vga.planes import WINDOW_BASE, WINDOW_SIZE
from tests.hw.vga import modes
from tests.hw.vga.benches import VgaBench

_SEEN = 0x50000
"""Bytes of the memory that the window can show in any of these modes."""
_REGISTERS = (
    (0x3C4, 2, (3, 3, 3, 1, 2, 0x0F, 0)), (0x3C4, 4, (2, 2, 2, 6, 0x0A)),
    (0x3CE, 4, (0, 0, 1, 2, 3)), (0x3CE, 5, (0x10, 0x10, 0x10, 0, 0x11)),
    (0x3CE, 6, (0x0E, 0x0E, 0x0A, 0x06, 0x02)),
)  # fmt: skip
"""Index ports, registers, and values other than those of text, or not."""


def _bench(chance: random.Random) -> VgaBench:
    bench = VgaBench()
    bench.obey(modes.TEXT_80.commands())
    for port, index, values in chance.choices(_REGISTERS, k=chance.randrange(3)):
        bench.obey((f"outb {port:#x} {index}", f"outb {port + 1:#x} {chance.choice(values)}"))
    bench.vga.memory[:_SEEN] = chance.randbytes(_SEEN)
    return bench


@pytest.mark.parametrize("seed", range(8))
def test_a_move_is_as_many_reads_and_writes(seed: int) -> None:
    chance = random.Random(seed)
    moved = 0
    for _ in range(12):
        bench = _bench(chance)
        memory, planes = bench.vga.memory, bench.vga.window.ops
        assert planes.move is not None
        for _ in range(12):
            count = chance.randrange(1, 400)
            target = 0x18000 + chance.randrange(0x7000)
            source = target + chance.choice((160, 2, 1, 0, -2, chance.randrange(0x800)))
            if chance.random() < 0.1:
                source = chance.randrange(WINDOW_SIZE - count)
            before, heard, latch = bytes(memory[:_SEEN]), _Heard(bench), bench.vga.state.latch
            done = planes.move(target, source, count)
            after, told = bytes(memory[:_SEEN]), heard.pages()
            if not done:
                assert after == before
                assert not told
                continue
            moved += 1
            assert bench.vga.state.latch == latch
            memory[:_SEEN] = before
            for at in range(count):
                value = bench.chipset.system.load(WINDOW_BASE + source + at, 1)
                bench.chipset.system.store(WINDOW_BASE + target + at, 1, value)
            assert after == bytes(memory[:_SEEN])
            assert told == heard.pages()
            assert bench.vga.state.latch == latch
    assert moved > 20


class _Heard:
    """The writes that the memory's watchers are told of."""

    def __init__(self, bench: VgaBench) -> None:
        block = bench.vga.vram.ram_block
        assert block is not None
        self._told: list[tuple[int, int]] = []
        block.add_watcher(lambda offset, length: self._told.append((offset, length)))

    def pages(self) -> set[int]:
        """Return the pages that were written since the last question."""
        told, self._told[:] = list(self._told), []
        return {
            page
            for offset, length in told
            for page in range(offset >> 12, (offset + length - 1 >> 12) + 1)
        }


@pytest.mark.parametrize("shift", [160, 2])
def test_lines_of_text_are_moved(shift: int) -> None:
    bench = VgaBench()
    bench.obey(modes.TEXT_80.commands())
    move = bench.vga.window.ops.move
    assert move is not None
    text = bytes(range(200)) * 4
    for at, byte in enumerate(text):
        bench.chipset.system.store(0xB8000 + at, 1, byte)
    assert move(0x18000, 0x18000 + shift, len(text) - shift)
    seen = bytes(bench.chipset.system.load(0xB8000 + at, 1) for at in range(len(text)))
    assert seen == text[shift:] + text[-shift:]
    assert not move(0x18002, 0x18000, 80), "downward, each byte would be read after its change"
    assert not move(0x18000, 0x18001, 80), "characters would become attributes"
