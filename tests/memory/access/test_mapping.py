"""map and unmap: guest memory itself where that can be, else a copy, of which there are few."""

from __future__ import annotations

import threading

import pytest

from guestmap.base import ConfigError, StateError
from guestmap.memory import AddressSpace, MemoryRegionOps, MemorySystem, MemTxAttrs, MemTxResult
from guestmap.memory.map import IommuEntry, IommuPerm, IommuTranslator
from tests.memory.host_maps import block_of, mapped, named_ram

ONLY_MEMORY = MemTxAttrs(memory=True)


class Board:
    """RAM at 0, ROM at 0x10000, a device at 0x20000, a ROM device at 0x30000, nobody above."""

    def __init__(self, memory: MemorySystem) -> None:
        self.memory = memory
        self.writes: list[tuple[int, int, int]] = []
        ops = MemoryRegionOps(
            read=lambda offset, size: (1 << 8 * size) - 1 - offset,
            write=lambda offset, value, size: self.writes.append((offset, value, size)),
        )
        self.root = memory.container("root", 1 << 64)
        self.name = f"map-ram-{id(memory):x}"  # others' may not have been collected yet
        self.ram = named_ram(memory, self.name, 0x8000)
        self.rom = memory.rom("rom", 0x1000)
        self.flash = memory.rom_device("flash", 0x1000, ops)
        self.device = memory.io("device", 0x2000, ops)
        for offset, region in [
            (0, self.ram),
            (0x10000, self.rom),
            (0x20000, self.device),
            (0x30000, self.flash),
        ]:
            self.root.add_subregion(offset, region)
        self.space: AddressSpace = memory.address_space("space", self.root)


@pytest.fixture
def board(memory: MemorySystem) -> Board:
    return Board(memory)


# -- direct ---------------------------------------------------------------------------------------


def test_ram_is_mapped_itself(board: Board) -> None:
    told: list[tuple[int, int]] = []
    block_of(board.ram).add_watcher(lambda offset, length: told.append((offset, length)))
    mapping = board.space.map(0x1234, 0x100, True)
    assert mapping is not None
    assert (mapping.address, mapping.length, mapping.direct) == (0x1234, 0x100, True)
    assert repr(mapping) == "<Mapping of 0x1234, 0x100 bytes, direct>"
    mapping.buffer[0:4] = b"data"
    assert board.space.read(0x1234, 4) == b"data"
    board.space.write(0x1300, b"!")
    assert mapping.buffer[0xCC] == ord("!")
    told.clear()
    assert mapping.unmap(4) == MemTxResult.OK
    assert told == [(0x1234, 4)]
    assert len(mapping.buffer) == 0
    with pytest.raises(StateError, match="0x1234 was unmapped before"):
        mapping.unmap()


def test_what_is_read_cannot_be_written(board: Board) -> None:
    told: list[tuple[int, int]] = []
    block_of(board.ram).add_watcher(lambda offset, length: told.append((offset, length)))
    for address in (0x1000, 0x10000, 0x30000):
        with board.space.map(address, 4, False) as mapping:  # type: ignore[union-attr]
            assert mapping.direct
            assert mapping.buffer.readonly
    assert told == []


def test_a_with_block_unmaps_and_marks_all(board: Board) -> None:
    told: list[tuple[int, int]] = []
    block_of(board.ram).add_watcher(lambda offset, length: told.append((offset, length)))
    with board.space.map(0x10, 0x20, True) as mapping:  # type: ignore[union-attr]
        assert block_of(board.ram).pins == 1
    assert (told, block_of(board.ram).pins) == ([(0x10, 0x20)], 0)
    with board.space.map(0x10, 0x20, True) as mapping:  # type: ignore[union-attr]
        mapping.unmap(0)
    assert told == [(0x10, 0x20)]


def test_it_ends_with_the_memory(board: Board) -> None:
    mapping = board.space.map(0x7000, 0x3000, True)
    assert mapping is not None
    assert mapping.length == 0x1000
    mapping.unmap(0)


def test_it_goes_on_where_the_same_memory_does(memory: MemorySystem, board: Board) -> None:
    """Two aliases that show consecutive parts of one region; then one that jumps."""
    ram = memory.ram("split", 0x4000)
    for address, offset in [(0, 0), (0x1000, 0x1000), (0x2000, 0x3000)]:
        piece = memory.alias("piece", ram, offset, 0x1000)
        piece.set_unmergeable(True)
        board.root.add_subregion(0x100000 + address, piece)
    assert len(board.space.view.within(0x100000, 0x103000)) == 3
    mapping = board.space.map(0x100800, 0x2000, True)
    assert mapping is not None
    assert mapping.length == 0x1800
    mapping.buffer[:] = b"\1" * 0x1800
    mapping.unmap()
    assert ram.buffer is not None
    assert ram.buffer[0x800:0x2000] == b"\1" * 0x1800
    assert not any(ram.buffer[0x2000:])


