"""RAM is unmapped after its last user, and never before."""

from __future__ import annotations

import ctypes
import gc
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from guestmap.base import ConfigError, StateError
from guestmap.memory import (
    AddressSpace,
    MemoryListener,
    MemoryRegion,
    MemoryRegionOps,
    MemoryRegionSection,
    MemorySystem,
)
from guestmap.memory.ram import RamBlock, RamBlockNotifier
from tests.memory.host_maps import block_of, mapped, named_ram, open_files, vmas
from tests.memory.map.test_threads import run_beside


def shown(memory: MemorySystem, region: MemoryRegion) -> tuple[MemoryRegion, AddressSpace]:
    root = memory.container("root", 1 << 64)
    root.add_subregion(0x1000, region)
    return root, memory.address_space("space", root)


def test_a_freed_region_gives_memory_and_file_back(memory: MemorySystem) -> None:
    dimm = named_ram(memory, "dimm-free")
    root, space = shown(memory, dimm)
    space.write(0x1000, b"data")
    assert space.load(0x1000, 4) == int.from_bytes(b"data", "little")
    assert mapped("dimm-free")
    root.del_subregion(dimm)
    memory.free(dimm)
    memory.rcu.drain()
    assert not mapped("dimm-free")
    assert not any("dimm-free" in name for name in open_files())
    assert list(memory.ram_blocks) == []
    assert dimm.freed


def test_anonymous_memory_goes_with_its_guard_page(memory: MemorySystem) -> None:
    ram = memory.ram("ram", 0x1234000)
    start = block_of(ram).host_address
    ours = [vma for vma in vmas() if start <= vma.start < start + 0x1235000]
    assert [vma.access for vma in ours] == ["rw-p", "---p"]
    assert ours[0].end == start + 0x1234000
    memory.free(ram)
    memory.rcu.drain()
    left = {(vma.start, vma.end) for vma in vmas()}
    assert not left & {(vma.start, vma.end) for vma in ours}


def test_no_address_space_is_lost(memory: MemorySystem) -> None:
    """What aligning costs is given back at once, and the guard page in the end."""

    def pages() -> int:
        return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])

    memory.rcu.drain()  # its thread has started
    memory.free(memory.ram("first", 4 << 20))
    memory.rcu.drain()
    before = pages()
    kept = [memory.ram("ram", 4 << 20) for _ in range(30)]
    assert pages() - before <= 30 * 1025 + 512
    for ram in kept:
        memory.free(ram)
    memory.rcu.drain()
    assert pages() - before <= 512


def test_old_views_and_the_history_do_not_keep_memory(memory: MemorySystem) -> None:
    dimm = named_ram(memory, "dimm-old")
    root, space = shown(memory, dimm)
    root.add_subregion(0x10000, memory.io("other", 1, None))
    space.load(0x1000, 4)
    space.store(0x1000, 4, 1)
    old = space.view
    root.del_subregion(dimm)
    memory.free(dimm)
    memory.rcu.drain()
    assert not mapped("dimm-old")
    found = old.find(0x1000)
    assert found is not None
    assert found.region is dimm
    assert memory.history[-1].changes  # which know the region too


def test_a_pin_keeps_the_memory(memory: MemorySystem) -> None:
    ram = named_ram(memory, "pin-keeps")
    block = block_of(ram)
    block.buffer[:4] = b"kept"
    address = block.host_address
    block.pin()
    block.pin()
    memory.free(ram)
    memory.rcu.drain()
    assert (block.pins, block.released, block.reclaimed) == (2, True, False)
    block.unpin()
    memory.rcu.drain()
    assert ctypes.string_at(address, 4) == b"kept"
    block.unpin()
    assert block.reclaimed
    memory.rcu.drain()
    assert not mapped("pin-keeps")
    assert (block.host_address, len(block.buffer), block.host) == (0, 0, None)


