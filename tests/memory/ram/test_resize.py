"""RAM that grows and shrinks: the block keeps its place, the region follows."""

from __future__ import annotations

import pytest

from guestmap.base import MIB, ConfigError
from guestmap.memory import MemoryListener, MemoryRegion, MemoryRegionSection, MemorySystem
from guestmap.memory.ram import AnonymousRam, RamBlock, RamBlockNotifier
from tests.memory.host_maps import block_of


class Log(RamBlockNotifier):
    """What is told of blocks."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def block_added(self, block: RamBlock) -> None:
        self.told.append(f"+{block.name}")

    def block_removed(self, block: RamBlock) -> None:
        self.told.append(f"-{block.name}")

    def block_resized(self, block: RamBlock, old: int, new: int) -> None:
        self.told.append(f"{block.name} 0x{old:x}->0x{new:x}")


@pytest.fixture
def sizes() -> list[int]:
    """What the owner was told."""
    return []


@pytest.fixture
def tables(memory: MemorySystem, sizes: list[int]) -> MemoryRegion:
    """RAM as QEMU's firmware tables are: 0x1800 bytes in use of up to 0x10000."""
    return memory.resizeable_ram("tables", 0x1800, 0x10000, resized=sizes.append)


def test_the_place_is_for_all_that_it_may_become(
    memory: MemorySystem, tables: MemoryRegion
) -> None:
    block = block_of(tables)
    assert (tables.size, block.used_length, block.max_length) == (0x1800, 0x2000, 0x10000)
    assert block.resizeable
    assert len(block.buffer) == 0x10000
    after = block_of(memory.ram("after", 0x1000))
    assert after.offset == block.offset + 0x40000
    assert tables.mtree_type() == "ram"


def test_the_region_and_the_view_follow(
    memory: MemorySystem, tables: MemoryRegion, sizes: list[int]
) -> None:
    root = memory.container("root", MIB)
    root.add_subregion(0, tables)
    root.add_subregion(MIB - 1, memory.io("end", 1, None))
    space = memory.address_space("space", root)
    generation, address = memory.generation, block_of(tables).host_address
    seen: list[tuple[int, int]] = []

    class Hears(MemoryListener):
        def region_add(self, section: MemoryRegionSection) -> None:
            seen.append((section.size, block_of(tables).used_length))

    space.register_listener(Hears())
    seen.clear()
    tables.resize_ram(0x5001)
    assert space.view.ranges[0].size == 0x5001
    assert (tables.size, block_of(tables).used_length) == (0x5001, 0x6000)
    assert seen == [(0x5001, 0x6000)]
    assert (sizes, memory.generation) == ([0x5001], generation + 1)
    assert "tables gets 0x5001 bytes" in memory.history[-1].cause
    space.write(0x5000, b"x")
    tables.resize_ram(0x1000)
    assert space.read(0x5000, 1) == b"\0"
    tables.resize_ram(0x10000)
    assert space.read(0x5000, 1) == b"x"  # what it had is still there
    assert block_of(tables).host_address == address


def test_bytes_within_a_page_change_the_region_only(
    memory: MemorySystem, tables: MemoryRegion, sizes: list[int]
) -> None:
    log = Log()
    memory.ram_blocks.add_notifier(log)
    tables.resize_ram(0x1801)
    assert (tables.size, block_of(tables).used_length, sizes) == (0x1801, 0x2000, [0x1801])
    tables.resize_ram(0x1801)
    assert sizes == [0x1801]
    assert log.told == ["+tables"]
    fixed = memory.ram("fixed", 0x1800)
    fixed.resize_ram(0x2000)
    assert (fixed.size, block_of(fixed).used_length) == (0x2000, 0x2000)


def test_what_cannot_be_is_refused_with_qemus_words(
    memory: MemorySystem, tables: MemoryRegion, sizes: list[int]
) -> None:
    fixed, none = memory.ram("fixed", 0x1000), memory.container("none", 0x1000)
    for region, size, message in [
        (fixed, 0x1001, "Size mismatch: fixed: 0x2000 != 0x1000"),
        (tables, 0x10001, "Size too large: tables: 0x11000 > 0x10000"),
        (none, 0x2000, "'none' has no RAM"),
        (tables, 0, "size 0x0 is impossible"),
    ]:
        with pytest.raises(ConfigError, match=message):
            region.resize_ram(size)
    with pytest.raises(ConfigError, match="Size too large: big: 0x3000 > 0x2000"):
        memory.resizeable_ram("big", 0x3000, 0x2000)
    assert (tables.size, block_of(tables).used_length, sizes) == (0x1800, 0x2000, [])
    assert {block.name for block in memory.ram_blocks} == {"fixed", "tables"}


def test_an_undone_transaction_has_resized_nothing(
    memory: MemorySystem, tables: MemoryRegion, sizes: list[int]
) -> None:
    log = Log()
    memory.ram_blocks.add_notifier(log)
    with pytest.raises(KeyError), memory.transaction():  # noqa: PT012  (undone)
        tables.resize_ram(0x8000)
        assert block_of(tables).used_length == 0x8000
        raise KeyError
    assert (tables.size, block_of(tables).used_length, sizes) == (0x1800, 0x2000, [])
    assert log.told == ["+tables", "tables 0x2000->0x8000", "tables 0x8000->0x2000"]


def test_the_owner_hears_when_it_is_published(
    memory: MemorySystem, tables: MemoryRegion, sizes: list[int]
) -> None:
    with memory.transaction():
        tables.resize_ram(0x3000)
        assert sizes == []
    assert sizes == [0x3000]


def test_growth_takes_any_backend(memory: MemorySystem) -> None:
    ram = memory.resizeable_ram("ram", 0x1000, MIB, backend=AnonymousRam())
    ram.resize_ram(MIB)
    block_of(ram).buffer[MIB - 1] = 1
    assert block_of(ram).align == 2 * MIB


def test_notifiers_hear_of_every_block(memory: MemorySystem, tables: MemoryRegion) -> None:
    log = Log()
    memory.ram_blocks.add_notifier(log)
    ram = memory.ram("ram", 0x1000)
    tables.resize_ram(0x4000)
    memory.free(ram)
    memory.ram_blocks.remove_notifier(log)
    memory.free(tables)
    assert log.told == ["+tables", "+ram", "tables 0x2000->0x4000", "-ram"]
    with pytest.raises(ConfigError, match="'ram' is not one of this machine's"):
        memory.ram_blocks.remove(block_of(ram))
    silent = RamBlockNotifier()
    memory.ram_blocks.add_notifier(silent)
    other = memory.resizeable_ram("other", 0x1000, 0x2000)
    other.resize_ram(0x2000)
    memory.free(other)