def test_it_does_not_go_on_in_another_region(memory: MemorySystem, board: Board) -> None:
    """Not even where the offsets would go on, and the first one has more memory behind."""
    for place, name in enumerate(["one", "two"]):
        ram = memory.ram(name, 0x4000)
        part = memory.alias("part", ram, place * 0x1000, 0x1000)
        board.root.add_subregion(0x100000 + place * 0x1000, part)
    mapping = board.space.map(0x100800, 0x1000, False)
    assert mapping is not None
    assert mapping.length == 0x800


def test_addresses_wrap(memory: MemorySystem) -> None:
    root = memory.container("root", 1 << 64)
    ram = memory.ram("ram", 0x2000)
    root.add_subregion((1 << 64) - 0x1000, memory.alias("top", ram, 0, 0x1000))
    root.add_subregion(0, memory.alias("bottom", ram, 0x1000, 0x1000))
    mapping = memory.address_space("space", root).map((1 << 64) - 0x800, 0x1000, True)
    assert mapping is not None
    assert mapping.length == 0x1000


def test_a_mapping_keeps_unplugged_memory(board: Board) -> None:
    mapping = board.space.map(0x100, 4, True)
    assert mapping is not None
    board.root.del_subregion(board.ram)
    board.memory.free(board.ram)
    board.memory.rcu.drain()
    mapping.buffer[:] = b"late"
    assert mapped(board.name)
    mapping.unmap()
    board.memory.rcu.drain()
    assert not mapped(board.name)


def test_memory_without_backing_is_a_copy(memory: MemorySystem) -> None:
    space = memory.address_space("space", memory.ram("none", 0x1000, backed=False))
    with space.map(0, 0x10, True) as mapping:  # type: ignore[union-attr]
        assert not mapping.direct
        assert mapping.buffer == bytes(0x10)


# -- copies ---------------------------------------------------------------------------------------


def test_a_device_is_copied_in_both_directions(board: Board) -> None:
    with board.space.map(0x20000, 8, False) as mapping:  # type: ignore[union-attr]
        assert repr(mapping) == "<Mapping of 0x20000, 0x8 bytes, copy>"
        assert mapping.buffer.readonly
        assert bytes(mapping.buffer) == board.space.read(0x20000, 8)
    assert board.writes == []
    mapping = board.space.map(0x20004, 12, True)  # type: ignore[assignment]
    assert mapping.buffer == bytes(12)
    mapping.buffer[:8] = bytes(range(8))
    assert board.writes == []
    assert mapping.unmap(8) == MemTxResult.OK
    assert board.writes == [(4, 0x03020100, 4), (8, 0x07060504, 4)]


def test_what_must_not_be_written_is_a_copy_that_vanishes(board: Board) -> None:
    for address in (0x10000, 0x30000):
        mapping = board.space.map(address, 4, True)
        assert mapping is not None
        assert not mapping.direct
        mapping.buffer[:] = b"lost"
        result = mapping.unmap()
        assert (result == MemTxResult.OK) is (address == 0x30000)
        assert board.space.read(address, 4) == bytes(4)
    assert board.writes == [(0, int.from_bytes(b"lost", "little"), 4)]


def test_a_read_only_parent_keeps_writes_out(memory: MemorySystem, board: Board) -> None:
    alias = memory.alias("window", board.ram, 0, 0x1000)
    alias.set_readonly(True)
    board.root.add_subregion(0x100000, alias)
    mapping = board.space.map(0x100000, 4, True)
    assert mapping is not None
    assert not mapping.direct
    mapping.buffer[:] = b"lost"
    assert mapping.unmap() == MemTxResult.DECODE_ERROR
    assert board.space.read(0, 4) == bytes(4)


def test_only_memory_means_no_rom_device(board: Board) -> None:
    mapping = board.space.map(0x30000, 4, False, ONLY_MEMORY)
    assert mapping is not None
    assert not mapping.direct


def test_holes_read_as_zeros(board: Board) -> None:
    with board.space.map(0x40000, 0x10, False) as mapping:  # type: ignore[union-attr]
        assert mapping.buffer == bytes(0x10)


def test_only_so_many_bytes_are_out_at_a_time(board: Board) -> None:
    space = board.space
    assert space.bounce.limit == 4096
    first = space.map(0x20000, 3000, False)
    second = space.map(0x20000, 3000, False)
    assert first is not None
    assert second is not None
    assert (first.length, second.length) == (3000, 1096)
    assert space.bounce.used == 4096
    assert space.map(0x20000, 1, False) is None
    direct = space.map(0, 0x8000, True)
    assert direct is not None  # memory needs no buffer
    assert direct.length == 0x8000
    second.unmap()
    assert space.bounce.used == 3000
    third = space.map(0x20000, 3000, True)
    assert third is not None
    assert third.length == 1096
    space.bounce.limit = 10000
    assert space.map(0x21000, 0x1000, False) is not None
    other = board.memory.address_space("other", board.root)
    assert other.bounce.used == 0