def test_a_pin_may_be_a_with_block(memory: MemorySystem) -> None:
    ram = named_ram(memory, "pin-with")
    block = block_of(ram)
    with block.pinned() as pinned:
        assert pinned is block
        memory.free(ram)
        memory.rcu.drain()
        assert mapped("pin-with")
        assert block.pins == 1
    memory.rcu.drain()
    assert not mapped("pin-with")


def test_what_was_reclaimed_cannot_be_pinned(memory: MemorySystem) -> None:
    ram = memory.ram("gone", 0x1000)
    block = block_of(ram)
    memory.free(ram)
    assert not block.try_pin()
    with pytest.raises(StateError, match="RAM block 'gone' was freed"):
        block.pin()
    with pytest.raises(StateError, match="nobody holds"):
        block.unpin()
    block.release()
    assert block.pins == 0


def test_a_view_of_the_bytes_keeps_them(memory: MemorySystem) -> None:
    ram = named_ram(memory, "view-keeps")
    assert ram.buffer is not None
    ram.buffer[0x10:0x14] = b"kept"
    piece = ram.buffer[0x10:0x14]
    memory.free(ram)
    memory.rcu.drain()
    assert bytes(piece) == b"kept"
    assert mapped("view-keeps")
    del piece
    assert not mapped("view-keeps")


def test_a_reader_in_a_section_keeps_the_address_good(memory: MemorySystem) -> None:
    ram = named_ram(memory, "section-keeps")
    block = block_of(ram)
    block.buffer[:4] = b"kept"
    entered, leave = threading.Event(), threading.Event()
    seen: list[bytes] = []

    def read() -> None:
        with memory.rcu.read_section():
            address = block.host_address
            entered.set()
            assert leave.wait(30)
            seen.append(ctypes.string_at(address, 4))

    reader = threading.Thread(target=read)
    reader.start()
    assert entered.wait(30)
    memory.free(ram)
    assert memory.rcu.statistics().pending == 1
    assert mapped("section-keeps")
    assert block.host_address != 0
    leave.set()
    reader.join()
    memory.rcu.drain()
    assert seen == [b"kept"]
    assert not mapped("section-keeps")


def test_a_region_that_nobody_knows_any_more_gives_its_memory_back(memory: MemorySystem) -> None:
    ram = named_ram(memory, "forgotten")
    assert len(memory.ram_blocks) == 1
    with memory.rcu.read_section():
        address = block_of(ram).host_address
        del ram
        gc.collect()
        assert len(memory.ram_blocks) == 0
        assert mapped("forgotten")
        assert ctypes.string_at(address, 1) == b"\0"
    memory.rcu.drain()
    assert not mapped("forgotten")


def test_a_system_that_nobody_knows_any_more_leaves_nothing() -> None:
    memory = MemorySystem()
    shown(memory, named_ram(memory, "dropped"))
    del memory
    gc.collect()
    assert not mapped("dropped")


def test_what_is_shown_cannot_be_freed(memory: MemorySystem) -> None:
    ram = named_ram(memory, "shown")
    root, space = shown(memory, ram)
    with pytest.raises(StateError, match="'shown' is in 'root': remove it there"):
        memory.free(ram)
    root.del_subregion(ram)
    alias = memory.alias("alias", ram, 0, 0x1000)
    root.add_subregion(0, alias)
    with pytest.raises(StateError, match="shown by an alias or an address space"):
        memory.free(ram)
    root.del_subregion(alias)
    direct = memory.address_space("direct", ram)
    with pytest.raises(StateError, match="shown by an alias or an address space"):
        memory.free(ram)
    memory.remove_address_space(direct)
    assert not ram.freed
    memory.free(ram)
    with pytest.raises(StateError, match="'shown' was freed before"):
        memory.free(ram)
    with pytest.raises(ConfigError, match="it was freed"):
        root.add_subregion(0, ram)
    memory.rcu.drain()
    root.add_subregion(0, alias)  # an alias of nothing: reads as memory without backing
    assert space.read(0, 4) == bytes(4)
    assert space.load(0, 4) == 0
    assert space.write(0, b"lost") == 0
    assert space.map(0, 4, False) is not None


