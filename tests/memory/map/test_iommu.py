"""IOMMU regions: translation, permissions, nesting, circles, notifiers, replay."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from guestmap.base import ConfigError, StateError
from guestmap.memory import (
    AddressSpace,
    MemoryRegion,
    MemoryRegionOps,
    MemorySystem,
    MemTxAttrs,
    MemTxResult,
)
from guestmap.memory.map import (
    Iommu,
    IommuEntry,
    IommuNotifier,
    IommuNotify,
    IommuPerm,
    IommuTranslator,
)

OK, DECODE_ERROR, ACCESS_ERROR = MemTxResult.OK, MemTxResult.DECODE_ERROR, MemTxResult.ACCESS_ERROR
RW = IommuPerm.READ_WRITE
PAGE = 0x1000
TOP = 1 << 64


class Pages(IommuTranslator):
    """A table of pages, by index and page number."""

    num_indexes = 2

    def __init__(self, target: AddressSpace | None = None) -> None:
        self.target = target
        self.pages: dict[tuple[int, int], tuple[int, IommuPerm]] = {}
        self.mask = PAGE - 1
        self.asked: list[tuple[int, IommuPerm, int]] = []
        self.flags: list[tuple[IommuNotify, IommuNotify]] = []

    def map(self, page: int, to: int, perm: IommuPerm = RW, index: int = 0) -> None:
        self.pages[index, page] = (to, perm)

    def translate(self, offset: int, access: IommuPerm, index: int) -> IommuEntry | None:
        self.asked.append((offset, access, index))
        entry = self.pages.get((index, offset // PAGE))
        if entry is None:
            return None
        assert self.target is not None
        return IommuEntry(self.target, offset & ~self.mask, entry[0], self.mask, entry[1])

    def attrs_to_index(self, attrs: MemTxAttrs) -> int:
        return int(attrs.secure)

    def notify_flag_changed(self, old: IommuNotify, new: IommuNotify) -> None:
        if new & IommuNotify.DEVIOTLB_UNMAP:
            raise ConfigError("no device caches here")
        self.flags.append((old, new))


class Machine:
    """System memory with RAM at 0x10000 and 0x20000, and a device's space behind an IOMMU."""

    def __init__(self, memory: MemorySystem) -> None:
        self.memory = memory
        self.system = memory.container("system", TOP)
        self.ram = memory.ram("ram", 0x4000)
        self.system.add_subregion(0x10000, self.ram)
        self.system.add_subregion(0x20000, memory.rom("rom", 0x1000))
        self.space = memory.address_space("memory", self.system)
        self.pages = Pages(self.space)
        self.region = memory.iommu("iommu", TOP, self.pages)
        self.bus = memory.container("bus", TOP)
        self.bus.add_subregion(0, self.region)
        self.device = memory.address_space("device", self.bus)

    @property
    def iommu(self) -> Iommu:
        assert self.region.iommu is not None
        return self.region.iommu


@pytest.fixture
def machine(memory: MemorySystem) -> Machine:
    return Machine(memory)


# -- translation -----------------------------------------------------------------------------------


def test_a_device_reads_and_writes_what_its_pages_lead_to(machine: Machine) -> None:
    machine.pages.map(0, 0x11000)
    machine.pages.map(1, 0x10000)
    assert machine.device.write(0xFFC, b"abcdefgh") is OK
    assert machine.space.read(0x11FFC, 4) == b"abcd"
    assert machine.space.read(0x10000, 4) == b"efgh"
    assert machine.device.read(0xFFC, 8) == b"abcdefgh"
    assert machine.device.load(0xFFC, 8) == int.from_bytes(b"abcdefgh", "little")
    assert machine.device.store(0x1000, 4, 0x04030201) is OK
    assert machine.device.load_result(0x1000, 4) == (0x04030201, OK)
    buffer = bytearray(4)
    assert machine.device.read_into(0x1002, buffer) is OK
    assert buffer == b"\3\4\0\0"