def test_nothing_is_no_mapping(board: Board) -> None:
    assert board.space.map(0, 0, True) is None
    assert board.space.map(0x20000, 0, True) is None
    assert board.space.map(0x20000, -5, True) is None
    assert board.space.bounce.used == 0


def test_more_cannot_be_written_than_was_mapped(board: Board) -> None:
    mapping = board.space.map(0, 4, True)
    assert mapping is not None
    for written in (5, -1):
        with pytest.raises(ConfigError, match="has 0x4"):
            mapping.unmap(written)
    mapping.unmap(4)


def test_a_failing_device_does_not_keep_the_buffer(memory: MemorySystem) -> None:
    def broken(*_: int) -> None:
        raise KeyError

    space = memory.address_space("space", memory.io("io", 8, MemoryRegionOps(write=broken)))
    mapping = space.map(0, 4, True)
    assert mapping is not None
    with pytest.raises(KeyError):
        mapping.unmap()
    assert space.bounce.used == 0


# -- who waits ------------------------------------------------------------------------------------


def test_whoever_waits_is_called_once_in_order(board: Board) -> None:
    space, calls = board.space, []
    full = space.map(0x20000, 0x1000, False)
    assert full is not None
    first, second = (lambda: calls.append(1)), (lambda: calls.append(2))
    third = lambda: calls.append(3)  # noqa: E731
    for client in (first, second, third):
        space.bounce.wait(client)
    space.bounce.stop_waiting(second)
    space.bounce.stop_waiting(second)
    assert calls == []
    full.unmap()
    assert calls == [1, 3]
    again = space.map(0x20000, 0x1000, False)
    assert again is not None
    again.unmap()
    assert calls == [1, 3]
    space.bounce.wait(first)  # there are buffers: at once
    assert calls == [1, 3, 1]


def test_a_client_may_map_and_wait_again(board: Board) -> None:
    space, got = board.space, []
    full = space.map(0x20000, 0x1000, False)
    assert full is not None

    def retry() -> None:
        mapping = space.map(0x20000, 0x1000, False)
        if mapping is None:
            space.bounce.wait(retry)
        else:
            got.append(mapping)

    space.bounce.wait(retry)
    space.bounce.wait(retry)
    full.unmap()
    assert len(got) == 1
    got[0].unmap()
    assert len(got) == 2


def test_buffers_are_counted_right_between_threads(board: Board) -> None:
    space = board.space
    failures: list[BaseException] = []

    def transfer() -> None:
        try:
            for _ in range(300):
                mapping = space.map(0x20000, 1500, False)
                if mapping is None:
                    ready = threading.Event()
                    space.bounce.wait(ready.set)
                    assert ready.wait(30)
                else:
                    assert 0 < space.bounce.used <= 4096
                    mapping.unmap()
        except BaseException as error:  # noqa: BLE001  (told to the main thread)
            failures.append(error)

    threads = [threading.Thread(target=transfer) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert space.bounce.used == 0


def test_a_removed_space_leaves_no_pool(board: Board) -> None:
    memory, space = board.memory, board.space
    out = space.map(0x20000, 4, True)
    assert out is not None
    with pytest.raises(KeyError), memory.transaction():  # noqa: PT012  (undone)
        memory.remove_address_space(space)
        raise KeyError
    assert space.bounce.used == 4
    memory.remove_address_space(space)
    assert space.dispatch.bounce_pools == {}
    out.unmap()


# -- through an IOMMU -----------------------------------------------------------------------------


class Pages(IommuTranslator):
    """Maps pages by a table."""

    def __init__(self, table: dict[int, int]) -> None:
        self.table = table
        self.target: AddressSpace | None = None

    def translate(self, offset: int, access: IommuPerm, index: int) -> IommuEntry | None:
        page = self.table.get(offset >> 12)
        if page is None:
            return None
        assert self.target is not None
        return IommuEntry(self.target, offset & -4096, page << 12, 0xFFF, IommuPerm.READ_WRITE)


def test_a_mapping_goes_on_over_consecutive_pages(memory: MemorySystem, board: Board) -> None:
    translator = Pages({0: 2, 1: 3, 2: 5, 3: 0x20, 4: 0x21})
    translator.target = board.space
    space = memory.address_space("dma", memory.iommu("iommu", 1 << 32, translator))
    mapping = space.map(0x800, 0x4000, True)
    assert mapping is not None
    assert (mapping.length, mapping.direct) == (0x1800, True)
    mapping.buffer[:2] = b"io"
    mapping.unmap()
    assert board.space.read(0x2800, 2) == b"io"
    device = space.map(0x3FF0, 0x100, False)
    assert device is not None
    assert (device.length, device.direct) == (0x10, False)  # to the end of the page
    nobody = space.map(0x5000, 4, False)
    assert nobody is not None
    assert bytes(nobody.buffer) == bytes(4)
