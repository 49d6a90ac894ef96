"""Dirty logs: what is marked, who looks, and what the engines are asked."""

from __future__ import annotations

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guestmap.base import ConfigError, StateError
from guestmap.memory import MemoryListener, MemorySystem
from guestmap.memory.ram import DirtyClient

PAGE = 4096
VGA, CODE, MIGRATION = DirtyClient.VGA, DirtyClient.CODE, DirtyClient.MIGRATION


class Spy(MemoryListener):
    """Writes down what it is told about logging."""

    def __init__(self, priority=0):
        self.priority = priority
        self.told = []

    def _note(self, word, section):
        self.told.append((word, section.offset_within_address_space, section.size))

    def log_start(self, section, old, new):
        self.told.append(("start", section.region.name, old, new))

    def log_stop(self, section, old, new):
        self.told.append(("stop", section.region.name, old, new))

    def log_sync(self, section):
        self._note("sync", section)

    def log_clear(self, section):
        self._note("clear", section)

    def log_global_start(self):
        self.told.append("global start")

    def log_global_stop(self):
        self.told.append("global stop")

    def log_global_after_sync(self):
        self.told.append("after sync")


@pytest.fixture
def memory():
    with MemorySystem() as memory:
        yield memory


def _machine(memory, size=256 * PAGE):
    system = memory.container("system", 1 << 64)
    ram = memory.ram("ram", size)
    system.add_subregion(0x10000, ram)
    return ram, memory.address_space("memory", system)


def test_a_client_that_never_looked_sees_everything_dirty(memory):
    ram, _space = _machine(memory)
    first = ram.system.dirty_logging.snapshot_and_clear(ram, 0, ram.size, VGA)
    assert len(first.pages()) == 256
    assert ram.system.dirty_logging.snapshot_and_clear(ram, 0, ram.size, VGA).pages() == []


def test_a_write_marks_its_pages_for_every_client_that_looks(memory):
    ram, space = _machine(memory)
    for client in (VGA, MIGRATION):
        ram.system.dirty_logging.snapshot_and_clear(ram, 0, ram.size, client)
    space.write(0x10000 + 3 * PAGE - 1, b"ab")
    assert ram.system.dirty_logging.snapshot_and_clear(ram, 0, ram.size, VGA).pages() == [
        2 * PAGE,
        3 * PAGE,
    ]
    assert ram.system.dirty_logging.snapshot_and_clear(ram, 0, ram.size, VGA).pages() == []
    assert ram.ram_block.dirty.is_dirty(MIGRATION, 2 * PAGE)
    assert not ram.ram_block.dirty.is_dirty(MIGRATION, 4 * PAGE)


def test_scalar_stores_mark_too(memory):
    ram, space = _machine(memory)
    ram.system.dirty_logging.snapshot_and_clear(ram, 0, ram.size, VGA)
    space.store(0x10000 + 5 * PAGE, 4, 1)
    space.store(0x10000 + 5 * PAGE + 4, 4, 1)
    assert ram.system.dirty_logging.snapshot_and_clear(ram, 0, ram.size, VGA).pages() == [5 * PAGE]
    space.store(0x10000 + 5 * PAGE, 4, 2)
    assert ram.system.dirty_logging.snapshot_and_clear(ram, 0, ram.size, VGA).pages() == [5 * PAGE]


def test_a_snapshot_takes_whole_words_and_says_what_it_covers(memory):
    ram, _space = _machine(memory)
    snapshot = ram.system.dirty_logging.snapshot_and_clear(ram, 70 * PAGE, PAGE, VGA)
    assert (snapshot.start, snapshot.end) == (64 * PAGE, 128 * PAGE)
    assert snapshot.is_dirty(127 * PAGE, PAGE)
    with pytest.raises(ConfigError, match="outside this snapshot"):
        snapshot.is_dirty(128 * PAGE)
    assert ram.ram_block.dirty.is_dirty(VGA, 128 * PAGE)


def test_looking_outside_the_region_is_refused(memory):
    ram, _space = _machine(memory)
    with pytest.raises(ConfigError, match="no RAM from"):
        ram.system.dirty_logging.snapshot_and_clear(ram, ram.size - 1, 2, VGA)


def test_logging_of_a_region_is_counted_and_told_at_its_edges(memory):
    ram, space = _machine(memory)
    spy = Spy()
    space.register_listener(spy)
    ram.system.dirty_logging.set_region(ram, on=True)
    ram.system.dirty_logging.set_region(ram, on=True)
    ram.system.dirty_logging.set_region(ram, on=False)
    ram.system.dirty_logging.set_region(ram, on=False)
    assert spy.told == [("start", "ram", 0, 1), ("stop", "ram", 1, 0)]
    with pytest.raises(StateError, match="off already"):
        ram.system.dirty_logging.set_region(ram, on=False)


def test_only_ram_and_only_vga_is_logged_by_region(memory):
    ram, _space = _machine(memory)
    with pytest.raises(ConfigError, match="MIGRATION"):
        ram.system.dirty_logging.set_region(ram, MIGRATION, on=True)
    with pytest.raises(ConfigError, match="no RAM"):
        memory.dirty_logging.set_region(memory.io("dev", 16, None), on=True)