def test_the_table_is_asked_each_time(machine: Machine) -> None:
    """What a guest reprograms counts at once: nothing of a translation is remembered."""
    machine.space.write(0x10000, b"one.")
    machine.space.write(0x11000, b"two.")
    for page, text in ((0x10000, b"one."), (0x11000, b"two."), (0x10000, b"one.")):
        machine.pages.map(0, page)
        assert machine.device.read(0, 4) == text
        assert machine.device.load(0, 4) == int.from_bytes(text, "little")


def test_every_direction_needs_its_permission(machine: Machine) -> None:
    for number, perm in enumerate([IommuPerm.NONE, IommuPerm.READ, IommuPerm.WRITE, RW]):
        machine.pages.map(number, 0x10000, perm)
        machine.space.write(0x10000, b"data")
        read, write = perm & IommuPerm.READ, perm & IommuPerm.WRITE
        at = number * PAGE
        expected = (int.from_bytes(b"data", "little"), OK) if read else (0, DECODE_ERROR)
        assert machine.device.load_result(at, 4) == expected
        assert machine.device.access_valid(at, 4, False) == bool(read)
        assert machine.device.store(at, 4, 0) is (OK if write else DECODE_ERROR)
        assert machine.device.access_valid(at, 4, True) == bool(write)
        assert machine.space.read(0x10000, 4) == (bytes(4) if write else b"data")
    assert machine.device.load_result(9 * PAGE, 4) == (0, DECODE_ERROR)
    memory_only = MemTxAttrs(memory=True)
    assert machine.device.load_result(9 * PAGE, 4, memory_only) == (0, ACCESS_ERROR)


def test_a_page_that_is_refused_fails_alone(machine: Machine) -> None:
    machine.pages.map(0, 0x10000)
    machine.pages.map(2, 0x11000)
    assert machine.device.write(0xFF0, b"x" * 0x1020) is DECODE_ERROR
    assert machine.space.read(0x10FF0, 16) == b"x" * 16
    assert machine.space.read(0x11000, 16) == b"x" * 16
    assert machine.space.read(0x11010, 1) == b"\0"


def test_what_lies_behind_keeps_its_rules(machine: Machine) -> None:
    """ROM, a hole, and a device with sizes of its own, each through a page."""
    calls: list[tuple[int, int]] = []

    def read(offset: int, size: int) -> int:
        calls.append((offset, size))
        return 0x5A

    machine.system.add_subregion(0x30FFC, machine.memory.io("io", 0x10, MemoryRegionOps(read=read)))
    for page, to in enumerate([0x20000, 0x50000, 0x30000, 0x10000]):
        machine.pages.map(page, to)
    assert machine.device.write(0, b"rom?") is DECODE_ERROR
    assert machine.device.write(0x1000, b"hole") is DECODE_ERROR
    assert machine.device.load(0x2FFC, 4) == 0x5A
    assert machine.device.load(0x2FFC, 8) == 0x5A  # the second half is another page: RAM
    assert calls == [(0, 4), (0, 4)]


def test_a_translator_asks_what_it_needs_to_know(machine: Machine) -> None:
    machine.pages.map(0, 0x10000)
    machine.pages.map(0, 0x11000, index=1)
    machine.device.store(0x10, 4, 1)
    machine.device.store(0x10, 4, 2, MemTxAttrs(secure=True))
    machine.device.load(0x14, 4)
    assert machine.pages.asked == [
        (0x10, IommuPerm.WRITE, 0), (0x10, IommuPerm.WRITE, 1), (0x14, IommuPerm.READ, 0),
    ]  # fmt: skip
    assert (machine.space.load(0x10010, 4), machine.space.load(0x11010, 4)) == (1, 2)


def test_the_offset_counts_from_the_region_and_not_from_the_bus(memory: MemorySystem) -> None:
    machine = Machine(memory)
    pages = Pages(machine.space)
    pages.map(3, 0x10000)
    bus = memory.container("bus", TOP)
    window = memory.alias("window", memory.iommu("small", 0x8000, pages), 0x2000, 0x3000)
    bus.add_subregion(0x7000, window)
    bus.add_subregion(0x100000, memory.ram("other", 0x1000))
    device = memory.address_space("other device", bus)
    machine.space.write(0x10004, b"here")
    assert device.read(0x8004, 4) == b"here"
    assert device.find(0x8004).region.name == "small"  # type: ignore[union-attr]


