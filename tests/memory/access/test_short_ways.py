"""The short ways of an access give what the long ways give."""

from __future__ import annotations

from typing import Any

import pytest

from guestmap.memory import (
    AccessSizes,
    AddressSpace,
    MemoryRegionOps,
    MemorySystem,
    MemTxAttrs,
    MemTxResult,
)
from guestmap.memory.access import device, dispatch, dispatch_cache
from guestmap.memory.ram import RamBlock
from guestmap.memory.ram.host import NO_CELLS

OK, DECODE_ERROR = MemTxResult.OK, MemTxResult.DECODE_ERROR
SIZE = 0x4000


class Warm:
    """RAM that has just been read and written, so that the next access goes the short way."""

    def __init__(self, memory: MemorySystem) -> None:
        self.ram = memory.ram("ram", SIZE)
        root = memory.container("root", 1 << 64)
        root.add_subregion(0x1000, self.ram)
        root.add_subregion(0x1000 + SIZE, memory.rom("rom", SIZE))
        self.space: AddressSpace = memory.address_space("space", root)
        self.warm_up()

    @property
    def block(self) -> RamBlock:
        assert self.ram.ram_block is not None
        return self.ram.ram_block

    def warm_up(self) -> None:
        self.space.store(0x1000, 4, 0)
        self.space.load(0x1000, 4)
        view = self.space.view
        assert view.hot[2] is view.hot_write[2] is self.block


@pytest.fixture
def warm(memory: MemorySystem) -> Warm:
    return Warm(memory)


@pytest.mark.parametrize("size", [1, 2, 4, 8])
def test_numbers_of_each_size_and_of_too_many_bits(warm: Warm, size: int) -> None:
    warm.space.write(0x1010, b"\xee" * 16)
    for value in (0x1122334455667788, -2, 1 << 80):
        warm.warm_up()
        assert warm.space.store(0x1011, size, value) is OK
        low = (value & ((1 << 8 * size) - 1)).to_bytes(size, "little")
        assert warm.space.read(0x1010, 10) == b"\xee" + low + b"\xee" * (9 - size)
        warm.warm_up()
        assert warm.space.load(0x1011, size) == int.from_bytes(low, "little")


@pytest.mark.parametrize("at", [0xFFC, 0xFFE, 0x1000, 0x4FF0, 0x4FF9, 0x4FFE, 0x5000])
def test_the_edges_of_what_is_warm(warm: Warm, at: int) -> None:
    """Below there is nothing, above there is ROM that a write must not reach."""
    warm.space.write_rom(0x5000, b"ROMROMRO")
    expected = bytearray(8)
    for i in range(8):
        if at + i >= 0x5000:
            expected[i] = b"ROMROMRO"[at + i - 0x5000]
    for size in (1, 2, 4, 8):
        warm.warm_up()
        assert warm.space.load(at, size) == int.from_bytes(expected[:size], "little")
        warm.warm_up()
        assert warm.space.read(at, size) == expected[:size]
        buffer = bytearray(size)
        warm.warm_up()
        warm.space.read_into(at, buffer)
        assert buffer == expected[:size]
        whole = at >= 0x1000 and at + size <= 0x5000
        for write in (
            lambda size=size: warm.space.store(at, size, 0),
            lambda size=size: warm.space.write(at, expected[:size]),
        ):
            warm.warm_up()
            assert write() is (OK if whole else DECODE_ERROR)
    assert warm.space.read(0x5000, 8) == b"ROMROMRO"


def test_buffers_of_other_things_than_bytes(warm: Warm) -> None:
    words = memoryview(bytearray(range(16))).cast("I")
    assert warm.space.write(0x1100, words) is OK
    warm.warm_up()
    assert warm.space.write(0x1100, words) is OK
    assert warm.space.read(0x1100, 16) == bytes(range(16))
    target = memoryview(bytearray(16)).cast("I")
    warm.warm_up()
    assert warm.space.read_into(0x1100, target) is OK
    assert target.tobytes() == bytes(range(16))
    assert warm.space.write(0x1100, bytearray(b"array")) is OK
    assert warm.space.read(0x1100, 5) == b"array"


def test_memory_that_is_reclaimed_under_a_running_access_is_gone_and_nothing_more(
    warm: Warm,
) -> None:
    """Another thread may free a block between a reader's look at the view and its access."""
    nothing = memoryview(bytearray())
    data = bytearray(b"junk")
    warm.block.buffer, warm.block.cells = nothing, NO_CELLS
    assert warm.space.load(0x1100, 4) == 0
    assert warm.space.store(0x1100, 4, 1) is OK
    assert warm.space.read(0x1100, 4) == bytes(4)
    assert warm.space.read_into(0x1100, data) is OK
    assert data == bytes(4)
    assert warm.space.write(0x1100, b"data") is OK


def test_a_debuggers_write_to_rom_does_not_open_it_for_others(warm: Warm) -> None:
    debug = MemTxAttrs(debug=True)
    assert warm.space.store(0x5000, 4, 0x11223344, debug) is OK
    assert warm.space.load(0x5000, 4) == 0x11223344
    assert warm.space.store(0x5000, 4, 0) is DECODE_ERROR
    assert warm.space.write(0x5000, b"none") is DECODE_ERROR
    assert warm.space.load(0x5000, 4) == 0x11223344