def test_engines_are_asked_before_a_look_and_told_after_it(memory):
    ram, space = _machine(memory)
    spy = Spy()
    space.register_listener(spy)
    ram.system.dirty_logging.set_region(ram, on=True)
    spy.told.clear()
    ram.system.dirty_logging.snapshot_and_clear(ram, 64 * PAGE, PAGE, VGA)
    assert spy.told == [
        ("sync", 0x10000, ram.size),
        ("clear", 0x10000 + 64 * PAGE, 64 * PAGE),
        "after sync",
    ]


def test_what_an_engine_reports_is_dirty(memory):
    ram, space = _machine(memory)

    class Engine(MemoryListener):
        def log_sync(self, section):
            section.region.ram_block.dirty.mark(7 * PAGE, 1)

    space.register_listener(Engine())
    ram.system.dirty_logging.set_region(ram, on=True)
    ram.system.dirty_logging.snapshot_and_clear(ram, 0, ram.size, VGA)
    assert ram.system.dirty_logging.snapshot_and_clear(ram, 0, ram.size, VGA).pages() == [7 * PAGE]


def test_global_logging_is_told_in_order_and_stops_in_reverse(memory):
    _ram, space = _machine(memory)
    order = []
    for name, priority in (("high", 10), ("low", 1)):
        spy = Spy(priority)
        spy.log_global_start = lambda name=name: order.append(f"{name} start")
        spy.log_global_stop = lambda name=name: order.append(f"{name} stop")
        space.register_listener(spy)
    memory.dirty_logging.start_global()
    memory.dirty_logging.stop_global()
    assert order == ["low start", "high start", "high stop", "low stop"]


def test_global_logging_covers_ram_that_comes_later(memory):
    _ram, space = _machine(memory)
    spy = Spy()
    space.register_listener(spy)
    memory.dirty_logging.start_global()
    assert spy.told == ["global start", ("start", "ram", 0, 4)]
    space.root.add_subregion(0x1000_0000, memory.ram("late", PAGE))
    assert space.view.find(0x1000_0000).dirty_log_mask == MIGRATION.mask
    memory.dirty_logging.stop_global()
    assert all(each.dirty_log_mask == 0 for each in space.view)
    with pytest.raises(StateError, match="off already"):
        memory.dirty_logging.stop_global()


def test_an_engine_that_cannot_log_leaves_nothing_logged(memory):
    _ram, space = _machine(memory)
    first, second = Spy(0), Spy(10)

    def refuse():
        raise OSError("no")

    second.log_global_start = refuse
    space.register_listener(first)
    space.register_listener(second)
    with pytest.raises(OSError, match="no"):
        memory.dirty_logging.start_global()
    assert first.told == ["global start", "global stop"]
    assert memory.dirty_logging.global_mask == 0
    assert all(each.dirty_log_mask == 0 for each in space.view)


def test_logging_costs_writes_nothing_once_nobody_looks(memory):
    ram, _space = _machine(memory)
    memory.dirty_logging.start_global()
    ram.system.dirty_logging.snapshot_and_clear(ram, 0, PAGE, MIGRATION)
    assert ram.ram_block.watched
    memory.dirty_logging.stop_global()
    assert not ram.ram_block.watched
    assert ram.ram_block.dirty.is_dirty(MIGRATION, 0)


@given(st.lists(st.tuples(st.integers(0, 200 * PAGE), st.integers(1, 40 * PAGE)), max_size=20))
def test_marks_are_the_union_of_the_pages_written(writes):
    with MemorySystem() as memory:
        ram = memory.ram("ram", 256 * PAGE)
        log = ram.ram_block.dirty
        log.snapshot_and_clear(VGA, 0, ram.size)
        expected = set()
        for offset, length in writes:
            log.mark(offset, length)
            expected.update(range(offset // PAGE, (offset + length - 1) // PAGE + 1))
        found = log.snapshot_and_clear(VGA, 0, ram.size).pages()
        assert found == [page * PAGE for page in sorted(expected) if page < 256]


def test_no_mark_is_lost_between_threads(memory):
    ram = memory.ram("ram", 4096 * PAGE)
    log = ram.ram_block.dirty
    log.snapshot_and_clear(VGA, 0, ram.size)
    seen: set[int] = set()
    done = threading.Event()

    def look():
        while not done.is_set():
            seen.update(log.snapshot_and_clear(VGA, 0, ram.size).pages())

    def write(first):
        for page in range(first, 4096, 4):
            log.mark(page * PAGE, 1)

    looker = threading.Thread(target=look)
    writers = [threading.Thread(target=write, args=(n,)) for n in range(4)]
    looker.start()
    for each in writers:
        each.start()
    for each in writers:
        each.join()
    done.set()
    looker.join()
    seen.update(log.snapshot_and_clear(VGA, 0, ram.size).pages())
    assert len(seen) == 4096
