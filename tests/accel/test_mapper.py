"""What is mapped in Unicorn is what the view shows: page by page, after any change, also one that
fails."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from contextlib import nullcontext
from itertools import pairwise

import pytest

from guestmap.accel.counters import Counters
from guestmap.accel.unicorn.layout import SCRATCH
from guestmap.accel.unicorn.mapper import Mapper
from guestmap.accel.unicorn.windows import MAX_WINDOWS, WINDOW
from guestmap.base import HostError
from guestmap.memory import MemoryRegion, MemoryRegionOps, MemorySystem
from tests.accel.fake_unicorn import PAGE, FakeUnicorn

pytestmark = pytest.mark.unicorn


class Bench:
    """A mapper between an address space and a fake of Unicorn."""

    def __init__(self) -> None:
        self.system = MemorySystem()
        self.root = self.system.container("root", 1 << 64)
        self.space = self.system.address_space("memory", self.root)
        self.uc = FakeUnicorn()
        self.counters = Counters()
        self.at_once = True
        self.mapper = Mapper(self.uc, self, self.counters, limit=SCRATCH)
        self.mapper.connect(None, None)
        self.space.register_listener(self.mapper)

    def may_settle(self) -> bool:
        return self.at_once

    def ram(self, name: str, size: int, *, readonly: bool = False) -> MemoryRegion:
        return self.system.ram(name, size, readonly=readonly)

    def check(self, low: int = 0, high: int = 0x40000) -> None:
        """Hold each page to the view: memory all through one page of one block, or nothing."""
        for address in range(low, high, PAGE):
            assert self.uc.page(address) == self._expected(address), f"page {address:#x}"

    def _expected(self, address: int) -> tuple[int, bool] | None:
        parts = [p for p in self.space.view if p.start < address + PAGE and address < p.end]
        if not parts or parts[0].start > address or parts[-1].end < address + PAGE:
            return None
        first = parts[0]
        block = first.region.ram_block
        if block is None:
            return None
        shift = first.offset_in_region - first.start
        for before, part in pairwise(parts):
            same = part.region.ram_block is block and part.offset_in_region - part.start == shift
            if not same or before.end != part.start:
                return None
            if (part.readonly or part.region.readonly) != (first.readonly or first.region.readonly):
                return None
        host = block.host_address + address + shift
        return host, not (first.readonly or first.region.readonly or first.region.rom_device)


@pytest.fixture
def bench() -> Iterator[Bench]:
    bench = Bench()
    yield bench
    bench.mapper.release()


def test_memory_is_mapped_where_it_shows_and_as_it_may_be_written(bench: Bench) -> None:
    alias = bench.system.alias("read-only", bench.ram("shared", 0x4000), 0x1000, 0x2000)
    alias.set_readonly(True)
    ops = MemoryRegionOps(write=lambda *_: None)
    for address, region, writable in (
        (0x0000, bench.ram("ram", 0x2000), True),
        (0x4000, bench.ram("rom", 0x1000, readonly=True), False),
        (0x8000, alias, False),
        (0xC000, bench.system.rom_device("flash", 0x1000, ops), False),
    ):
        bench.root.add_subregion(address, region)
        found = bench.uc.page(address)
        assert found is not None
        assert found[1] is writable
    bench.check()
    assert bench.mapper.is_rom_device(0xC000)
    assert bench.mapper.is_rom_device(0xCFFF)
    assert not bench.mapper.is_rom_device(0xD000)
    assert not bench.mapper.is_rom_device(0x4000)


def test_a_page_that_memory_has_only_a_part_of_is_not_mapped(bench: Bench) -> None:
    bench.root.add_subregion(0x800, bench.system.alias("a", bench.ram("b", 0x8000), 0x800, 0x2F00))
    assert [bench.uc.page(at) is not None for at in (0, 0x1000, 0x2000, 0x3000)] == [
        False, True, True, False,
    ]  # fmt: skip


def test_memory_above_the_scratch_pages_is_left_out(bench: Bench) -> None:
    bench.root.add_subregion(SCRATCH - 0x1000, bench.ram("below", 0x1000))
    bench.root.add_subregion(SCRATCH, bench.ram("above", 0x1000))
    assert bench.uc.page(SCRATCH - 0x1000) is not None
    assert bench.uc.page(SCRATCH) is None
    assert not bench.mapper.open_window(SCRATCH)


def test_random_changes_are_followed(bench: Bench) -> None:
    chance = random.Random(11)
    pieces = [bench.ram(f"r{i}", 0x4000, readonly=i == 3) for i in range(5)]
    pieces += [bench.system.io(f"d{i}", 0x800 << i, MemoryRegionOps()) for i in range(3)]
    pieces += [bench.system.alias(f"a{i}", pieces[0], 0x1000 * i, 0x1000) for i in range(4)]
    for step in range(300):
        with bench.system.transaction():
            for region in chance.sample(pieces, chance.randrange(1, 4)):
                if region.container is None:
                    address = chance.randrange(0, 0x3C000, chance.choice([0x1000, 0x1000, 0x800]))
                    bench.root.add_subregion(address, region, chance.randrange(4))
                elif chance.random() < 0.3:
                    region.set_enabled(not region.enabled)
                else:
                    bench.root.del_subregion(region)
        if step % 3 == 0:
            address = chance.randrange(0x40000)
            assert bench.mapper.open_window(address) is (bench.uc.page(address) is None)
        bench.check()


def test_a_window_is_round_its_address_and_lets_memory_be(bench: Bench) -> None:
    for at in (0x1000, 0x8000):
        bench.root.add_subregion(at, bench.ram("ram", 0x1000))
    assert bench.mapper.open_window(0x5678)
    assert bench.uc.regions[0x2000].size == 0x6000
    assert not bench.mapper.open_window(0x1000)
    assert not bench.mapper.open_window(0x8FFF)
    assert bench.mapper.open_window(0x9000)
    assert bench.uc.regions[0x9000].size == WINDOW - 0x9000
    assert bench.counters.freeze().open_windows == 2


@pytest.mark.parametrize("size", [0x1000, WINDOW // 2, 2 * WINDOW])
def test_memory_may_come_where_the_guest_has_looked_for_it(bench: Bench, size: int) -> None:
    """A DIMM, say, at an address that firmware sized memory at."""
    at = 4 * WINDOW
    for address in (at, at + size - 1):
        assert bench.mapper.open_window(address)
    bench.root.add_subregion(at, bench.ram("dimm", size))
    assert bench.uc.page(at) is not None
    assert bench.uc.page(at + size - 1) is not None
    assert bench.uc.page(at + size) is None


def test_there_are_never_many_windows_and_the_oldest_goes(bench: Bench) -> None:
    for number in range(MAX_WINDOWS + 3):
        assert bench.mapper.open_window(number * WINDOW)
    assert sorted(bench.uc.regions) == [n * WINDOW for n in range(3, MAX_WINDOWS + 3)]


def test_a_window_that_is_refused_is_an_access_that_fails(bench: Bench) -> None:
    bench.uc.fail_at = 1
    assert not bench.mapper.open_window(0x5000)
    assert bench.mapper.open_window(0x5000)


def test_blocks_are_pinned_while_a_part_of_them_is_mapped(bench: Bench) -> None:
    ram = bench.ram("ram", 0x4000)
    block = ram.ram_block
    assert block is not None
    parts = [bench.system.alias(f"a{i}", ram, 0x1000 * i, 0x1000) for i in (0, 2)]
    for part in parts:
        bench.root.add_subregion(0x10000 + part.alias_offset, part)
        assert block.pins == 1
    bench.root.del_subregion(parts[0])
    assert block.pins == 1
    bench.root.del_subregion(parts[1])
    assert block.pins == 0


# -- refusals --------------------------------------------------------------------------------------


@pytest.mark.parametrize("call", range(1, 6))
def test_a_change_that_unicorn_refuses_is_taken_back(bench: Bench, call: int) -> None:
    """Whichever of its calls is refused: unmap, unmap the window, map, protect."""
    old, new = bench.ram("old", 0x2000), bench.ram("new", 0x4000, readonly=True)
    bench.root.add_subregion(0x1000, old)
    bench.mapper.open_window(0x5000)
    bench.uc.fail_at = call
    refused = call < 5
    refusal = pytest.raises(HostError, match=r"Unicorn refuses .* at 0x0-0x4000")
    with refusal if refused else nullcontext():
        bench.root.add_subregion(0x0000, new, 1)
    assert (new.container is None) is refused
    assert new.ram_block is not None
    assert new.ram_block.pins == (not refused)
    bench.uc.fail_at = 0
    bench.check()
    bench.root.add_subregion(0x8000, bench.ram("other", 0x1000))
    bench.check()


@pytest.mark.parametrize("call", range(1, 5))
def test_what_is_refused_later_is_tried_again(bench: Bench, call: int) -> None:
    bench.root.add_subregion(0x1000, bench.ram("old", 0x2000))
    bench.at_once = False
    bench.root.add_subregion(0x0000, bench.ram("new", 0x1000, readonly=True), 1)
    bench.root.add_subregion(0x2000, bench.ram("newer", 0x1000, readonly=True), 1)
    bench.uc.fail_at = call
    with pytest.raises(HostError, match="refuses"):
        bench.mapper.settle()
    assert bench.mapper.unsettled
    bench.mapper.settle()
    assert not bench.mapper.unsettled
    bench.check()


# -- translated code -------------------------------------------------------------------------------


def test_a_write_drops_code_wherever_its_bytes_are_mapped(bench: Bench) -> None:
    ram = bench.ram("ram", 0x4000)
    bench.root.add_subregion(0x10000, ram)
    bench.root.add_subregion(0x20000, bench.system.alias("again", ram, 0x1000, 0x2000))
    bench.space.write(0x10FFE, bytes(4))
    assert bench.uc.dropped == [(0x10FFE, 0x11002), (0x20000, 0x20002)]
    bench.space.write(0x22000 - 1, b"x")
    assert bench.uc.dropped[2:] == [(0x12FFF, 0x13000), (0x21FFF, 0x22000)]


def test_a_muted_thread_drops_nothing_and_others_do(bench: Bench) -> None:
    bench.root.add_subregion(0x10000, bench.ram("ram", 0x4000))
    bench.mapper.muted = threading.get_ident()
    bench.space.write(0x10000, b"x")
    assert bench.uc.dropped == []
    other = threading.Thread(target=bench.space.write, args=(0x10010, b"x"))
    other.start()
    other.join()
    assert bench.uc.dropped == [(0x10010, 0x10011)]


def test_code_that_cannot_be_dropped_now_is_dropped_later(bench: Bench) -> None:
    bench.root.add_subregion(0x10000, bench.ram("ram", 0x4000))
    bench.at_once = False
    bench.space.write(0x10000, b"x")
    bench.space.write(0x10001, b"x")
    assert bench.mapper.unsettled
    assert bench.uc.dropped == []
    bench.uc.fail_at = 1
    with pytest.raises(HostError):
        bench.mapper.settle()
    bench.mapper.settle()
    assert bench.uc.dropped == [(0x10000, 0x10002)]
    assert bench.counters.freeze().invalidations == 1
