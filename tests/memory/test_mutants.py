"""Corners where one wrong line of the model would show in few other places, or in none.

Each test was written against a line that was broken on purpose: a bound that is one too small, a
condition that is too wide, two numbers exchanged.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from functools import partial

import pytest

from guestmap.base import AddrRange, HostError
from guestmap.memory import (
    AccessSizes,
    AddressSpace,
    MemoryListener,
    MemoryRegionOps,
    MemoryRegionSection,
    MemorySystem,
    MemTxAttrs,
    MemTxResult,
)
from guestmap.memory.hear import EventNotifier, IoEventFd
from guestmap.memory.map import IommuEntry, IommuNotifier, IommuNotify, IommuPerm, IommuTranslator

OPS = MemoryRegionOps()


def ranges(space: AddressSpace) -> list[tuple[int, int, str]]:
    return [(r.start, r.end, r.region.name) for r in space.view]


# -- views ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("at", [0x1000, 0x3800])
def test_what_lay_at_an_end_of_an_unmergeable_region_leaves_no_cut(
    memory: MemorySystem, at: int
) -> None:
    root = memory.container("root", 0x10000)
    ram = memory.ram("ram", 0x3000, backed=False)
    ram.set_unmergeable(True)
    cover = memory.io("cover", 0x800, OPS)
    root.add_subregion(0x1000, ram)
    root.add_subregion(at, cover, 1)
    root.add_subregion(0x8000, memory.io("far", 0x10, OPS))
    space = memory.address_space("space", root)
    root.del_subregion(cover)
    assert ranges(space) == [(0x1000, 0x4000, "ram"), (0x8000, 0x8010, "far")]


def test_an_alias_that_is_a_root_follows_its_target(memory: MemorySystem) -> None:
    target = memory.container("target", 0x10000)
    space = memory.address_space("space", memory.alias("window", target, 0x1000, 0x1000))
    device = memory.io("device", 0x100, OPS)
    target.add_subregion(0x1800, device)
    assert ranges(space) == [(0x800, 0x900, "device")]
    device.set_address(0x1F80)
    assert ranges(space) == [(0xF80, 0x1000, "device")]


def test_the_last_bytes_of_a_child_of_many_belong_to_it(memory: MemorySystem) -> None:
    """Sizes of all kinds: searching by size and address goes wrong first just below 2**n."""
    root = memory.container("root", 1 << 20)
    for number in range(40):
        root.add_subregion(number * 0x100, memory.io(f"{number}", 0x100 - number, OPS))
    space = memory.address_space("space", root)
    before = ranges(space)
    cover = memory.io("cover", 1, OPS)
    for start, end, name in before:
        root.add_subregion(end - 1, cover, 1)
        assert (start, end - 1, name) in ranges(space)
        root.del_subregion(cover)
        assert ranges(space) == before


# -- listeners ------------------------------------------------------------------------------------


def test_a_log_that_a_later_listener_refuses_is_stopped_with_the_masks_exchanged(
    memory: MemorySystem,
) -> None:
    told: list[tuple[str, int, int]] = []

    class Logs(MemoryListener):
        def log_start(self, section: MemoryRegionSection, old: int, new: int) -> None:
            told.append(("start", old, new))

        def log_stop(self, section: MemoryRegionSection, old: int, new: int) -> None:
            told.append(("stop", old, new))

    class Refuses(MemoryListener):
        priority = 10

        def log_start(self, section: MemoryRegionSection, old: int, new: int) -> None:
            raise HostError("no memory for a bitmap")

    ram = memory.ram("ram", 0x1000, backed=False)
    space = memory.address_space("space", ram)
    space.register_listener(Logs())
    space.register_listener(Refuses())
    with pytest.raises(HostError, match="bitmap"):
        ram.system.dirty_logging.set_region(ram, on=True)
    assert told == [("start", 0, 1), ("stop", 1, 0)]


@pytest.fixture
def bell() -> Iterator[EventNotifier]:
    bell = EventNotifier()
    yield bell
    bell.close()


def test_a_bell_is_there_as_long_as_one_of_its_bytes_shows(
    memory: MemorySystem, bell: EventNotifier
) -> None:
    """QEMU asks whether the addresses intersect (address_space_update_ioeventfds)."""
    told: list[tuple[str, int]] = []

    class Bells(MemoryListener):
        def eventfd_add(self, section: MemoryRegionSection, bell: IoEventFd) -> None:
            told.append(("add", bell.address))

        def eventfd_del(self, section: MemoryRegionSection, bell: IoEventFd) -> None:
            told.append(("del", bell.address))

    root = memory.container("root", 1 << 16)
    device, cover = memory.io("device", 0x100, OPS), memory.io("cover", 0x12, OPS)
    root.add_subregion(0x4000, device)
    space = memory.address_space("space", root)
    space.register_listener(Bells())
    device.system.ioeventfds.add(device, 0x10, 4, None, bell)
    root.add_subregion(0x4000, cover, 1)  # its last two bytes are left
    assert told == [("add", 0x4010)]
    cover.set_size(0x14)
    assert told == [("add", 0x4010), ("del", 0x4010)]


# -- coalesced writes -----------------------------------------------------------------------------


def test_every_access_lets_what_is_held_back_come_not_only_the_first(memory: MemorySystem) -> None:
    flushed: list[int] = []
    ops = MemoryRegionOps(read=lambda _offset, _size: 0, write=lambda _offset, _value, _size: None)
    device = memory.io("device", 0x10, ops)
    space = memory.address_space("space", device)
    device.system.coalesced.set_flush(device, True)
    memory.coalesced.add_ring(lambda: flushed.append(len(flushed)))
    for _ in range(3):
        space.load(4, 4)
        space.store(4, 4, 1)
    assert len(flushed) == 6


def test_a_ring_is_removed_by_what_it_equals(memory: MemorySystem) -> None:
    """A method of an object is made anew each time that it is named."""

    class Engine:
        flushes = 0

        def flush(self) -> None:
            self.flushes += 1

    gone, stays = Engine(), Engine()
    memory.coalesced.add_ring(gone.flush)
    memory.coalesced.add_ring(stays.flush)
    memory.coalesced.remove_ring(gone.flush)
    memory.coalesced.flush()
    assert (gone.flushes, stays.flushes) == (0, 1)


# -- accesses -------------------------------------------------------------------------------------


def test_a_failure_of_the_first_half_of_an_access_is_not_forgotten(memory: MemorySystem) -> None:
    ops = MemoryRegionOps(
        read_with_attrs=lambda offset, _size, _attrs: (offset, failure(offset)),
        write_with_attrs=lambda offset, _value, _size, _attrs: failure(offset),
        valid=AccessSizes(1, 8),
        impl=AccessSizes(4, 4),
    )
    space = memory.address_space("space", memory.io("device", 8, ops))
    assert space.load_result(0, 8) == (4 << 32, MemTxResult.ERROR)
    assert space.store(0, 8, 1) == MemTxResult.ERROR


def failure(offset: int) -> MemTxResult:
    return MemTxResult.OK if offset else MemTxResult.ERROR


def test_whole_words_of_an_unaligned_write_are_not_read_before(memory: MemorySystem) -> None:
    """A register that changes when it is read must not be, where all of it is written."""
    data, calls = bytearray(b"\xaa" * 16), []

    def read(offset: int, size: int) -> int:
        calls.append(("r", offset, size))
        return int.from_bytes(data[offset : offset + size], "little")

    def write(offset: int, value: int, size: int) -> None:
        calls.append(("w", offset, size))
        data[offset : offset + size] = value.to_bytes(size, "little")

    ops = MemoryRegionOps(
        read=read, write=write, valid=AccessSizes(1, 4, unaligned=True), impl=AccessSizes(2, 4)
    )
    space = memory.address_space("space", memory.io("device", 16, ops))
    space.store(2, 4, 0x44332211)
    assert calls == [("w", 2, 2), ("w", 4, 2)]
    calls.clear()
    space.store(9, 4, 0x88776655)
    assert calls == [("r", 8, 2), ("w", 8, 2), ("w", 10, 2), ("r", 12, 2), ("w", 12, 2)]
    assert data == bytes.fromhex("aaaa11223344aaaaaa55667788aaaaaa")


def test_a_write_across_ranges_tells_each_block_of_its_own_bytes(memory: MemorySystem) -> None:
    root = memory.container("root", 0x4000)
    told: list[tuple[str, int, int]] = []

    def note(name: str, offset: int, size: int) -> None:
        told.append((name, offset, size))

    for name, at in (("low", 0), ("high", 0x2000)):
        ram = memory.ram(name, 0x2000)
        root.add_subregion(at, ram)
        assert ram.ram_block is not None
        ram.ram_block.add_watcher(partial(note, name))
    space = memory.address_space("space", root)
    assert space.write(0x1FF0, b"\1" * 0x30) is MemTxResult.OK
    assert told == [("low", 0x1FF0, 0x10), ("high", 0, 0x20)]


def test_what_a_debugger_wrote_to_rom_is_rom_nevertheless(memory: MemorySystem) -> None:
    """Where an access succeeded is remembered; a debugger's must not open the way for others."""
    space = memory.address_space("space", memory.rom("rom", 0x1000))
    assert space.write(0, b"debugged", MemTxAttrs(debug=True)) is MemTxResult.OK
    assert space.store(0, 4, 0) is MemTxResult.DECODE_ERROR
    assert space.write(0, b"infected") is MemTxResult.DECODE_ERROR
    assert space.read(0, 8) == b"debugged"


