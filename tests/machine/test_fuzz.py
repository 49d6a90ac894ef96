"""Invariant: whatever a guest does to ports and memory, nothing raises out of the machine."""

from __future__ import annotations

import random

import pytest

from guestmap.base import ManualClock
from guestmap.machine import DeviceSpec, MachineConfig, Pc
from guestmap.memory import MemTxResult

ACCESSES = 60_000
SEEDS = range(4)
DEVICES = ("pci-bridge,id=b1,chassis_nr=1,addr=8", "pci-testdev,bus=b1,addr=2,membar=64K",
           "pci-testdev,membar=1M")  # fmt: skip
PLACES = (0, 0x9F000, 0xA0000, 0xBFFF8, 0xC0000, 0xF0000, 0xFFFF8, 0x100000, 0x7FFFFF8, 0x8000000,
          0xFEC00000, 0xFED00000, 0xFED00100, 0xFEE00000, 0xFEE000F0, 0xFFFC0000, 0xFFFFFFF8,
          0x100000000, (1 << 64) - 8)  # fmt: skip

pytestmark = pytest.mark.seabios


def _machine() -> Pc:
    config = MachineConfig(
        debugcon=True,
        serial=True,
        vapic=True,
        smm=True,
        devices=tuple(DeviceSpec.parse(each) for each in DEVICES),
    )
    return Pc(config, ManualClock(), epoch_ns=0)


def _address(rng: random.Random) -> int:
    if rng.random() < 0.9:
        return (rng.choice(PLACES) + rng.randrange(-16, 0x500)) & ((1 << 64) - 1)
    return rng.getrandbits(64)


def _one_access(rng: random.Random, pc: Pc, ports: list[int]) -> None:
    size = rng.choice((1, 1, 2, 4, 4, 8))
    value = (
        rng.getrandbits(8 * size) if rng.random() < 0.7 else rng.choice((0, (1 << 8 * size) - 1))
    )
    kind = rng.randrange(8)
    port = rng.choice(ports) + rng.randrange(-1, 9) if rng.random() < 0.9 else rng.getrandbits(17)
    port = max(0, port)
    if kind == 0:
        assert pc.io.load(port, size) < 1 << 8 * size
    elif kind == 1:
        assert isinstance(pc.io.store(port, size, value), MemTxResult)
    elif kind in {2, 3}:
        bus, devfn = rng.choice((0, 0, 0, 1, 2, 255)), rng.choice((0, 8, 9, 11, 16, 24, 64))
        pc.io.store(0xCF8, 4, 1 << 31 | bus << 16 | devfn << 8 | rng.randrange(64) << 2)
        if kind == 2:
            pc.io.store(0xCFC + rng.randrange(4), rng.choice((1, 2, 4)), value)
        else:
            pc.io.load(0xCFC + rng.randrange(4), rng.choice((1, 2, 4)))
    elif kind == 4:
        assert pc.memory.load(_address(rng), size) < 1 << 8 * size
    elif kind == 5:
        pc.memory.store(_address(rng), size, value)
    elif kind == 6:
        data = rng.randbytes(rng.randrange(1, 64))
        rng.choice(pc.address_spaces).write(_address(rng), data)
    else:
        length = rng.randrange(1, 64)
        assert len(rng.choice(pc.address_spaces).read(_address(rng), length)) == length


@pytest.mark.parametrize("seed", SEEDS)
def test_random_traffic_never_raises(seed):
    rng = random.Random(seed)
    pc = _machine()
    clock = pc.clock
    assert isinstance(clock, ManualClock)
    ports = [r.start for r in pc.io.view]
    pc.on_reset_request = lambda _reason: pc.system_reset()
    for number in range(ACCESSES):
        _one_access(rng, pc, ports)
        if number % 50 == 0:
            clock.advance(rng.randrange(20_000_000))
        if number % 200 == 0 and pc.interrupts.pending:
            assert 0 <= pc.interrupts.acknowledge() <= 255


def test_the_machine_still_works_after_random_traffic():
    rng = random.Random(99)
    pc = _machine()
    ports = [r.start for r in pc.io.view]
    for _ in range(20_000):
        _one_access(rng, pc, ports)
    pc.system_reset()
    pc.io.store(0xCF8, 4, 0x80000000)
    assert pc.io.load(0xCFC, 4) == 0x12378086
    pc.memory.write(0x1000, b"still here")
    assert pc.memory.read(0x1000, 10) == b"still here"
