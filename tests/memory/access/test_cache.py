"""Cached access: a window that is looked up once."""

from __future__ import annotations

import pytest

from guestmap.base import ConfigError
from guestmap.memory import MemoryRegionOps, MemorySystem, MemTxResult
from tests.memory.access.test_mapping import Board
from tests.memory.host_maps import block_of, mapped, named_ram


@pytest.fixture
def board(memory: MemorySystem) -> Board:
    return Board(memory)


def test_memory_is_accessed_directly(board: Board) -> None:
    told: list[tuple[int, int]] = []
    cache = board.space.cache(0x1001, 0x40, True)
    assert (cache.address, cache.length, cache.direct, cache.is_write) == (0x1001, 0x40, True, True)
    for offset, size, value in [(0, 1, 0xA5), (1, 2, 0x1234), (3, 4, 0xDEADBEEF), (7, 8, 1 << 63)]:
        assert cache.store(offset, size, value | 1 << 70) == MemTxResult.OK
        assert cache.load(offset, size) == value
        assert board.space.load(0x1001 + offset, size) == value
    block_of(board.ram).add_watcher(lambda offset, length: told.append((offset, length)))
    assert cache.write(0x30, b"ring") == MemTxResult.OK
    cache.store(0x10, 2, 5)
    assert told == [(0x1031, 4), (0x1011, 2)]
    assert cache.read(0x30, 4) == b"ring"
    assert cache.read(0x40, 0) == b""
    board.space.write(0x1001, b"\7")
    assert cache.load(0, 1) == 7


def test_a_device_is_accessed_as_always(board: Board) -> None:
    with board.space.cache(0x20000, 0x10, True) as cache:
        assert not cache.direct
        assert cache.load(4, 4) == board.space.load(0x20004, 4)
        assert cache.read(0, 8) == board.space.read(0x20000, 8)
        cache.store(4, 4, 0x12345678)
        cache.write(8, b"\1\0\0\0")
    assert board.writes == [(4, 0x12345678, 4), (8, 1, 4)]


def test_the_window_may_be_shorter_than_wanted(board: Board) -> None:
    assert board.space.cache(0x7FF0, 0x100, False).length == 0x10


@pytest.mark.parametrize("address", [0x1000, 0x20000])
def test_nothing_is_accessed_outside(board: Board, address: int) -> None:
    cache = board.space.cache(address, 0x10, True)
    for offset, size in [(-1, 1), (0x10, 1), (0xF, 2), (0xD, 4), (-8, 8)]:
        with pytest.raises(
            ConfigError, match=f"outside the cache of 0x{address:x}, which has 0x10"
        ):
            cache.load(offset, size)
        with pytest.raises(ConfigError, match="outside the cache"):
            cache.store(offset, size, 0)
        with pytest.raises(ConfigError, match="outside the cache"):
            cache.read(offset, size)
        with pytest.raises(ConfigError, match="outside the cache"):
            cache.write(offset, bytes(size))
    with pytest.raises(ConfigError, match="outside the cache"):
        cache.read(4, -1)
    assert board.writes == []
    with pytest.raises(ConfigError, match="needs a length, not 0"):
        board.space.cache(address, 0, False)


def test_what_was_made_for_reading_is_not_written(board: Board) -> None:
    cache = board.space.cache(0x1000, 0x10, False)
    with pytest.raises(ConfigError, match="made for reading"):
        cache.store(0, 4, 1)
    with pytest.raises(ConfigError, match="made for reading"):
        cache.write(0, b"x")
    assert board.space.cache(0x10000, 4, False).direct  # ROM
    assert not board.space.cache(0x10000, 4, True).direct


def test_it_keeps_what_it_shows_and_says_that_the_map_has_changed(
    memory: MemorySystem, board: Board
) -> None:
    cache = board.space.cache(0x100, 0x10, True)
    board.space.write(0x100, b"old")
    assert not cache.stale
    other = named_ram(memory, "cache-other", 0x8000)
    with memory.transaction():
        board.root.del_subregion(board.ram)
        board.root.add_subregion(0, other)
        memory.free(board.ram)
    memory.rcu.drain()
    assert cache.stale
    assert cache.read(0, 3) == b"old"
    assert mapped(board.name)
    cache.close()
    memory.rcu.drain()
    assert not mapped(board.name)
    with pytest.raises(ConfigError, match="which has 0x0"):
        cache.load(0, 1)
    with pytest.raises(ConfigError, match="which has 0x0"):
        cache.write(0, b"x")
    cache.close()


def test_closing_a_slow_window_is_nothing_special(memory: MemorySystem) -> None:
    space = memory.address_space("space", memory.io("io", 8, MemoryRegionOps()))
    cache = space.cache(0, 8, False)
    cache.close()
    with pytest.raises(ConfigError):
        cache.load(0, 1)
