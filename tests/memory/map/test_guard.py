"""The guard against a device that reaches itself (QEMU's MemReentrancyGuard)."""

from __future__ import annotations

import gc
import logging
import threading
import weakref
from collections.abc import Callable

import pytest

from guestmap.memory import (
    AccessSizes,
    AddressSpace,
    MemoryRegion,
    MemoryRegionOps,
    MemorySystem,
    MemTxAttrs,
    MemTxResult,
)
from guestmap.memory.map import ReentryBlocked

OK, ACCESS_ERROR = MemTxResult.OK, MemTxResult.ACCESS_ERROR


class Dma:
    """A device with two regions: a write of an address to register 0 reads and writes there.

    ``status`` is a second region of the same device, or of the owner that is given.
    """

    def __init__(self, memory: MemorySystem, *, owner: object = None, wide: bool = False) -> None:
        self.space: AddressSpace
        self.register = 0x11
        self.calls = 0
        self.seen: list[tuple[tuple[int, MemTxResult], MemTxResult]] = []
        sizes = AccessSizes(1, 8) if wide else AccessSizes()
        ops = MemoryRegionOps(read=self.read, write=self.write, valid=AccessSizes(1, 8), impl=sizes)
        self.region = memory.io("dma", 0x10, ops, owner=owner or self)
        self.status = memory.io("status", 0x10, ops, owner=owner or self)

    def read(self, offset: int, size: int) -> int:
        return self.register

    def write(self, offset: int, value: int, size: int) -> None:
        self.calls += 1
        if offset == 0:
            self.seen.append((self.space.load_result(value, 4), self.space.store(value, 4, 7)))


class Machine:
    def __init__(self, **rules: object) -> None:
        self.memory = MemorySystem()
        self.events: list[ReentryBlocked] = []
        self.memory.guards.subscribers.append(self.events.append)
        self.root = self.memory.container("root", 1 << 64)
        self.root.add_subregion(0x9000, self.memory.ram("ram", 0x1000))
        self.first = self.add(0x1000, **rules)
        self.second = self.add(0x2000, **rules)
        self.space = self.memory.address_space("space", self.root)
        self.first.space = self.second.space = self.space

    def add(self, at: int, **rules: object) -> Dma:
        device = Dma(self.memory, **rules)  # type: ignore[arg-type]
        self.root.add_subregion(at, device.region)
        self.root.add_subregion(at + 0x100, device.status)
        return device


REFUSED = ((0, ACCESS_ERROR), ACCESS_ERROR)
TAKEN = ((0x11, OK), OK)


@pytest.mark.parametrize("target", [0x1004, 0x1100])
def test_a_device_does_not_reach_its_own_regions(target: int) -> None:
    machine = Machine()
    for _ in range(3):  # the plain way, and then by what it has left behind
        assert machine.space.store(0x1000, 4, target) is OK
    assert machine.first.seen == [REFUSED] * 3
    assert machine.first.calls == 3


def test_it_reaches_ram_and_other_devices() -> None:
    machine = Machine()
    machine.space.store(0x1000, 4, 0x9000)
    machine.space.store(0x1000, 4, 0x2004)
    assert machine.first.seen == [((0, OK), OK), TAKEN]
    assert machine.second.calls == 1
    assert machine.events == []


def test_a_circle_of_two_devices_ends_at_the_first() -> None:
    machine = Machine()

    def chain(offset: int, value: int, size: int) -> None:
        machine.second.seen.append(
            (machine.space.load_result(0x1004, 4), machine.space.store(0x1000, 4, 0))
        )

    region = machine.memory.io("chain", 4, MemoryRegionOps(write=chain), owner=machine.second)
    machine.root.add_subregion(0x3000, region)
    machine.space.store(0x1000, 4, 0x3000)
    assert machine.first.seen == [((0, OK), OK)]
    assert machine.second.seen == [REFUSED]


def test_it_answers_again_afterwards_even_after_an_exception() -> None:
    machine = Machine()

    def write(offset: int, value: int, size: int) -> None:
        raise RuntimeError("a bug of the device")

    owner = machine.first
    buggy = machine.memory.io("buggy", 4, MemoryRegionOps(write=write), owner=owner)
    machine.root.add_subregion(0x3000, buggy)
    for _ in range(2):
        with pytest.raises(RuntimeError):
            machine.space.store(0x3000, 4, 1)
        assert machine.space.load_result(0x1004, 4) == (0x11, OK)
        assert machine.space.store(0x1004, 4, 1) is OK


def test_the_owner_is_the_object_and_not_what_it_equals() -> None:
    class Same:
        def __eq__(self, other: object) -> bool:
            return True

        __hash__ = None  # type: ignore[assignment]

    memory = MemorySystem()
    one, two = Same(), Same()
    regions = [memory.io("io", 4, None, owner=owner) for owner in (one, one, two)]
    guards = [region.guard for region in regions]
    assert guards[0] is guards[1]
    assert guards[0] is not guards[2]
    assert memory.io("io", 4, None).guard is None


