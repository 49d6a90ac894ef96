"""Ways through an IOMMU other than plain reads and writes: a loader's, a guard's, a table walker's.

The loader's way is QEMU's ``address_space_write_rom``, which translates as any write does.
"""

from __future__ import annotations

import threading

import pytest

from guestmap.base import ConfigError
from guestmap.memory import AccessSizes, AddressSpace, MemoryRegionOps, MemorySystem, MemTxResult
from guestmap.memory.access.translate import MAX_HOPS
from guestmap.memory.map import IommuEntry, IommuNotifier, IommuNotify, IommuPerm, IommuTranslator

OK, DECODE_ERROR, ACCESS_ERROR = MemTxResult.OK, MemTxResult.DECODE_ERROR, MemTxResult.ACCESS_ERROR
RW = IommuPerm.READ_WRITE
PAGE = 0x1000


class Table(IommuTranslator):
    """Pages by number."""

    def __init__(self) -> None:
        self.pages: dict[int, tuple[AddressSpace, int, IommuPerm]] = {}

    def translate(self, offset: int, access: IommuPerm, index: int) -> IommuEntry | None:
        if offset // PAGE not in self.pages:
            return None
        target, to, perm = self.pages[offset // PAGE]
        return IommuEntry(target, offset & -PAGE, to, PAGE - 1, perm)


class Machine:
    """RAM at 0, ROM at 10000h, and a device's space of eight pages behind an IOMMU."""

    def __init__(self, memory: MemorySystem) -> None:
        self.memory, self.table = memory, Table()
        self.system = memory.container("system", 1 << 64)
        self.system.add_subregion(0, memory.ram("ram", 0x8000))
        self.system.add_subregion(0x10000, memory.rom("rom", 0x2000))
        self.space = memory.address_space("memory", self.system)
        self.device = memory.address_space("device", memory.iommu("iommu", 8 * PAGE, self.table))

    def map(self, page: int, to: int, perm: IommuPerm = RW) -> None:
        self.table.pages[page] = (self.space, to, perm)


@pytest.fixture
def machine(memory: MemorySystem) -> Machine:
    return Machine(memory)


def test_a_loader_reaches_rom_and_ram_page_by_page(machine: Machine) -> None:
    machine.map(0, 0x11000)
    machine.map(1, 0x3000)
    machine.map(3, 0x10000)
    machine.device.write_rom(0xFFC, b"tail" + b"-" * PAGE + b"*" * PAGE + b"head")
    assert machine.space.read(0x11FFC, 4) == b"tail"
    assert machine.space.read(0x3000, PAGE + 1) == b"-" * PAGE + b"\0"
    assert machine.space.read(0x10000, 5) == b"head\0"  # page 2 leads nowhere: those bytes are lost


def test_a_loader_is_refused_where_a_page_is_not_for_writing(machine: Machine) -> None:
    machine.map(0, 0x10000, IommuPerm.READ)
    machine.map(1, 0x11000, IommuPerm.WRITE)
    machine.device.write_rom(0xFFE, b"noYES")
    assert machine.space.read(0x10FFE, 5) == b"\0\0YES"


def test_a_loader_passes_over_holes_and_devices_behind_an_iommu(machine: Machine) -> None:
    calls: list[int] = []
    ops = MemoryRegionOps(write=lambda offset, _value, _size: calls.append(offset))
    machine.system.add_subregion(0x20FF0, machine.memory.io("io", 8, ops))
    machine.map(0, 0x20000)
    machine.map(1, 0x2000)
    machine.device.write_rom(0xFE0, bytes(range(0x30)))
    assert calls == []
    assert machine.space.read(0x2000, 0x11) == bytes(range(0x20, 0x30)) + b"\0"


def test_a_device_that_reaches_itself_through_an_iommu_is_blocked(machine: Machine) -> None:
    """Each way of access, and each page that leads to the device."""
    results: list[object] = []

    class Device:
        value = 1

        def read(self, offset: int, size: int) -> int:
            return self.value

        def write(self, offset: int, value: int, size: int) -> None:
            for at in (0x10, PAGE + 0x10):
                results.append(machine.device.load_result(at, 4))
                results.append(machine.device.store(at, 4, 2))
            results.append(machine.device.store(2 * PAGE, 4, 0x1234))
            self.value += 1

    device = Device()
    ops = MemoryRegionOps(read=device.read, write=device.write, valid=AccessSizes(4, 4))
    machine.system.add_subregion(0x30000, machine.memory.io("io", PAGE, ops, owner=device))
    machine.map(0, 0x30000)
    machine.map(1, 0x30000)
    machine.map(2, 0x4000)
    blocked = [(0, ACCESS_ERROR), ACCESS_ERROR] * 2
    for count in (1, 2):
        assert machine.device.store(0x20, 4, 1) is OK
        assert results == [*blocked, OK] * count
        assert machine.device.load_result(PAGE + 0x20, 4) == (1 + count, OK)
    assert machine.space.load(0x4000, 4) == 0x1234


def test_two_walkers_whose_tables_lie_behind_each_other_end(memory: MemorySystem) -> None:
    walks: list[str] = []

    class Walker(IommuTranslator):
        tables: AddressSpace

        def __init__(self, name: str) -> None:
            self.name = name

        def translate(self, offset: int, access: IommuPerm, index: int) -> IommuEntry | None:
            walks.append(self.name)
            entry, result = self.tables.load_result(0, 8)
            perm = RW if result is OK else IommuPerm.NONE
            return IommuEntry(target, offset & -PAGE, entry & -PAGE, PAGE - 1, perm)

    target = memory.address_space("memory", memory.ram("ram", PAGE))
    walkers = [Walker("first"), Walker("second")]
    spaces = [memory.address_space(w.name, memory.iommu(w.name, PAGE, w)) for w in walkers]
    walkers[0].tables, walkers[1].tables = spaces[1], spaces[0]
    for _ in range(2):  # the first refusal leaves nothing behind
        walks.clear()
        assert spaces[0].load_result(0, 4) == (0, DECODE_ERROR)
        assert walks == ["first", "second"]
    walkers[1].tables = target
    assert spaces[0].load_result(0, 4) == (0, OK)


def test_threads_translate_at_the_same_time(machine: Machine) -> None:
    """That a translator is asked while it answers is refused within one thread only."""
    both = threading.Barrier(2)
    results: list[tuple[int, MemTxResult]] = []

    class Slow(Table):
        def translate(self, offset: int, access: IommuPerm, index: int) -> IommuEntry | None:
            both.wait(30)  # until the other thread is here too
            return super().translate(offset, access, index)

    slow = Slow()
    slow.pages[0] = (machine.space, 0, RW)
    space = machine.memory.address_space("slow", machine.memory.iommu("slow", PAGE, slow))
    machine.space.store(0, 4, 0x77)
    threads = [
        threading.Thread(target=lambda: results.append(space.load_result(0, 4))) for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert results == [(0x77, OK)] * 2


def test_a_translator_with_a_bug_answers_again_afterwards(machine: Machine) -> None:
    """An exception must not leave the region taken for one that is translating."""

    class Buggy(Table):
        broken = True

        def translate(self, offset: int, access: IommuPerm, index: int) -> IommuEntry | None:
            if self.broken:
                raise RuntimeError("a bug of the translator")
            return super().translate(offset, access, index)

    buggy = Buggy()
    buggy.pages[0] = (machine.space, 0, RW)
    space = machine.memory.address_space("buggy", machine.memory.iommu("buggy", PAGE, buggy))
    with pytest.raises(RuntimeError, match="a bug"):
        space.load(0, 4)
    buggy.broken = False
    assert space.load_result(0, 4) == (0, OK)


@pytest.mark.parametrize("room", [0, 1])
def test_as_many_iommus_as_may_follow_each_other_lead_to_memory(
    machine: Machine, room: int
) -> None:
    """A straight way of that length is no circle; a longer one is taken for one."""
    space, length = machine.device, MAX_HOPS + 1 - room
    machine.map(0, 0x1000)
    for number in range(length - 1):
        table = Table()
        table.pages[0] = (space, 0, RW)
        region = machine.memory.iommu(f"iommu {number}", PAGE, table)
        space = machine.memory.address_space(f"space {number}", region)
    result = OK if room else DECODE_ERROR
    assert space.store(0x10, 4, 0x99) is result
    assert space.load_result(0x10, 4) == ((0x99, OK) if room else (0, DECODE_ERROR))
    assert (space.translate(0x10) is not None) == bool(room)
    assert space.access_valid(0x10, 4, False) == bool(room)
    assert machine.space.load(0x1010, 4) == (0x99 if room else 0)


def test_numbers_are_those_of_qemu() -> None:
    """IOMMUAccessFlags and IOMMUNotifierFlag in include/exec/memory.h and its successors."""
    assert {each.name: each.value for each in IommuPerm} == {
        "READ": 1, "WRITE": 2, "EXEC": 4, "PRIV": 8, "GLOBAL": 16, "UNTRANSLATED_ONLY": 32,
    }  # fmt: skip
    assert {each.name: each.value for each in IommuNotify} == {
        "UNMAP": 1, "MAP": 2, "DEVIOTLB_UNMAP": 4,
    }  # fmt: skip
    assert (IommuPerm.READ_WRITE, IommuNotify.IOTLB) == (3, 3)


# -- bounds of notifiers and replay ----------------------------------------------------------------


@pytest.mark.parametrize("size", [0, -0x1000, 3])
def test_a_page_has_bytes_and_a_power_of_two(memory: MemorySystem, size: int) -> None:
    table = Table()
    table.min_page_size = size
    with pytest.raises(ConfigError, match="no power of two"):
        memory.iommu("iommu", PAGE, table)


def test_a_translator_has_one_index_unless_it_says_more(machine: Machine) -> None:
    iommu = machine.memory.iommu("iommu", PAGE, Table()).iommu
    assert iommu is not None
    with pytest.raises(ConfigError, match="index 1 is not one of 1"):
        iommu.register(IommuNotifier(print, IommuNotify.MAP, index=1))
    with pytest.raises(ConfigError, match="index -1"):
        iommu.register(IommuNotifier(print, IommuNotify.MAP, index=-1))


def test_a_notifier_hears_of_the_whole_region_unless_it_says_less(machine: Machine) -> None:
    heard: list[IommuEntry] = []
    iommu = machine.memory.iommu("iommu", 1 << 64, Table()).iommu
    assert iommu is not None
    iommu.register(IommuNotifier(heard.append, IommuNotify.MAP))
    entry = IommuEntry(machine.space, 0, 0, (1 << 64) - 1, RW)
    iommu.notify(IommuNotify.MAP, entry)
    assert heard == [entry]


@pytest.mark.parametrize(
    ("start", "end", "asked", "heard"),
    [
        (0, (1 << 64) - 1, [page * PAGE for page in range(8)], [(0x2000, 0x5000, 0xFFF)]),
        (0x2000, 0x2000, [0x2000], [(0x2000, 0x5000, 0)]),
        (0x7FFF, 0x9000, [0x7FFF], []),
        (0x8000, 0x9000, [], []),
    ],
)
def test_replay_asks_for_each_page_once_as_far_as_the_region_and_the_notifier_go(
    machine: Machine, start: int, end: int, asked: list[int], heard: list[tuple[int, int, int]]
) -> None:
    questions: list[int] = []
    told: list[tuple[int, int, int]] = []

    class Noting(Table):
        def translate(self, offset: int, access: IommuPerm, index: int) -> IommuEntry | None:
            questions.append(offset)
            return super().translate(offset, access, index)

    def tell(entry: IommuEntry) -> None:
        told.append((entry.iova, entry.translated, entry.mask))

    table = Noting()
    table.pages[2] = (machine.space, 0x5000, RW)
    table.pages[8] = (machine.space, 0x6000, RW)  # behind the region's end
    iommu = machine.memory.iommu("iommu", 8 * PAGE, table).iommu
    assert iommu is not None
    iommu.replay(IommuNotifier(tell, IommuNotify.MAP, start=start, end=end))
    assert (questions, told) == (asked, heard)


def test_an_entry_that_covers_more_than_the_region_ends_with_it(machine: Machine) -> None:
    """What follows the IOMMU's region on the bus answers there, not what the page leads to."""
    bus = machine.memory.container("bus", 1 << 32)
    bus.add_subregion(0x4000, machine.memory.iommu("half a page", PAGE // 2, machine.table))
    bus.add_subregion(0x4000 + PAGE // 2, machine.memory.ram("next", PAGE))
    space = machine.memory.address_space("bus", bus)
    machine.map(0, 0x1000)
    assert space.write(0x47FC, b"pagenext") is OK
    assert machine.space.read(0x17FC, 8) == b"page\0\0\0\0"
    assert space.read(0x47FC, 8) == b"pagenext"
    section = space.translate(0x47FC)
    assert section is not None
    assert section.size == 4