@pytest.mark.parametrize(("mask", "expected"), [(0xFFF, 0x10123), (0x3FFF, 0x13123), (0, 0x10000)])
def test_the_mask_says_which_bits_stay(machine: Machine, mask: int, expected: int) -> None:
    """QEMU: (translated & ~mask) | (address & mask)."""
    machine.pages.mask = mask
    machine.pages.map(3, 0x10000)
    section = machine.device.translate(0x3123)
    assert section is not None
    assert section.offset_within_address_space == expected
    assert section.size == min(mask + 1 - (0x3123 & mask), 0x14000 - expected)


def test_the_widest_mask_and_addresses_beyond_64_bits(machine: Machine) -> None:
    machine.pages.mask = TOP - 1
    machine.pages.map(0x10, TOP + 0x20000)
    section = machine.device.translate(0x10008)
    assert section is not None
    assert (section.region, section.offset_within_region, section.size) == (machine.ram, 8, 0x3FF8)


# -- IOMMUs behind IOMMUs --------------------------------------------------------------------------


def nested(machine: Machine, depth: int) -> tuple[AddressSpace, list[Pages]]:
    """Put ``depth`` more IOMMUs in front of the machine's."""
    space, tables = machine.device, [machine.pages]
    for number in range(depth):
        tables.append(Pages(space))
        region = machine.memory.iommu(f"iommu {number}", TOP, tables[-1])
        space = machine.memory.address_space(f"device {number}", region)
    return space, tables


def test_an_access_goes_on_through_every_iommu(machine: Machine) -> None:
    space, tables = nested(machine, 2)
    tables[2].map(0, 0x5000)
    tables[1].map(5, 0x7000)
    tables[1].mask = 0x1FF  # the smallest page on the way counts
    tables[0].map(7, 0x10000)
    machine.space.write(0x10104, b"deep")
    assert space.read(0x104, 4) == b"deep"
    section = space.translate(0x104)
    assert section is not None
    assert (section.offset_within_address_space, section.size) == (0x10104, 0xFC)
    tables[0].map(7, 0x10000, IommuPerm.WRITE)
    assert space.load_result(0x104, 4) == (0, DECODE_ERROR)


def test_a_circle_of_iommus_ends_as_an_address_where_nobody_is(machine: Machine) -> None:
    space, tables = nested(machine, 1)
    tables[0].target = space
    for table in tables:
        for page in range(0x100):
            table.map(page, page * PAGE)
    began = time.monotonic()
    assert space.load_result(0x123, 4) == (0, DECODE_ERROR)
    assert space.store(0x123, 8, 1) is DECODE_ERROR
    assert space.read(0, 0x100 * PAGE) == bytes(0x100 * PAGE)
    assert space.translate(0x123) is None
    assert not space.access_valid(0, 4, True)
    assert sum(len(table.asked) for table in tables) < 100 + 0x100 * 20
    assert time.monotonic() - began < 20


def test_an_iommu_that_leads_to_itself_ends(machine: Machine) -> None:
    machine.pages.target = machine.device
    machine.pages.map(0, 0)
    assert machine.device.load_result(0, 4) == (0, DECODE_ERROR)


def test_tables_behind_the_iommu_itself_are_not_read_for_ever(machine: Machine) -> None:
    read: list[int] = []

    class Walker(IommuTranslator):
        def translate(self, offset: int, access: IommuPerm, index: int) -> IommuEntry | None:
            read.append(space.load(offset ^ 8, 8))
            return IommuEntry(machine.space, offset & -PAGE, 0x10000, PAGE - 1, RW)

    space = machine.memory.address_space("walker", machine.memory.iommu("w", TOP, Walker()))
    machine.space.write(0x10000, b"data")
    assert space.read(0, 4) == b"data"
    assert read == [0]


# -- find and translate ----------------------------------------------------------------------------


def test_find_shows_the_iommu_and_translate_what_is_behind_it(machine: Machine) -> None:
    machine.pages.map(1, 0x12000)
    found = machine.device.find(0x1004)
    assert found is not None
    assert (found.region, found.size) == (machine.region, TOP)
    assert found.region.mtree_type() == "i/o"
    section = machine.device.translate(0x1004, is_write=True, length=0x10)
    assert section is not None
    assert section.region is machine.ram
    assert (section.offset_within_region, section.size) == (0x2004, 0x10)
    assert section.view is machine.space.view
    assert machine.device.translate(0x2000) is None