def test_regions_without_memory_are_freed_too(memory: MemorySystem) -> None:
    root = memory.container("root", 0x1000)
    device = memory.io("device", 1, MemoryRegionOps())
    root.add_subregion(0, device)
    root.del_subregion(device)
    memory.free(device)
    with pytest.raises(ConfigError, match="it was freed"):
        root.add_subregion(0, device)


def test_memory_stays_while_the_transaction_is_open(memory: MemorySystem) -> None:
    dimm = named_ram(memory, "txn")
    root, space = shown(memory, dimm)
    space.write(0x1000, b"here")
    with memory.transaction():
        root.del_subregion(dimm)
        memory.free(dimm)
        memory.rcu.drain()
        assert space.read(0x1000, 4) == b"here"
        assert mapped("txn")
    memory.rcu.drain()
    assert not mapped("txn")


def test_an_undone_transaction_has_freed_nothing(memory: MemorySystem) -> None:
    dimm = named_ram(memory, "undone")
    root, space = shown(memory, dimm)
    space.write(0x1000, b"here")
    with pytest.raises(KeyError), memory.transaction():  # noqa: PT012  (undone)
        root.del_subregion(dimm)
        memory.free(dimm)
        raise KeyError
    memory.rcu.drain()
    assert not dimm.freed
    assert space.read(0x1000, 4) == b"here"
    assert list(memory.ram_blocks) == [dimm.ram_block]


def test_a_refused_commit_has_freed_nothing(memory: MemorySystem) -> None:
    dimm = named_ram(memory, "refused")
    root, space = shown(memory, dimm)

    class Refusing(MemoryListener):
        def region_del(self, section: MemoryRegionSection) -> None:
            raise OSError

    listener = Refusing()
    space.register_listener(listener)
    with pytest.raises(OSError), memory.transaction():  # noqa: PT011, PT012
        root.del_subregion(dimm)
        memory.free(dimm)
    assert not dimm.freed
    assert mapped("refused")
    assert space.find(0x1000) is not None


def test_listeners_have_let_go_before_the_memory_goes(memory: MemorySystem) -> None:
    """What a CPU engine does: pin what comes, unpin what goes."""
    dimm = named_ram(memory, "engine")
    root, space = shown(memory, dimm)
    events: list[str] = []

    class Engine(MemoryListener):
        def region_add(self, section: MemoryRegionSection) -> None:
            block_of(section.region).pin()

        def region_del(self, section: MemoryRegionSection) -> None:
            events.append(f"unmapped, released: {block_of(section.region).released}")
            block_of(section.region).unpin()

    class Watch(RamBlockNotifier):
        def block_removed(self, block: RamBlock) -> None:
            events.append(f"removed with {block.pins} pins")

    space.register_listener(Engine())
    memory.ram_blocks.add_notifier(Watch())
    with memory.transaction():
        root.del_subregion(dimm)
        memory.free(dimm)
    assert events == ["unmapped, released: False", "removed with 0 pins"]


# -- the system's end -----------------------------------------------------------------------------


def test_closing_a_system_gives_everything_back() -> None:
    with MemorySystem() as memory:
        ram = named_ram(memory, "close")
        _, space = shown(memory, ram)
        heard: list[str] = []

        class Hears(MemoryListener):
            def region_del(self, section: MemoryRegionSection) -> None:
                heard.append(section.region.name)

        space.register_listener(Hears())
    assert heard == ["close"]
    assert not mapped("close")
    assert memory.closed
    assert memory.address_spaces == ()
    assert len(memory.ram_blocks) == 0
    with pytest.raises(StateError, match="the memory system is closed"):
        space.read(0x1000, 4)
    memory.close()
    with pytest.raises(StateError, match="the memory system is closed"):
        memory.ram("more", 0x1000)
    with pytest.raises(StateError, match="closed"):
        memory.rcu.call(print)


