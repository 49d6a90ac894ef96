"""I/O event descriptors and coalesced writes: who rings, who is told, in which order."""

from __future__ import annotations

import os
import threading

import pytest

from guestmap.base import ConfigError, StateError
from guestmap.memory import Endianness, MemoryListener, MemoryRegionOps, MemorySystem, MemTxResult
from guestmap.memory.hear import EventNotifier
from guestmap.memory.map import ListenerWork


class Spy(MemoryListener):
    """Writes down what it is told about bells and coalescing, and keeps the set of bells."""

    def __init__(self, priority=0, log=None, name="spy"):
        self.priority = priority
        self.name = name
        self.told = [] if log is None else log
        self.bells = set()

    def eventfd_add(self, section, bell):
        self.told.append((self.name, "add", bell.address, bell.size, bell.data))
        assert bell.order not in self.bells
        self.bells.add(bell.order)

    def eventfd_del(self, section, bell):
        self.told.append((self.name, "del", bell.address, bell.size, bell.data))
        self.bells.remove(bell.order)

    def coalesced_io_add(self, section, address, size):
        self.told.append((self.name, "hold", address, size))

    def coalesced_io_del(self, section, address, size):
        self.told.append((self.name, "let", address, size))


@pytest.fixture
def memory():
    with MemorySystem() as memory:
        yield memory


@pytest.fixture
def bell():
    bell = EventNotifier()
    yield bell
    bell.close()


def _device(memory, endianness=Endianness.LITTLE):
    writes = []
    ops = MemoryRegionOps(
        read=lambda offset, size: 0,
        write=lambda offset, value, size: writes.append((offset, value, size)),
        endianness=endianness,
    )
    system = memory.container("system", 1 << 64)
    device = memory.io("dev", 0x1000, ops)
    system.add_subregion(0x4000, device)
    return device, memory.address_space("memory", system), writes


def test_a_matching_write_rings_and_does_not_reach_the_device(memory, bell):
    device, space, writes = _device(memory)
    space.store(0x4010, 2, 7)
    device.system.ioeventfds.add(device, 0x10, 2, 7, bell)
    assert space.store(0x4010, 2, 7) == MemTxResult.OK
    assert bell.test_and_clear()
    space.store(0x4010, 2, 8)
    space.store(0x4010, 4, 7)
    assert not bell.test_and_clear()
    assert writes == [(0x10, 7, 2), (0x10, 8, 2), (0x10, 7, 4)]


def test_without_data_or_size_every_such_write_rings(memory, bell):
    device, space, writes = _device(memory)
    device.system.ioeventfds.add(device, 0x20, 0, None, bell)
    for size in (1, 2, 4):
        space.store(0x4020, size, 0x55)
        assert bell.test_and_clear()
    assert writes == []


def test_after_the_bell_is_gone_the_device_is_written_again(memory, bell):
    device, space, writes = _device(memory)
    device.system.ioeventfds.add(device, 0, 4, None, bell)
    space.store(0x4000, 4, 1)
    device.system.ioeventfds.remove(device, 0, 4, None, bell)
    space.store(0x4000, 4, 2)
    assert writes == [(0, 2, 4)]
    with pytest.raises(ConfigError, match="no such ioeventfd"):
        device.system.ioeventfds.remove(device, 0, 4, None, bell)


def test_data_is_in_the_devices_byte_order(memory, bell):
    device, space, writes = _device(memory, Endianness.BIG)
    device.system.ioeventfds.add(device, 0, 2, 0x0102, bell)
    space.write(0x4000, b"\x01\x02")
    assert bell.test_and_clear()
    assert writes == []


@pytest.mark.parametrize(("size", "data"), [(3, None), (16, None), (1, 0x100), (2, -1)])
def test_impossible_bells_are_refused(memory, bell, size, data):
    device, _space, _writes = _device(memory)
    with pytest.raises(ConfigError):
        device.system.ioeventfds.add(device, 0, size, data, bell)
    assert device.system.ioeventfds.of(device) is None


def test_listeners_hear_of_bells_with_addresses_of_the_space(memory, bell):
    device, space, _writes = _device(memory)
    device.system.ioeventfds.add(device, 0x10, 4, None, bell)
    spy = Spy()
    space.register_listener(spy)
    device.system.ioeventfds.add(device, 0x8, 2, 5, bell)
    device.set_address(0x8000)
    device.set_enabled(False)
    assert spy.told == [
        ("spy", "add", 0x4010, 4, None),
        ("spy", "add", 0x4008, 2, 5),
        ("spy", "del", 0x4008, 2, 5),
        ("spy", "del", 0x4010, 4, None),
        ("spy", "add", 0x8008, 2, 5),
        ("spy", "add", 0x8010, 4, None),
        ("spy", "del", 0x8008, 2, 5),
        ("spy", "del", 0x8010, 4, None),
    ]
    space.unregister_listener(spy)
    assert spy.bells == set()


def test_adding_goes_to_the_highest_priority_first_and_removing_to_the_lowest(memory, bell):
    device, space, _writes = _device(memory)
    log = []
    space.register_listener(Spy(10, log, "high"))
    space.register_listener(Spy(0, log, "low"))
    device.system.ioeventfds.add(device, 0, 4, None, bell)
    device.system.ioeventfds.remove(device, 0, 4, None, bell)
    assert [(name, what) for name, what, *_ in log] == [
        ("high", "add"), ("low", "add"), ("low", "del"), ("high", "del"),
    ]  # fmt: skip