def test_a_page_size_that_no_hardware_has_is_refused(memory: MemorySystem) -> None:
    pages = Pages()
    pages.min_page_size = 0x1800
    with pytest.raises(ConfigError, match="power of two"):
        memory.iommu("iommu", TOP, pages)


# -- notifiers -------------------------------------------------------------------------------------


def notifier(
    told: list[tuple[int, int, int, IommuPerm]], flags: IommuNotify, **limits: int
) -> IommuNotifier:
    def callback(entry: IommuEntry) -> None:
        told.append((entry.iova, entry.translated, entry.mask, entry.perm))

    return IommuNotifier(callback, flags, **limits)


def entry_of(machine: Machine, iova: int, to: int, mask: int, perm: IommuPerm) -> IommuEntry:
    return IommuEntry(machine.space, iova, to, mask, perm)


def test_notifiers_hear_what_they_asked_for(machine: Machine) -> None:
    maps: list[tuple[int, int, int, IommuPerm]] = []
    unmaps: list[tuple[int, int, int, IommuPerm]] = []
    others: list[tuple[int, int, int, IommuPerm]] = []
    first = notifier(maps, IommuNotify.MAP)
    machine.iommu.register(first)
    machine.iommu.register(notifier(unmaps, IommuNotify.IOTLB))
    machine.iommu.register(notifier(others, IommuNotify.IOTLB, index=1))
    mapped = entry_of(machine, 0x1000, 0x10000, 0xFFF, RW)
    gone = entry_of(machine, 0x1000, 0, 0xFFF, IommuPerm.NONE)
    machine.iommu.notify(IommuNotify.MAP, mapped)
    machine.iommu.notify(IommuNotify.UNMAP, gone)
    machine.iommu.notify(IommuNotify.DEVIOTLB_UNMAP, gone)
    machine.iommu.unregister(first)
    machine.iommu.notify(IommuNotify.MAP, mapped)
    assert maps == [(0x1000, 0x10000, 0xFFF, RW)]
    assert unmaps == [maps[0], (0x1000, 0, 0xFFF, IommuPerm.NONE), maps[0]]
    assert others == []
    with pytest.raises(ConfigError, match="cannot allow"):
        machine.iommu.notify(IommuNotify.UNMAP, mapped)


CROPS = [
    # start, end of the notifier, what it hears of an entry at 0x2000 of 0x1000 bytes
    (0, TOP - 1, (0x2000, 0x10000, 0xFFF)),
    (0x2000, 0x2FFF, (0x2000, 0x10000, 0xFFF)),
    (0x2800, 0x2FFF, (0x2800, 0x10800, 0x7FF)),
    (0x1000, 0x20FF, (0x2000, 0x10000, 0xFF)),
    (0x2100, 0x21FF, (0x2100, 0x10100, 0xFF)),
    (0x2FFF, 0x5000, (0x2FFF, 0x10FFF, 0)),
    (0x3000, 0x3FFF, None),
    (0, 0x1FFF, None),
]


@pytest.mark.parametrize(("start", "end", "heard"), CROPS)
def test_an_entry_is_cut_to_the_range_of_the_notifier(
    machine: Machine, start: int, end: int, heard: tuple[int, int, int] | None
) -> None:
    told: list[tuple[int, int, int, IommuPerm]] = []
    machine.iommu.register(notifier(told, IommuNotify.MAP, start=start, end=end))
    machine.iommu.notify(IommuNotify.MAP, entry_of(machine, 0x2000, 0x10000, 0xFFF, RW))
    assert told == ([(*heard, RW)] if heard else [])


def test_the_translator_knows_what_is_listened_for(machine: Machine) -> None:
    nothing: list[tuple[int, int, int, IommuPerm]] = []
    one, two = notifier(nothing, IommuNotify.MAP), notifier(nothing, IommuNotify.IOTLB)
    machine.iommu.register(one)
    machine.iommu.register(two)
    machine.iommu.unregister(one)
    machine.iommu.unregister(two)
    none, maps, both = IommuNotify.NONE, IommuNotify.MAP, IommuNotify.IOTLB
    assert machine.pages.flags == [(none, maps), (maps, both), (both, none)]
    with pytest.raises(ConfigError, match="no device caches"):
        machine.iommu.register(notifier(nothing, IommuNotify.DEVIOTLB_UNMAP))
    assert machine.iommu.notifiers == ()
    assert machine.iommu.flags is none