def test_a_pin_outlives_the_system() -> None:
    memory = MemorySystem()
    ram = named_ram(memory, "outlives")
    block = block_of(ram)
    block.pin()
    memory.close()
    assert mapped("outlives")
    block.unpin()
    memory.rcu.drain()
    assert not mapped("outlives")


def test_bytes_outlive_the_system() -> None:
    memory = MemorySystem()
    buffer = named_ram(memory, "bytes").buffer
    assert buffer is not None
    memory.close()
    buffer[0] = 1
    assert mapped("bytes")
    del buffer
    assert not mapped("bytes")


def test_an_abandoned_region_after_the_close_is_unmapped_at_once() -> None:
    """The domain is closed: its readers were waited for, and nobody runs callbacks any more."""
    memory = MemorySystem()
    memory.rcu.close()
    ram = named_ram(memory, "late")
    assert mapped("late")
    del ram
    gc.collect()
    assert not mapped("late")


def test_a_system_is_not_closed_in_the_middle_of_something(memory: MemorySystem) -> None:
    with memory.transaction(), pytest.raises(StateError, match="inside a transaction"):
        memory.close()
    with memory.rcu.read_section(), pytest.raises(StateError, match="outside of read sections"):
        memory.close()
    failures: list[BaseException] = []

    class Closes(MemoryListener):
        def begin(self) -> None:
            try:
                memory.close()
            except StateError as error:
                failures.append(error)

    space = memory.address_space("space", memory.container("root", 1))
    space.register_listener(Closes())
    assert len(failures) == 1
    assert not memory.closed


# -- threads --------------------------------------------------------------------------------------


def test_no_reader_of_an_address_ever_meets_unmapped_memory(memory: MemorySystem) -> None:
    """The updater replaces and frees the RAM; a reader that were too late would end the process."""
    rounds = 150
    current: list[RamBlock] = []

    def fresh(number: int) -> MemoryRegion:
        region = named_ram(memory, f"churn-{number}", 0x1000)
        block = block_of(region)
        block.buffer[:8] = number.to_bytes(8, "little")
        current[:] = [block]
        return region

    region = fresh(0)
    reads = [0, 0, 0]

    def reader(which: int) -> Callable[[], None]:
        def in_section() -> None:
            with memory.rcu.read_section():
                address = current[0].host_address
                first = ctypes.string_at(address, 8)
                assert ctypes.string_at(address, 8) == first
                reads[which] += 1

        return in_section

    def pinning() -> None:
        block = current[0]
        if block.try_pin():
            address = block.host_address
            first = ctypes.string_at(address, 8)
            assert ctypes.string_at(address, 8) == first
            block.unpin()
            reads[2] += 1

    def update() -> None:
        nonlocal region
        for number in range(1, rounds):
            old, region = region, fresh(number)
            memory.free(old)

    assert run_beside(update, [reader(0), reader(1), pinning]) == []
    memory.rcu.drain()
    assert all(reads)
    assert {vma.name for vma in mapped("churn-")} == {f"/memfd:churn-{rounds - 1} (deleted)"}
    assert memory.rcu.statistics().failed == 0


def test_dimms_come_and_go_under_dma(memory: MemorySystem) -> None:
    root = memory.container("root", 1 << 64)
    space = memory.address_space("space", root)

    def dma() -> None:
        space.write(0, b"A" * 0x1800)
        assert set(space.read(0, 0x1800)) <= {0, 0x41}
        assert space.load(0x10, 8) in (0, 0x4141414141414141)
        mapping = space.map(0x800, 0x800, True)
        if mapping is not None:
            with mapping:
                mapping.buffer[:] = b"A" * mapping.length

    def plug() -> None:
        for number in range(100):
            dimm = named_ram(memory, f"dma-{number}", 0x2000)
            root.add_subregion(0, dimm)
            with memory.transaction():
                root.del_subregion(dimm)
                memory.free(dimm)

    assert run_beside(plug, [dma, dma]) == []
    memory.rcu.drain()
    gc.collect()
    assert not mapped("dma-")