# -- the re-entrancy guard ------------------------------------------------------------------------


def test_a_device_that_another_thread_is_in_may_be_reached_from_a_third(
    memory: MemorySystem,
) -> None:
    """The guard of a device is about that device, in this thread: not about any callback here."""
    inside, leave = threading.Event(), threading.Event()
    reached: list[int] = []

    def slow(offset: int, _value: int, _size: int) -> None:
        if offset == 0:
            inside.set()
            leave.wait(30)
        else:
            reached.append(offset)

    def dma(_offset: int, value: int, size: int) -> None:
        space.store(8, size, value)

    root = memory.container("root", 0x1000)
    busy = memory.io("busy", 0x10, MemoryRegionOps(write=slow), owner="busy device")
    master = memory.io("master", 0x10, MemoryRegionOps(write=dma), owner="bus master")
    root.add_subregion(0, busy)
    root.add_subregion(0x100, master)
    space = memory.address_space("space", root)
    thread = threading.Thread(target=space.store, args=(0, 4, 1))
    thread.start()
    try:
        assert inside.wait(30)
        space.store(0x100, 4, 2)
    finally:
        leave.set()
        thread.join()
    assert reached == [8]


# -- IOMMUs ---------------------------------------------------------------------------------------


class Shift(IommuTranslator):
    """Each page goes one page further."""

    target: AddressSpace

    def translate(self, offset: int, access: IommuPerm, index: int) -> IommuEntry | None:
        page = offset & -0x1000
        return IommuEntry(self.target, page, page + 0x1000, 0xFFF, IommuPerm.READ_WRITE)