def test_a_bell_that_is_covered_by_another_region_goes_until_it_shows_again(memory, bell):
    device, space, _writes = _device(memory)
    spy = Spy()
    space.register_listener(spy)
    device.system.ioeventfds.add(device, 0x10, 4, None, bell)
    device.system.ioeventfds.add(device, 0x800, 4, None, bell)
    cover = memory.io("cover", 0x100, None)
    space.root.add_subregion(0x4000, cover, 1)
    assert [b[0] for b in spy.bells] == [0x4800]
    space.root.del_subregion(cover)
    assert sorted(b[0] for b in spy.bells) == [0x4010, 0x4800]


def test_many_bells_in_one_transaction_are_told_once_and_undone_as_one(memory, bell):
    device, space, _writes = _device(memory)
    spy = Spy()
    space.register_listener(spy)
    with memory.transaction():
        for offset in range(0, 64, 4):
            device.system.ioeventfds.add(device, offset, 4, None, bell)
        assert spy.told == []
    assert len(spy.bells) == 16
    with pytest.raises(ConfigError), memory.transaction():  # noqa: PT012 (a transaction of two)
        device.system.ioeventfds.remove(device, 0, 4, None, bell)
        device.system.ioeventfds.remove(device, 0, 4, None, bell)
    assert len(spy.bells) == 16
    assert len(device.system.ioeventfds.of(device) or ()) == 16


def test_a_listener_that_refuses_a_bell_leaves_everything_as_it_was(memory, bell):
    device, space, writes = _device(memory)

    class Refuses(Spy):
        def eventfd_add(self, section, bell):
            raise OSError("no more descriptors")

    spy = Spy(10)
    space.register_listener(spy)
    space.register_listener(Refuses(0))
    with pytest.raises(OSError, match="no more"):
        device.system.ioeventfds.add(device, 0, 4, None, bell)
    assert spy.bells == set()
    assert device.system.ioeventfds.of(device) is None
    space.store(0x4000, 4, 1)
    assert writes == [(0, 1, 4)]


def test_coalesced_parts_are_told_where_they_show(memory):
    device, space, _writes = _device(memory)
    spy = Spy()
    space.register_listener(spy)
    device.system.coalesced.add(device, 0x10, 0x20)
    device.set_address(0x8000)
    device.system.coalesced.clear(device)
    assert spy.told == [
        ("spy", "hold", 0x4010, 0x20),
        ("spy", "let", 0x4010, 0x20),
        ("spy", "hold", 0x8010, 0x20),
        ("spy", "let", 0x8010, 0x20),
    ]


def test_an_access_lets_what_was_held_back_come_first(memory):
    device, space, writes = _device(memory)
    held = [(0x10, 1, 4)]

    def ring():
        writes.extend(held)
        held.clear()

    space.load(0x4000, 4)
    memory.coalesced.add_ring(ring)
    device.system.coalesced.set_whole(device)
    space.store(0x4014, 4, 2)
    assert writes == [(0x10, 1, 4), (0x14, 2, 4)]
    held.append((0x18, 3, 4))
    space.load(0x4000, 4)
    assert writes[-1] == (0x18, 3, 4)
    memory.coalesced.remove_ring(ring)
    held.append((0, 0, 0))
    space.load(0x4000, 4)
    assert held == [(0, 0, 0)]


def test_what_is_held_back_comes_before_the_map_changes(memory):
    device, space, _writes = _device(memory)
    order = []
    memory.coalesced.add_ring(lambda: order.append("ring"))
    space.register_listener(
        type("L", (MemoryListener,), {"begin": lambda self: order.append("begin")})()
    )
    order.clear()
    device.set_enabled(False)
    assert order == ["ring", "begin"]


@pytest.mark.parametrize(("offset", "size"), [(-1, 4), (0, 0), (0xFFD, 4)])
def test_only_parts_of_the_region_can_be_coalesced(memory, offset, size):
    device, _space, _writes = _device(memory)
    with pytest.raises(ConfigError, match="coalesce"):
        device.system.coalesced.add(device, offset, size)
    assert device.system.coalesced.parts(device) == ()


def test_the_record_of_a_commit_tells_what_the_listeners_were_told(memory, bell):
    device, space, _writes = _device(memory)
    space.register_listener(Spy(0))
    space.register_listener(Spy(10))
    device.system.ioeventfds.add(device, 0, 4, None, bell)
    device.set_address(0x8000)
    assert memory.history[-1].work == ListenerWork(added=2, removed=2, bells=4)


def test_a_device_that_fails_when_held_back_writes_come_leaves_the_map_free(memory):
    """The change does not take place, and the next one, in any thread, does."""
    device, space, _writes = _device(memory)

    def fail():
        raise ZeroDivisionError("a device's callback")

    memory.coalesced.add_ring(fail)
    with pytest.raises(ZeroDivisionError, match="callback"):
        device.set_enabled(False)
    assert device.enabled
    memory.coalesced.remove_ring(fail)
    other = threading.Thread(target=device.set_enabled, args=[False], daemon=True)
    other.start()
    other.join(30)
    assert not other.is_alive()
    assert not list(space.view)


def test_a_guests_store_may_ring_a_bell_that_is_closed_or_full(memory, bell):
    """QEMU takes EAGAIN for success: somebody has yet to hear the last ring."""
    device, space, writes = _device(memory)
    device.system.ioeventfds.add(device, 0x10, 2, None, bell)
    os.eventfd_write(bell.fd, (1 << 64) - 2)
    assert space.store(0x4010, 2, 7) == MemTxResult.OK
    assert bell.test_and_clear()
    assert not bell.test_and_clear()
    bell.close()
    assert space.store(0x4010, 2, 7) == MemTxResult.OK
    assert writes == []
    with pytest.raises(StateError, match="closed"):
        bell.set()
    bell.fd = 1 << 20  # a descriptor that somebody else has closed
    assert space.store(0x4010, 2, 7) == MemTxResult.OK
    bell.fd = -1
