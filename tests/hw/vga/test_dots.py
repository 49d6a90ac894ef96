"""Where a dot of the screen comes from: who changes those bytes changes that dot, and no other."""

from __future__ import annotations

from random import Random

import pytest

from guestmap.hw.vga import registers as reg
from guestmap.hw.vga.dots import dot_at, shown_bytes
from guestmap.hw.vga.planes import window_address
from tests.hw.vga import modes
from tests.hw.vga.benches import PLACED, AdapterBench, CirrusBench, VgaBench
from tests.hw.vga.traffic import MEMORY_BAR

_WINDOW = 0xA0000
_USED = 256 << 10
MODES = {"text": modes.TEXT_80.commands(), "text, 40 columns": modes.TEXT_40.commands()} | {
    name: mode.commands() for name, mode in modes.GRAPHICS.items()
}


def _bench(commands: list[str], bench: AdapterBench) -> AdapterBench:
    """Return an adapter in a mode, all of what is shown and of its palette by chance."""
    random = Random(1)
    bench.obey(PLACED)
    bench.obey(commands)
    bench.vga.memory[:_USED] = random.randbytes(_USED)
    bench.vga.state.palette[:] = bytes(each & 0x3F for each in random.randbytes(768))
    return bench


def _changed(bench: AdapterBench, offset: int, size: int) -> set[tuple[int, int]]:
    """Return which dots are others once some bytes are the other way round."""
    memory, before = bench.vga.memory, bench.vga.picture(cursor=False)
    kept = bytes(memory[offset : offset + size])
    memory[offset : offset + size] = bytes(each ^ 0xFF for each in kept)
    now = bench.vga.picture(cursor=False)
    memory[offset : offset + size] = kept
    width = before.width
    return {(at // 3 % width, at // 3 // width) for at in range(0, len(now.rgb), 3)
            if now.rgb[at : at + 3] != before.rgb[at : at + 3]}  # fmt: skip


def _assert_found(bench: AdapterBench) -> None:
    random = Random(2)
    picture, state = bench.vga.picture(), bench.vga.state
    length = len(bench.vga.memory)
    first, size = shown_bytes(state, length)
    hits = 0
    for _ in range(4):
        x, y = random.randrange(picture.width), random.randrange(picture.height)
        found = dot_at(state, length, x, y)
        assert found is not None
        changed = _changed(bench, found.offset, found.size)
        assert {dot_at(state, length, *each) for each in changed} <= {found}
        assert first <= found.offset
        assert found.offset + found.size <= first + size
        hits += (x, y) in changed
    assert hits >= 3, "but for colours that are the same by chance"
    for x, y in ((-1, 0), (0, -1), (picture.width, 0), (0, picture.height)):
        assert dot_at(state, length, x, y) is None


@pytest.mark.parametrize("name", MODES)
def test_the_bytes_of_a_dot_are_found(name: str) -> None:
    _assert_found(_bench(MODES[name], VgaBench()))


@pytest.mark.parametrize("depth", [8, 15, 16, 24, 32])
def test_the_bytes_of_a_dot_in_a_frame_buffer_are_found(depth: int) -> None:
    _assert_found(_bench(modes.frame_buffer(64, 48, depth, virtual_width=96), VgaBench()))


@pytest.mark.parametrize("name", MODES)
@pytest.mark.parametrize("make", [VgaBench, CirrusBench])
def test_a_store_through_the_window_changes_the_byte_that_it_is_said_to_show(
    name: str, make: type[AdapterBench]
) -> None:
    bench = _bench(MODES[name], make())
    random = Random(3)
    shown = 0
    for _ in range(40):
        offset = random.randrange(0x8000) // 4 * 4 + random.randrange(2)
        address = window_address(bench.vga.state, offset)
        is_open = bench.vga.state.in_force[reg.SEQ_MAP_MASK] >> (offset & 3) & 1
        if address is None or not is_open:
            continue
        shown += 1
        value = bench.vga.memory[offset] ^ 0xFF
        bench.answer(f"writeb {_WINDOW + address:#x} {value:#x}")
        assert bench.vga.memory[offset] == value
    assert shown


def test_what_is_in_no_window_has_no_address_there() -> None:
    bench = _bench(modes.TEXT_80.commands(), VgaBench())
    assert window_address(bench.vga.state, 8 * 80) == 0x18000 + 4 * 80
    assert window_address(bench.vga.state, 2) is None, "plane 2 has the font"
    assert window_address(bench.vga.state, MEMORY_BAR) is None
