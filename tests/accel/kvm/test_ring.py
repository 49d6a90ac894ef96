"""Writes that the kernel holds back: they come before what comes after them, and all of them."""

from __future__ import annotations

import pytest

from guestmap.accel import ExitReason
from guestmap.accel.kvm.abi import ExitCode
from tests.accel.kvm.fake_kernel import MOST_ZONES, PAGE
from tests.accel.kvm.fake_vcpu import RING_ENTRIES, Eintr, Held, Mmio, Other, Ports
from tests.accel.kvm.test_vcpu import Rig

DEVICE = 0xE0000000
RING_AT = 2 * PAGE
HLT = Other(ExitCode.HLT)


@pytest.fixture
def rig():
    made = Rig()
    yield made
    made.accelerator.close()


def word(value: int) -> bytes:
    return value.to_bytes(4, "little")


def test_what_was_held_back_comes_before_the_exit(rig):
    held = [Held(DEVICE + 4 * n, word(n)) for n in range(3)]
    rig.run(*held, Held(0x80, b"\x07", is_port=True), Mmio(DEVICE + 0x40, 4), HLT)
    assert rig.log == [
        ("w", 0, 4, 0), ("w", 4, 4, 1), ("w", 8, 4, 2), ("w", 0x80, 1, 7), ("r", 0x40, 4, 0),
    ]  # fmt: skip
    counts = rig.accelerator.statistics()
    assert (counts.mmio_writes, counts.port_writes) == (3, 1)


@pytest.mark.parametrize("end", [HLT, Eintr(), Other(ExitCode.SHUTDOWN)])
def test_nothing_is_held_back_when_the_cpu_is_outside(rig, end):
    rig.run(Held(DEVICE, word(5)), end)
    assert rig.log == [("w", 0, 4, 5)]


def test_a_ring_is_filled_again_and_again(rig):
    full = RING_ENTRIES - 1
    script = []
    for value in range(3 * full):
        script.append(Held(DEVICE, word(value)))
        if value % full == full - 1:
            script.append(Ports(0x80, 1, 1, b"\0"))
    rig.run(*script, HLT)
    assert [value for _, at, _, value in rig.log if at == 0] == list(range(3 * full))


@pytest.mark.parametrize("first", [RING_ENTRIES, RING_ENTRIES + 1, 0xFFFFFFFF])
def test_a_ring_that_begins_behind_its_end_has_nothing(rig, first):
    rig.kernel.page[RING_AT : RING_AT + 8] = word(first) + word(0)
    assert rig.run(HLT).reason is ExitReason.HALTED
    assert rig.log == []


def test_a_device_that_asks_for_what_is_held_back_gets_it_once(rig):
    """A write that comes may change the map, and that lets all others come first."""
    rig.on_write = rig.accelerator._ring.drain
    rig.run(*(Held(DEVICE, word(n)) for n in range(4)), HLT)
    assert [value for _, _, _, value in rig.log] == [0, 1, 2, 3]


def test_whoever_else_looks_at_the_device_sees_what_was_held_back(rig):
    region = next(iter(rig.memory.view)).region
    rig.system.coalesced.add(region, 0, 0x10)
    Held(DEVICE, word(1)).put(rig.kernel.page)
    rig.memory.load(DEVICE + 0x20, 4)
    assert [kind for kind, *_ in rig.log] == ["w", "r"]


def test_zones_follow_the_map(rig):
    region = next(iter(rig.memory.view)).region
    ports = next(iter(rig.io.view)).region
    rig.system.coalesced.add(region, 0x10, 0x20)
    rig.system.coalesced.add(region, 0x14, 4)  # a part of the other: both go by their own bounds
    rig.system.coalesced.add(ports, 0x3C0, 0x20)
    assert rig.kernel.zones == [(DEVICE + 0x10, 0x20, 0), (DEVICE + 0x14, 4, 0), (0x3C0, 0x20, 1)]
    region.set_address(DEVICE + 0x1000)
    assert sorted(rig.kernel.zones)[1:] == [(DEVICE + 0x1010, 0x20, 0), (DEVICE + 0x1014, 4, 0)]
    rig.system.coalesced.clear(region)
    assert rig.kernel.zones == [(0x3C0, 0x20, 1)]


def test_a_zone_that_the_kernel_does_not_take_is_no_loss(rig):
    region = next(iter(rig.memory.view)).region
    rig.kernel.zones = [(0, 1, 0)] * MOST_ZONES
    rig.system.coalesced.add(region, 0, 0x10)
    rig.kernel.zones = []
    assert rig.run(Mmio(DEVICE, 4, word(3)), HLT).reason is ExitReason.HALTED
    assert rig.log == [("w", 0, 4, 3)]