def test_an_iommu_need_not_begin_at_a_page(memory: MemorySystem) -> None:
    """What is kept of an address is its offset in the region's page, not in the bus's."""
    ram = memory.ram("ram", 0x10000)
    translator = Shift()
    translator.target = memory.address_space("memory", ram)
    bus = memory.container("bus", 1 << 32)
    bus.add_subregion(0x10800, memory.iommu("iommu", 0x8000, translator))
    space = memory.address_space("bus", bus)
    assert ram.ram_block is not None
    ram.ram_block.buffer[0x2234:0x2238] = b"here"
    assert space.read(0x10800 + 0x1234, 4) == b"here"
    section = space.translate(0x10800 + 0x1234, False, 4, MemTxAttrs())
    assert section is not None
    assert AddrRange(section.offset_within_region, section.size) == AddrRange(0x2234, 4)


def test_a_notifier_hears_where_its_part_of_an_entry_goes(memory: MemorySystem) -> None:
    region = memory.iommu("iommu", 0x10000, Shift())
    target = memory.address_space("memory", memory.ram("ram", 0x10000, backed=False))
    heard: list[IommuEntry] = []
    assert region.iommu is not None
    region.iommu.register(IommuNotifier(heard.append, IommuNotify.MAP, start=0x1000, end=0x1FFF))
    entry = IommuEntry(target, 0, 0x8000, 0x3FFF, IommuPerm.READ)
    region.iommu.notify(IommuNotify.MAP, entry)
    assert heard == [IommuEntry(target, 0x1000, 0x9000, 0xFFF, IommuPerm.READ)]
