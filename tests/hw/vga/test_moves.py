"""Text and planes, read or written many bytes at a time: the same as one by one."""

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
    # planes: all of memory, no odd/even; write modes, what is combined with the latch, and how
    (0x3C4, 4, (6, 6)), (0x3CE, 5, (0, 1, 2, 3)), (0x3CE, 6, (5, 1)), (0x3CE, 8, (0xFF, 0x3C, 0)),
    (0x3CE, 3, (0, 8, 0x13, 0x1D)), (0x3CE, 0, (5, 0x0F)), (0x3CE, 1, (0, 6, 0x0F)),
)  # fmt: skip
"""Index ports, registers, and values other than those of text, or not."""


def _bench(chance: random.Random, mode: modes.Mode) -> VgaBench:
    bench = VgaBench()
    bench.obey(mode.commands())
    for port, index, values in chance.choices(_REGISTERS, k=chance.randrange(5)):
        bench.obey((f"outb {port:#x} {index}", f"outb {port + 1:#x} {chance.choice(values)}"))
    bench.vga.memory[:_SEEN] = chance.randbytes(_SEEN)
    return bench


@pytest.mark.parametrize("seed", range(8))
def test_many_bytes_are_written_and_moved_as_one_by_one(seed: int) -> None:
    chance = random.Random(seed)
    done = dict.fromkeys(("written text", "written planes", "moved text", "moved planes"), 0)
    for number in range(12):
        is_text = bool(number % 2)
        bench = _bench(chance, modes.TEXT_80 if is_text else modes.GRAPHICS["640x480, 16 colours"])
        memory, state = bench.vga.memory, bench.vga.state
        ops, heard = bench.vga.window.ops, _Heard(bench)
        assert ops.write_run is not None
        assert ops.move_run is not None
        for _ in range(12):
            size = chance.choice((1, 1, 1, 2, 4))
            count = chance.choice((1, 2, 3, 160 // size, chance.randrange(1, 400 // size)))
            at = (0x18000 if is_text else 0) + chance.randrange(0x7000) // size * size
            if chance.random() < 0.1:
                at = chance.randrange(WINDOW_SIZE - count * size) // size * size
            come = at + chance.choice((0, 160, 161, 0x300, -0x500)) // size * size
            come = min(max(come, 0), WINDOW_SIZE - count * size)
            moves = chance.random() < 0.5 and not come < at < come + count * size
            data = chance.randbytes(count * size)
            before, latch = bytes(memory[:_SEEN]), state.latch
            ok = ops.move_run(at, come, count, size) if moves else ops.write_run(at, data)
            after, told, last = bytes(memory[:_SEEN]), heard.pages(), state.latch
            if not ok:
                assert (after, told, last) == (before, set(), latch)
                continue
            done[f"{'moved' if moves else 'written'} {'text' if is_text else 'planes'}"] += 1
            memory[:_SEEN], state.latch = before, latch
            for n in range(0, count * size, size):
                value = int.from_bytes(data[n : n + size], "little")
                if moves:
                    value = bench.chipset.system.load(WINDOW_BASE + come + n, size)
                bench.chipset.system.store(WINDOW_BASE + at + n, size, value)
            assert after == bytes(memory[:_SEEN])
            assert told == heard.pages()
            assert last == state.latch
    assert min(done.values()) > 3, done


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
