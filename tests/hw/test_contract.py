"""What holds for every device: reset, saving and loading, and any access at all."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import fields
from typing import Any

import msgspec
import pytest

from guestmap.base import ConfigError, IrqLine
from guestmap.hw.catalog import DEVICES, declared_types
from guestmap.hw.device import Device
from guestmap.hw.i8254 import I8254
from guestmap.hw.mc146818 import Mc146818
from guestmap.hw.serial import Serial16550, Uart
from guestmap.memory import MemoryRegion
from tests.hw.device_traffic import RTC_EPOCH_NS, Bench

SECOND_NS = 10**9

MAKERS: dict[type[Device[Any]], Callable[[Bench], Device[Any]]] = {
    I8254: lambda bench: I8254(bench.clock, bench.line(0)),
    Mc146818: lambda bench: Mc146818(bench.clock, bench.line(8), epoch_ns=RTC_EPOCH_NS),
    Serial16550: lambda bench: Serial16550(bench.clock, bench.line(4)),
}
PARTS = {Uart}
"""Devices that come with another one."""


class Guest:
    """A device alone on a bench, and a guest that knows nothing of it."""

    def __init__(self, kind: type[Device[Any]]) -> None:
        self.bench = Bench()
        self.device = MAKERS[kind](self.bench)
        self.bench.place(self.device)

    def run(self, rng: random.Random, count: int) -> list[object]:
        """Access it at random, time passing now and then; return all that is to be seen."""
        seen: list[object] = []
        regions = [region for each in self.bench.regions for region in _with_inner(each)]
        for _ in range(count):
            region = rng.choice(regions)
            size = rng.choice((1, 1, 1, 2, 4))
            offset = rng.randrange(region.size)
            port = _address(region) + offset
            if rng.random() < 0.5:
                seen.append(self.bench.ports.load(port, size))
            else:
                value = rng.choice((0, 1, 0xFF, rng.getrandbits(8), rng.getrandbits(8 * size)))
                self.bench.ports.store(port, size, value & (1 << 8 * size) - 1)
            if rng.random() < 0.1:
                self.bench.clock.advance(rng.choice((1, 10**3, 10**6, 10**7)))
            seen.append([line.level for line in self.lines])
        return seen

    @property
    def lines(self) -> list[IrqLine]:
        return list(self.bench.lines.values())

    def saved(self) -> bytes:
        return msgspec.msgpack.encode(self.device.save())


def _with_inner(region: MemoryRegion) -> Iterator[MemoryRegion]:
    yield region
    for inner in region.subregions:
        yield from _with_inner(inner)


def _address(region: MemoryRegion) -> int:
    outer = region.container
    return region.addr + (_address(outer) if outer is not None else 0)


each_device = pytest.mark.parametrize("kind", MAKERS, ids=lambda kind: kind.TYPE.name)


def test_every_device_is_tried() -> None:
    assert set(DEVICES) == MAKERS.keys() | PARTS


def test_each_type_is_declared_once() -> None:
    names = [each.TYPE.name for each in DEVICES]
    assert len(set(names)) == len(names)
    known = {each.name for each in declared_types()} | {"device"}
    assert {each.parent for each in declared_types()} <= known


@each_device
def test_a_reset_leaves_nothing_but_what_is_said_to_outlive_it(kind: type[Device[Any]]) -> None:
    guest, fresh = Guest(kind), Guest(kind)
    guest.run(random.Random(1), 300)
    guest.device.reset()
    fresh.bench.clock.advance(guest.bench.clock.now_ns())
    fresh.device.reset()
    state, new = guest.device.save(), fresh.device.save()
    for field in fields(state):
        if field.name not in kind.OUTLIVES_RESET:
            assert getattr(state, field.name) == getattr(new, field.name), field.name
    before = guest.saved()
    guest.device.reset()
    assert guest.saved() == before


@each_device
@pytest.mark.parametrize("seed", range(3))
def test_a_device_goes_on_from_where_another_one_was_saved(
    kind: type[Device[Any]], seed: int
) -> None:
    first, second = Guest(kind), Guest(kind)
    first.run(random.Random(seed), 200)
    state = msgspec.msgpack.decode(first.saved(), type=type(first.device.state))
    second.bench.clock.jump(first.bench.clock.now_ns())
    second.device.load(state)
    for line, other in zip(second.lines, first.lines, strict=True):
        line.level = other.level  # whom they lead to saves them
    assert second.saved() == first.saved()
    after = random.Random(seed + 100)
    seen = first.run(after, 200)
    assert second.run(random.Random(seed + 100), 200) == seen
    assert second.saved() == first.saved()


@each_device
def test_a_saved_state_is_a_copy(kind: type[Device[Any]]) -> None:
    guest = Guest(kind)
    state, before = guest.device.save(), guest.saved()
    guest.run(random.Random(2), 100)
    assert msgspec.msgpack.encode(state) == before
    guest.device.load(state)
    guest.run(random.Random(3), 100)
    assert msgspec.msgpack.encode(state) == before


@each_device
def test_an_impossible_state_is_refused(kind: type[Device[Any]]) -> None:
    guest = Guest(kind)
    before = guest.saved()
    for field in fields(guest.device.state):
        state = guest.device.save()
        setattr(state, field.name, "nonsense")
        with pytest.raises(ConfigError, match=kind.TYPE.name):
            guest.device.load(state)
    assert guest.saved() == before


@each_device
def test_any_access_is_taken(kind: type[Device[Any]]) -> None:
    _take_any_access(kind, 3_000)


@pytest.mark.long
@each_device
def test_a_hundred_thousand_accesses_raise_nothing_and_grow_nothing(
    kind: type[Device[Any]],
) -> None:
    _take_any_access(kind, 100_000)


def _take_any_access(kind: type[Device[Any]], count: int) -> None:
    guest, rng = Guest(kind), random.Random(4)
    guest.run(rng, count // 2)
    size, timers = len(guest.saved()), len(guest.bench.clock._heap)
    guest.run(rng, count // 2)
    assert len(guest.saved()) <= 2 * size + 256
    assert len(guest.bench.clock._heap) <= 2 * timers + 32
