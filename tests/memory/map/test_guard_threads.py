"""The guard against re-entry while several threads are in one device.

Two processors may be in a device at once, and leave it in any order. Whoever is still inside must
stay guarded until it leaves: what its own DMA reaches of the device is refused, by whichever way.
"""

from __future__ import annotations

import threading

import pytest

from guestmap.memory import AccessSizes, MemoryRegionOps, MemorySystem, MemTxAttrs, MemTxResult
from guestmap.memory.map import ReentryBlocked

OK, ACCESS_ERROR = MemTxResult.OK, MemTxResult.ACCESS_ERROR
START, DATA, STATUS, NARROW = 0x00, 0x10, 0x20, 0x28
PATIENCE = 30  # seconds


class Visit:
    """One thread's write to START: it waits inside until it is told to go on, then uses DMA."""

    def __init__(self, device: Device) -> None:
        self.device = device
        self.inside, self.go_on = threading.Event(), threading.Event()
        self.results: list[object] = []
        self.told = -1  # events after the first access that is refused
        self.thread = threading.Thread(target=self.run)
        device.waiting.append(self)
        self.thread.start()
        assert self.inside.wait(PATIENCE)

    def run(self) -> None:
        self.device.space.store(START, 4, 1)

    def act(self) -> None:
        """Be the device, in the middle of a register write."""
        self.inside.set()
        assert self.go_on.wait(PATIENCE)
        space = self.device.space
        self.results.append(space.load(DATA, 4))
        self.told = len(self.device.events)
        for at in (DATA, STATUS, NARROW):
            self.results += [space.load(at, 4), space.load_result(at, 4), space.store(at, 4, 0)]
        self.results.append(space.write(NARROW, b"more"))

    def leave(self) -> list[object]:
        self.go_on.set()
        self.thread.join(PATIENCE)
        assert not self.thread.is_alive()
        return self.results


class Device:
    """Registers of three kinds: plain ones, ones with attributes, and bytes."""

    def __init__(self) -> None:
        self.memory = memory = MemorySystem()
        self.waiting: list[Visit] = []
        self.data = 0x55
        self.events: list[ReentryBlocked] = []
        memory.guards.subscribers.append(self.events.append)
        plain = MemoryRegionOps(read=lambda _offset, _size: self.data, write=self.write)
        attrs = MemoryRegionOps(read_with_attrs=self.status, write_with_attrs=self.set_status)
        narrow = MemoryRegionOps(
            read=lambda _offset, _size: 0x66, write=self.write_data, impl=AccessSizes(1, 1)
        )
        root = memory.container("root", 0x1000)
        self.region = memory.io("registers", 0x20, plain, owner=self)
        root.add_subregion(0, self.region)
        root.add_subregion(STATUS, memory.io("status", 8, attrs, owner=self))
        root.add_subregion(NARROW, memory.io("narrow", 8, narrow, owner=self))
        self.space = memory.address_space("space", root)

    def write(self, offset: int, value: int, size: int) -> None:
        if offset == START:
            self.waiting.pop().act()
        else:
            self.data = value

    def write_data(self, offset: int, value: int, size: int) -> None:
        self.data = value

    def status(self, offset: int, size: int, attrs: MemTxAttrs) -> tuple[int, MemTxResult]:
        return 0x77, OK

    def set_status(self, offset: int, value: int, size: int, attrs: MemTxAttrs) -> MemTxResult:
        self.data = value
        return OK

    def look(self) -> None:
        """Reach every register from a thread that is not inside."""
        space = self.space
        for at, value in ((DATA, 0x55), (STATUS, 0x77), (NARROW, 0x66666666)):
            for _ in range(2):
                assert space.load(at, 4) == value
                assert space.load_result(at, 4) == (value, OK)
        for _ in range(2):
            assert space.store(DATA, 4, 0x55) is OK

    @property
    def engaged(self) -> int:
        assert self.region.guard is not None
        return self.region.guard.engaged


REFUSED = [0, *[0, (0, ACCESS_ERROR), ACCESS_ERROR] * 3, ACCESS_ERROR]


@pytest.fixture
def device() -> Device:
    return Device()


def test_who_looks_in_and_leaves_does_not_open_the_device_for_who_is_inside(
    device: Device,
) -> None:
    visit = Visit(device)
    device.look()
    assert visit.leave() == REFUSED
    assert device.data == 0x55
    assert device.engaged == 0
    device.look()


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_of_two_inside_both_are_guarded_whoever_leaves_first(
    device: Device, order: tuple[int, int]
) -> None:
    visits = [Visit(device), Visit(device)]
    assert device.engaged == 2
    for left, number in enumerate(order, 1):
        assert visits[number].leave() == REFUSED
        assert device.engaged == 2 - left
    assert device.data == 0x55
    assert [event.region.name for event in device.events] == ["registers"]
    device.look()


def test_a_refused_access_does_not_take_part_in_the_count(device: Device) -> None:
    """Otherwise the first refusal would let the second access through."""
    visit = Visit(device)
    visit.leave()
    assert visit.told == 1
    assert device.region.guard is not None
    assert device.region.guard.blocked == len(REFUSED)
    assert device.engaged == 0