def test_a_watcher_that_comes_later_hears_of_the_next_write(warm: Warm) -> None:
    told: list[tuple[int, int]] = []

    def watcher(offset: int, length: int) -> None:
        told.append((offset, length))

    warm.block.add_watcher(watcher)
    warm.space.store(0x1010, 2, 5)
    warm.space.write(0x1020, b"abc")
    warm.space.write(0x4FFC, b"over the border")
    assert told == [(0x10, 2), (0x20, 3), (0x3FFC, 4)]
    warm.block.remove_watcher(watcher)
    warm.space.store(0x1010, 2, 5)
    assert len(told) == 3


def test_memory_that_becomes_read_only_is_so_at_once(warm: Warm) -> None:
    warm.ram.set_readonly(True)
    assert warm.space.store(0x1000, 4, 1) is DECODE_ERROR
    assert warm.space.write(0x1000, b"data") is DECODE_ERROR
    assert warm.space.read(0x1000, 4) == bytes(4)


def test_a_remembered_access_asks_the_device_each_time_whether_it_accepts(
    memory: MemorySystem,
) -> None:
    open_ = True
    calls: list[int] = []

    def read(offset: int, _size: int) -> int:
        calls.append(offset)
        return 0x1234

    def accepts(_offset: int, size: int, _is_write: bool, attrs: MemTxAttrs) -> bool:
        assert attrs.unspecified
        return open_ and size == 2

    ops = MemoryRegionOps(read=read, valid=AccessSizes(accepts=accepts))
    space = memory.address_space("space", memory.io("io", 8, ops))
    assert [space.load(2, 2), space.load(2, 2), space.load(0, 4)] == [0x1234, 0x1234, 0]
    open_ = False
    assert [space.load(2, 2), space.load(2, 2)] == [0, 0]
    assert space.load_result(2, 2) == (0, DECODE_ERROR)
    assert calls == [2, 2]


def test_a_callback_that_returns_something_is_still_a_success(memory: MemorySystem) -> None:
    ops = MemoryRegionOps(write=lambda _offset, value, _size: value + 3)  # type: ignore[arg-type,return-value]
    space = memory.address_space("space", memory.io("io", 8, ops))
    assert [space.store(0, 4, value) for value in (0, 1, 1)] == [OK] * 3
    assert all(type(space.store(0, 4, 1)) is MemTxResult for _ in range(3))


def test_the_callback_of_a_region_is_told_of_attributes_by_the_long_way(
    memory: MemorySystem,
) -> None:
    written: list[int] = []
    ops = MemoryRegionOps(write=lambda _offset, value, _size: written.append(value))
    space = memory.address_space("space", memory.io("io", 8, ops))
    for attrs in (MemTxAttrs(), MemTxAttrs(requester_id=5), MemTxAttrs(debug=True)):
        assert space.store(0, 4, 1, attrs) is OK
    assert space.store(0, 4, 2) is OK
    assert space.store(0, 4, 3, MemTxAttrs(memory=True)) is MemTxResult.ACCESS_ERROR
    assert written == [1, 1, 1, 2]


def test_long_copies_over_many_borders(memory: MemorySystem) -> None:
    root = memory.container("root", 1 << 64)
    blocks = [memory.ram(f"ram {i}", 0x1000) for i in range(4)]
    for i, block in enumerate(blocks):
        root.add_subregion(0x1000 * i, block)
    root.add_subregion(0x4000, memory.ram("no memory", 0x1000, backed=False))
    space = memory.address_space("space", root)
    data = bytes(i * 7 & 0xFF for i in range(0x5000))
    assert space.write(0, data) is OK
    assert space.read(0, 0x5000) == data[:0x4000] + bytes(0x1000)
    buffer = bytearray(0x2000)
    assert space.read_into(0x800, buffer) is OK
    assert buffer == data[0x800:0x2800]
    assert space.write(0x4800, bytes(0x1000)) is DECODE_ERROR
    assert space.read(0x3FFF, 3) == data[0x3FFF:0x4000] + bytes(2)


@pytest.mark.parametrize("owned", [False, True])
def test_the_first_access_of_a_register_decides_once_how_it_is_done(
    memory: MemorySystem, monkeypatch: pytest.MonkeyPatch, owned: bool
) -> None:
    decided: list[str] = []
    for module in (device, dispatch, dispatch_cache):
        for name in ("is_valid", "is_valid_size", "needs_covering"):
            original = getattr(module, name, None)
            if original is not None:

                def counting(*args: object, name: str = name, original: Any = original) -> object:
                    decided.append(name)
                    return original(*args)

                monkeypatch.setattr(module, name, counting)
    ops = MemoryRegionOps(read=lambda _offset, _size: 7, write=lambda *_: None)
    owner = object() if owned else None
    space = memory.address_space("space", memory.io("io", 8, ops, owner=owner))
    assert space.load(0, 4) == 7
    assert sorted(decided) == ["is_valid_size", "needs_covering"]
    assert space.store(4, 4, 1) is OK
    assert sorted(decided) == ["is_valid_size"] * 2 + ["needs_covering"] * 2
    assert space.load(0, 4) == 7
    assert len(decided) == 4