REFUSALS: list[tuple[dict[str, int], str]] = [
    ({"flags": 0}, "no event"),
    ({"start": 8, "end": 7}, "is empty"),
    ({"index": 2}, "index 2"),
]


@pytest.mark.parametrize(("wrong", "message"), REFUSALS)
def test_impossible_notifiers_are_refused(
    machine: Machine, wrong: dict[str, int], message: str
) -> None:
    flags = IommuNotify(wrong.pop("flags", IommuNotify.MAP))
    with pytest.raises(ConfigError, match=message):
        machine.iommu.register(IommuNotifier(print, flags, **wrong))


def test_a_notifier_is_registered_once_and_unregistered_once(machine: Machine) -> None:
    each = IommuNotifier(print, IommuNotify.MAP)
    machine.iommu.register(each)
    with pytest.raises(StateError, match="already"):
        machine.iommu.register(each)
    machine.iommu.unregister(each)
    with pytest.raises(StateError, match="not registered"):
        machine.iommu.unregister(each)


# -- replay ----------------------------------------------------------------------------------------


def small_iommu(memory: MemorySystem, size: int) -> tuple[Machine, Pages, MemoryRegion]:
    machine = Machine(memory)
    pages = Pages(machine.space)
    return machine, pages, memory.iommu("small", size, pages)


def test_replay_tells_what_is_mapped_now(memory: MemorySystem) -> None:
    _, pages, region = small_iommu(memory, 0x10000)
    assert region.iommu is not None
    told: list[tuple[int, int, int, IommuPerm]] = []
    each = notifier(told, IommuNotify.MAP)
    pages.map(1, 0x10000)
    pages.map(3, 0x11000, IommuPerm.READ)
    pages.map(4, 0x12000, IommuPerm.NONE)
    pages.map(0x10, 0x13000)  # beyond the region
    region.iommu.replay(each)
    assert told == [(0x1000, 0x10000, 0xFFF, RW), (0x3000, 0x11000, 0xFFF, IommuPerm.READ)]
    assert {access for _, access, _ in pages.asked} == {IommuPerm.NONE}
    told.clear()
    pages.asked.clear()
    region.iommu.replay(notifier(told, IommuNotify.MAP, start=0x3800, end=0x3FFF))
    assert told == [(0x3800, 0x11800, 0x7FF, IommuPerm.READ)]
    assert len(pages.asked) == 1


def test_replay_tells_a_large_entry_once_and_does_not_ask_within_it(memory: MemorySystem) -> None:
    machine, _, region = small_iommu(memory, TOP)
    assert region.iommu is not None
    asked: list[int] = []

    class Halves(IommuTranslator):
        def translate(self, offset: int, access: IommuPerm, index: int) -> IommuEntry | None:
            asked.append(offset)
            mask = (1 << 63) - 1
            return IommuEntry(machine.space, offset & ~mask, 0, mask, RW)

    told: list[tuple[int, int, int, IommuPerm]] = []
    halves = memory.iommu("halves", TOP, Halves()).iommu
    assert halves is not None
    halves.replay(notifier(told, IommuNotify.MAP))
    assert [(iova, mask) for iova, _, mask, _ in told] == [
        (0, (1 << 63) - 1), (1 << 63, (1 << 63) - 1),
    ]  # fmt: skip
    assert asked == [0, 1 << 63]


def test_a_bare_translator_says_that_it_must_be_made(memory: MemorySystem) -> None:
    act: Callable[[], object] = lambda: IommuTranslator().translate(0, RW, 0)  # noqa: E731
    with pytest.raises(NotImplementedError):
        act()
    assert IommuTranslator().attrs_to_index(MemTxAttrs(secure=True)) == 0
    IommuTranslator().notify_flag_changed(IommuNotify.NONE, IommuNotify.MAP)