def test_a_guard_goes_with_its_devices_last_region() -> None:
    memory = MemorySystem()
    device = Dma(memory)
    guard = weakref.ref(device.region.guard or device)
    del device
    gc.collect()
    assert guard() is None


UNGUARDED: dict[str, Callable[[MemorySystem, MemoryRegionOps, Dma], MemoryRegion]] = {
    "ram": lambda m, _ops, d: m.ram("ram", 0x1000, owner=d),
    "ram device": lambda m, _ops, d: m.ram_device("d", 16, memoryview(bytearray(16)), owner=d),
    "rom device": lambda m, ops, d: m.rom_device("flash", 0x1000, ops, owner=d),
}


@pytest.mark.parametrize("kind", UNGUARDED)
def test_memory_of_a_device_is_not_guarded(kind: str) -> None:
    """QEMU leaves out RAM, RAM devices, ROM devices, and whatever is read-only."""
    machine = Machine()
    region = UNGUARDED[kind](machine.memory, machine.first.region.ops, machine.first)
    if region.rom_device:
        region.set_romd_mode(False)
    machine.root.add_subregion(0x8000, region)
    machine.space.store(0x1000, 4, 0x8004)
    assert machine.first.seen[-1][0][1] is OK
    assert machine.first.seen[-1][1] is OK


def test_a_read_only_region_is_not_guarded() -> None:
    machine = Machine()
    machine.first.status.set_readonly(True)
    machine.space.store(0x1000, 4, 0x1104)
    assert machine.first.seen == [TAKEN]


def test_the_guard_can_be_switched_off_and_on_at_any_time() -> None:
    machine = Machine()
    for disabled, expected in ((False, REFUSED), (True, TAKEN), (False, REFUSED)):
        machine.first.status.disable_reentrancy_guard = disabled
        assert machine.first.status.disable_reentrancy_guard is disabled
        machine.first.seen.clear()
        for _ in range(2):
            machine.space.store(0x1000, 4, 0x1104)
        assert machine.first.seen == [expected] * 2


def test_of_all_refusals_the_first_is_told(caplog: pytest.LogCaptureFixture) -> None:
    machine = Machine()
    with caplog.at_level(logging.WARNING):
        for target in (0x1104, 0x1004, 0x1104):
            machine.space.store(0x1000, 4, target)
        machine.space.store(0x2000, 4, 0x2008)
    assert machine.events == [
        ReentryBlocked(machine.first, machine.first.status, 4),
        ReentryBlocked(machine.second, machine.second.region, 8),
    ]
    assert machine.first.region.guard is not None
    assert machine.first.region.guard.blocked == 6
    assert [record.getMessage() for record in caplog.records] == [
        "blocked re-entrant access to region status at offset 0x4",
        "blocked re-entrant access to region dma at offset 0x8",
    ]


def test_callbacks_with_attributes_and_pieces_are_guarded_too() -> None:
    machine = Machine()
    results: list[object] = []

    def write(offset: int, value: int, size: int, attrs: MemTxAttrs) -> MemTxResult:
        data = bytearray(4)
        results.append((machine.space.read_into(0x3008, data), bytes(data)))
        results.append(machine.space.write(0x3008, b"12345678"))
        return OK

    ops = MemoryRegionOps(write_with_attrs=write, valid=AccessSizes(1, 4), impl=AccessSizes(1, 1))
    region = machine.memory.io("attrs", 16, ops, owner=machine.first)
    machine.root.add_subregion(0x3000, region)
    assert machine.space.store(0x3000, 2, 5) is OK
    assert results == [(ACCESS_ERROR, bytes(4)), ACCESS_ERROR] * 2


def test_another_thread_in_the_same_device_is_no_reentry() -> None:
    """The guard is about one thread's stack: two CPUs at one device are the device's business."""
    memory = MemorySystem()
    inside, leave = threading.Event(), threading.Event()

    class Slow:
        def write(self, offset: int, value: int, size: int) -> None:
            inside.set()
            assert leave.wait(30)

    slow = Slow()
    root = memory.container("root", 0x1000)
    root.add_subregion(0, memory.io("slow", 4, MemoryRegionOps(write=slow.write), owner=slow))
    read = MemoryRegionOps(read=lambda _offset, _size: 0x22, write=lambda *_: None)
    root.add_subregion(0x10, memory.io("fast", 4, read, owner=slow))
    space = memory.address_space("space", root)
    thread = threading.Thread(target=space.store, args=(0, 4, 1))
    thread.start()
    try:
        assert inside.wait(30)
        for _ in range(3):
            assert space.load_result(0x10, 4) == (0x22, OK)
            assert space.load(0x10, 4) == 0x22
            assert space.store(0x10, 4, 1) is OK
    finally:
        leave.set()
        thread.join()
