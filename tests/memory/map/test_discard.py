"""RAM in parts: what is there, who is told, what is given back, and who may forbid it."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from guestmap.base import ConfigError, HostError, StateError
from guestmap.memory import AddressSpace, MemoryRegionSection, MemorySystem
from guestmap.memory.map import RamDiscardListener, RamDiscardManager
from guestmap.memory.map.discard import crop
from guestmap.memory.ram import AnonymousRam, FileRam, MemfdRam, RamBackend
from tests.memory.host_maps import SMALL, block_of, resident

BLOCK = 0x2000
BLOCKS = 8


class Follower(RamDiscardListener):
    """Keeps what it was told as a list of bytes that are there, and refuses on demand."""

    def __init__(self, *, double: bool = False) -> None:
        self.double_discard_supported = double
        self.there: set[int] = set()
        self.told: list[str] = []
        self.refuse_from = 1 << 64

    def populate(self, section: MemoryRegionSection) -> None:
        start, end = _span(section)
        self.told.append(f"+{start:x}-{end:x}")
        if start <= self.refuse_from < end:
            raise OSError("no more slots")
        blocks = set(range(start, end, 0x1000))
        assert not blocks & self.there
        self.there |= blocks

    def discard(self, section: MemoryRegionSection) -> None:
        start, end = _span(section)
        self.told.append(f"-{start:x}-{end:x}")
        blocks = set(range(start, end, 0x1000))
        assert self.double_discard_supported or blocks <= self.there
        self.there -= blocks


def _span(section: MemoryRegionSection) -> tuple[int, int]:
    """Return the part of the region, after checking that the addresses agree."""
    assert section.offset_within_address_space == section.offset_within_region + 0x100000
    return section.offset_within_region, section.offset_within_region + section.size


class Pool:
    """A RAM region with a manager, shown at 1 MiB."""

    def __init__(self, memory: MemorySystem, backend: RamBackend = SMALL) -> None:
        self.memory = memory
        self.region = memory.ram("pool", BLOCK * BLOCKS, backend=backend)
        self.manager = RamDiscardManager(self.region, BLOCK)
        self.region.set_discard_manager(self.manager)
        self.root = memory.container("root", 1 << 64)
        self.root.add_subregion(0x100000, self.region)
        self.space: AddressSpace = memory.address_space("space", self.root)

    def section(self, start: int = 0, end: int = BLOCKS * BLOCK) -> MemoryRegionSection:
        whole = self.space.find(0x100000)
        assert whole is not None
        part = crop(whole, start, end - start)
        assert part is not None
        return part


@pytest.fixture
def pool(memory: MemorySystem) -> Pool:
    return Pool(memory)


# -- the manager of a region ----------------------------------------------------------------------


def test_a_manager_is_set_while_the_region_is_not_mapped(memory: MemorySystem) -> None:
    region, other = memory.ram("ram", BLOCK), memory.ram("other", BLOCK)
    root = memory.container("root", 1 << 64)
    manager = RamDiscardManager(region, BLOCK)
    root.add_subregion(0, region)
    with pytest.raises(StateError, match="'ram' is mapped"):
        region.set_discard_manager(manager)
    root.del_subregion(region)
    direct = memory.address_space("direct", region)
    with pytest.raises(StateError, match="'ram' is mapped"):
        region.set_discard_manager(manager)
    memory.remove_address_space(direct)
    region.set_discard_manager(manager)
    assert region.discard_manager is manager
    with pytest.raises(StateError, match="has a discard manager already"):
        region.set_discard_manager(RamDiscardManager(region, BLOCK))
    with pytest.raises(ConfigError, match="of 'ram' cannot be that of 'other'"):
        other.set_discard_manager(manager)
    with pytest.raises(KeyError), memory.transaction():  # noqa: PT012  (undone)
        region.set_discard_manager(None)
        raise KeyError
    assert region.discard_manager is manager
    region.set_discard_manager(None)
    assert region.discard_manager is None
    region.set_discard_manager(RamDiscardManager(region, BLOCK))


def test_a_manager_needs_ram_of_whole_blocks(memory: MemorySystem) -> None:
    with pytest.raises(ConfigError, match="'io' is not RAM"):
        RamDiscardManager(memory.io("io", 0x1000, None), 0x1000)
    ram = memory.ram("ram", 0x3000)
    for granularity in (0, 0x800, 0x2000, 0x3000):
        with pytest.raises(ConfigError, match="does not consist of blocks"):
            RamDiscardManager(ram, granularity)
    assert RamDiscardManager(ram, 0x1000).populated_bytes == 0


# -- populate and discard -------------------------------------------------------------------------


def test_parts_come_and_go(pool: Pool) -> None:
    manager = pool.manager
    follower = Follower()
    manager.register_listener(follower, pool.section())
    manager.populate(BLOCK, 3 * BLOCK)
    manager.populate(0, BLOCK)
    assert manager.populated_bytes == 4 * BLOCK
    assert manager.is_populated(pool.section(0, 4 * BLOCK))
    assert manager.is_populated(pool.section(0x1000, 0x1800))
    assert not manager.is_populated(pool.section(3 * BLOCK, 4 * BLOCK + 1))
    manager.discard(2 * BLOCK, 4 * BLOCK)
    assert follower.told == ["+2000-8000", "+0-2000", "-4000-8000"]
    parts: list[MemoryRegionSection] = []
    manager.replay_populated(pool.section(), parts.append)
    assert [_span(part) for part in parts] == [(0, 2 * BLOCK)]
    parts.clear()
    manager.replay_discarded(pool.section(0x1000, 6 * BLOCK), parts.append)
    assert [_span(part) for part in parts] == [(2 * BLOCK, 6 * BLOCK)]


def test_only_whole_blocks_once(pool: Pool) -> None:
    manager = pool.manager
    manager.populate(BLOCK, BLOCK)
    with pytest.raises(StateError, match="0x4000 bytes at 0x0 of 'pool' are partly populated"):
        manager.populate(0, 2 * BLOCK)
    for offset, length in [(1, BLOCK), (0, 1), (-BLOCK, BLOCK), (0, 0), (0, 9 * BLOCK)]:
        for change in (manager.populate, manager.discard):
            with pytest.raises(ConfigError, match="are not whole blocks of 0x2000"):
                change(offset, length)
    assert manager.populated_bytes == BLOCK


def test_a_follower_hears_of_its_section_only(pool: Pool) -> None:
    follower = Follower()
    pool.manager.register_listener(follower, pool.section(0x3000, 0x9000))
    pool.manager.populate(0, 4 * BLOCK)
    pool.manager.populate(6 * BLOCK, BLOCK)
    pool.manager.discard(0, 2 * BLOCK)
    assert follower.told == ["+3000-8000", "-3000-4000"]


def test_whoever_comes_later_is_told_what_is_there(pool: Pool) -> None:
    pool.manager.populate(0, BLOCK)
    pool.manager.populate(2 * BLOCK, 2 * BLOCK)
    follower, double = Follower(), Follower(double=True)
    for each in (follower, double):
        pool.manager.register_listener(each, pool.section())
        assert each.told == ["+0-2000", "+4000-8000"]
        with pytest.raises(StateError, match="registered already"):
            pool.manager.register_listener(each, pool.section())
    pool.manager.unregister_listener(follower)
    pool.manager.unregister_listener(double)
    assert follower.told[2:] == ["-0-2000", "-4000-8000"]
    assert double.told[2:] == ["-0-10000"]
    with pytest.raises(StateError, match="not registered"):
        pool.manager.unregister_listener(follower)
    pool.manager.discard(0, BLOCK)
    assert len(follower.told) == 4


def test_one_discard_does_for_those_who_can_bear_it(pool: Pool) -> None:
    follower, double = Follower(), Follower(double=True)
    for each in (follower, double):
        pool.manager.register_listener(each, pool.section())
    pool.manager.populate(BLOCK, BLOCK)
    pool.manager.discard(0, 4 * BLOCK)
    assert follower.told == ["+2000-4000", "-2000-4000"]
    assert double.told == ["+2000-4000", "-0-8000"]


def test_a_refusal_is_taken_back(pool: Pool) -> None:
    first, second, third = Follower(), Follower(), Follower()
    for each in (first, second, third):
        pool.manager.register_listener(each, pool.section())
    second.refuse_from = BLOCK
    with pytest.raises(OSError, match="no more slots"):
        pool.manager.populate(0, 2 * BLOCK)
    assert first.told == ["+0-4000", "-0-4000"]
    assert second.told == ["+0-4000"]
    assert third.told == []
    assert pool.manager.populated_bytes == 0
    pool.manager.populate(2 * BLOCK, BLOCK)


def test_a_newcomer_may_refuse(pool: Pool) -> None:
    pool.manager.populate(0, BLOCK)
    pool.manager.populate(2 * BLOCK, BLOCK)
    pool.manager.populate(4 * BLOCK, BLOCK)
    follower = Follower()
    follower.refuse_from = 4 * BLOCK
    with pytest.raises(OSError, match="no more slots"):
        pool.manager.register_listener(follower, pool.section())
    assert follower.told == ["+0-2000", "+4000-6000", "+8000-a000", "-4000-6000", "-0-2000"]
    with pytest.raises(StateError, match="not registered"):
        pool.manager.unregister_listener(follower)


def test_a_section_must_be_of_the_region(memory: MemorySystem, pool: Pool) -> None:
    other = memory.ram("other", 0x1000)
    pool.root.add_subregion(0, other)
    section = pool.space.find(0)
    assert section is not None
    with pytest.raises(ConfigError, match="'other' is not one of 'pool'"):
        pool.manager.register_listener(Follower(), section)
    silent = RamDiscardListener()
    pool.manager.register_listener(silent, pool.section())
    pool.manager.populate(0, BLOCK)
    pool.manager.discard(0, BLOCK)


# -- the host's memory ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "backend",
    [SMALL, AnonymousRam(share=True, huge_pages=False), MemfdRam(), MemfdRam(share=False)],
)
def test_what_is_discarded_costs_nothing_and_reads_as_zeros(
    memory: MemorySystem, backend: RamBackend
) -> None:
    pool = Pool(memory, backend)
    block = block_of(pool.region)
    pool.manager.populate(0, 4 * BLOCK)
    pool.space.write(0x100000, b"\1" * (4 * BLOCK))
    told: list[tuple[int, int]] = []
    block.add_watcher(lambda offset, length: told.append((offset, length)))
    assert resident(block.host_address + BLOCK, 2 * BLOCK) == 2 * BLOCK
    pool.manager.discard(BLOCK, 2 * BLOCK)
    assert resident(block.host_address + BLOCK, 2 * BLOCK) == 0
    assert told == [(BLOCK, 2 * BLOCK)]
    expected = b"\1" * BLOCK + bytes(2 * BLOCK) + b"\1" * BLOCK
    assert pool.space.read(0x100000, 4 * BLOCK) == expected


def test_a_shared_file_gets_a_hole_and_a_private_one_stays(
    memory: MemorySystem, tmp_path: Path
) -> None:
    for share in (True, False):
        path = tmp_path / f"{share}"
        path.write_bytes(b"\xa5" * 0x3000)
        ram = memory.ram("ram", 0x2000, backend=FileRam(path=str(path), share=share, offset=0x1000))
        block = block_of(ram)
        block.buffer[:] = b"\1" * 0x2000
        block.discard(0x1000, 0x1000)
        content = path.read_bytes()
        assert content[:0x1000] == b"\xa5" * 0x1000
        if share:
            assert block.buffer[0x1000:] == bytes(0x1000)
            assert content[0x1000:] == b"\1" * 0x1000 + bytes(0x1000)
        else:
            assert block.buffer[0x1000:] == b"\xa5" * 0x1000
            assert content == b"\xa5" * 0x3000


def test_what_cannot_be_discarded_is_refused(memory: MemorySystem, tmp_path: Path) -> None:
    path = tmp_path / "rom"
    path.write_bytes(bytes(0x1000))
    rom = block_of(memory.ram_from_file("rom", str(path), 0x1000, readonly=True))
    bar = block_of(memory.ram_device("bar", 0x1000, memoryview(bytearray(0x1000))))
    none = block_of(memory.ram("none", 0x1000, backed=False))
    ram = block_of(memory.ram("ram", 0x2000))
    cases: list[tuple[Callable[[], None], type[Exception], str]] = [
        (lambda: rom.discard(0, 0x1000), StateError, "with readonly files is not supported"),
        (lambda: bar.discard(0, 0x1000), StateError, "somebody else's"),
        (lambda: none.discard(0, 0x1000), StateError, "'none' has no memory"),
        (lambda: ram.discard(0x800, 0x1000), ConfigError, "multiples of its page size 0x1000"),
        (lambda: ram.discard(0, 0x800), ConfigError, "multiples of its page size 0x1000"),
        (lambda: ram.discard(0x1000, 0x2000), ConfigError, "it has 0x2000"),
        (lambda: ram.discard(-0x1000, 0x1000), ConfigError, "there are 0x2000 bytes"),
    ]
    for call, kind, message in cases:
        with pytest.raises(kind, match=message):
            call()
    ram.discard(0x1000, 0)
    proc = block_of(memory.ram_from_file("proc", "/dev/zero", 0x1000, share=True))
    with pytest.raises(HostError, match="cannot punch a hole into the backing store"):
        proc.discard(0, 0x1000)


def test_a_freed_or_unbacked_region_is_only_told_of(memory: MemorySystem) -> None:
    region = memory.ram("ram", BLOCK, backed=False)
    manager = RamDiscardManager(region, BLOCK)
    manager.populate(0, BLOCK)
    manager.discard(0, BLOCK)
    assert manager.populated_bytes == 0


# -- a model --------------------------------------------------------------------------------------


class DiscardMachine(RuleBasedStateMachine):
    """Any order of changes: the manager, its followers and the host agree with a plain set."""

    @initialize()
    def start(self) -> None:
        self.pool = Pool(MemorySystem())
        self.there: set[int] = set()
        self.followers: list[tuple[Follower, int, int]] = []

    def blocks(self, offset: int, count: int) -> set[int]:
        return set(range(offset, min(offset + count, BLOCKS)))

    @rule(offset=st.integers(0, BLOCKS - 1), count=st.integers(1, 4), refuse=st.booleans())
    def populate(self, offset: int, count: int, refuse: bool) -> None:
        blocks = self.blocks(offset, count)
        start, end = offset * BLOCK, (max(blocks) + 1) * BLOCK
        listening = [(f, a) for f, a, b in self.followers if a < end and start < b]
        if blocks & self.there:
            with pytest.raises(StateError):
                self.pool.manager.populate(start, end - start)
        elif refuse and listening:
            follower, begin = listening[-1]
            follower.refuse_from = max(start, begin)
            with pytest.raises(OSError, match="no more slots"):
                self.pool.manager.populate(start, end - start)
            follower.refuse_from = 1 << 64
        else:
            self.pool.manager.populate(start, end - start)
            self.there |= blocks

    @rule(offset=st.integers(0, BLOCKS - 1), count=st.integers(1, 4))
    def discard(self, offset: int, count: int) -> None:
        blocks = self.blocks(offset, count)
        self.pool.manager.discard(offset * BLOCK, len(blocks) * BLOCK)
        self.there -= blocks

    @rule(start=st.integers(0, 15), pages=st.integers(1, 8), double=st.booleans())
    def follow(self, start: int, pages: int, double: bool) -> None:
        begin, end = start * 0x1000, min(start + pages, 16) * 0x1000
        follower = Follower(double=double)
        self.pool.manager.register_listener(follower, self.pool.section(begin, end))
        self.followers.append((follower, begin, end))

    @precondition(lambda self: self.followers)
    @rule(which=st.integers(0, 99))
    def leave(self, which: int) -> None:
        follower, _, _ = self.followers.pop(which % len(self.followers))
        self.pool.manager.unregister_listener(follower)
        assert follower.there == set()

    @rule(where=st.integers(0, BLOCKS - 1))
    def write(self, where: int) -> None:
        if where in self.there:
            self.pool.space.write(0x100000 + where * BLOCK, b"\1" * BLOCK)

    @invariant()
    def all_agree(self) -> None:
        manager = self.pool.manager
        assert manager.populated_bytes == len(self.there) * BLOCK
        parts: list[MemoryRegionSection] = []
        manager.replay_populated(self.pool.section(), parts.append)
        spans = [_span(part) for part in parts]
        assert {k for a, b in spans for k in range(a // BLOCK, b // BLOCK)} == self.there
        assert all(before[1] < after[0] for before, after in pairwise(spans))
        pages = {k * BLOCK + p for k in self.there for p in (0, 0x1000)}
        for follower, begin, end in self.followers:
            assert follower.there == {page for page in pages if begin <= page < end}
        address = block_of(self.pool.region).host_address
        for k in range(BLOCKS):
            if k not in self.there:
                assert resident(address + k * BLOCK, BLOCK) == 0


TestDiscardMachine = DiscardMachine.TestCase


# -- who forbids it -------------------------------------------------------------------------------

KINDS = ("disable", "disable_uncoordinated", "require", "require_coordinated")
CONTRADICTIONS = {
    frozenset({"disable", "require"}),
    frozenset({"disable", "require_coordinated"}),
    frozenset({"disable_uncoordinated", "require"}),
}


@pytest.mark.parametrize("first", KINDS)
@pytest.mark.parametrize("second", KINDS)
def test_whoever_comes_second_is_refused(memory: MemorySystem, first: str, second: str) -> None:
    rules = memory.discard_rules
    with getattr(rules, first)():
        another = getattr(rules, first)()
        if frozenset({first, second}) in CONTRADICTIONS:
            with pytest.raises(StateError, match=f"'{second}' contradicts '{first}'.* 2 times"):
                getattr(rules, second)()
        else:
            getattr(rules, second)().release()
        another.release()
        another.release()
    assert not rules.disabled
    assert not rules.required
    getattr(rules, second)()
    assert (rules.disabled, rules.required) == ("disable" in second, "require" in second)
