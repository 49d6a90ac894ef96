"""Local APIC registers as a CPU sees them: random programs, the same on QEMU's and on ours."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from guestmap.base import ManualClock
from guestmap.hw.apic.bus import ApicBus
from tests.support.bus import memory_of
from tests.support.guest import END_OF_TAKE, READ, TAKE, TAKEN, WRITE, run_in_qemu

pytestmark = pytest.mark.qemu

PAGE = 0xFEE00000
TPR, EOI, LDR, DFR, SVR, ESR, ICR, ICR_HIGH = 0x80, 0xB0, 0xD0, 0xE0, 0xF0, 0x280, 0x300, 0x310
LVT = range(0x320, 0x380, 0x10)
INITIAL_COUNT, CURRENT_COUNT, DIVIDE = 0x380, 0x390, 0x3E0

READABLE = [register for register in range(0, 0x400, 0x10) if register != CURRENT_COUNT]


def no_pic() -> int:
    raise AssertionError("no interrupt of the PIC was announced")


def run_in_ours(operations: list[tuple[int, int, int]]) -> list[int]:
    bus = ApicBus(ManualClock())
    bus.current = 0
    space = memory_of(bus)
    apic = bus.apics[0]
    results: list[int] = []
    for operation, address, value in operations:
        if operation == READ:
            results.append(space.load(address, 4))
        elif operation == WRITE:
            space.store(address, 4, value)
        else:
            while apic.intr.level:
                vector = apic.acknowledge(no_pic)
                assert vector is not None
                results.append(TAKEN | vector)
            results.append(END_OF_TAKE)
    return results


def program(rng: random.Random) -> list[tuple[int, int, int]]:
    """A program that stays clear of what would stop it: INIT, SMI, NMI, faults' own vectors.

    It leaves its ID alone too: QEMU 7.2 finds "self" by ID, and with a new one not at all.
    """
    vector = lambda: rng.randrange(32, 256)  # noqa: E731
    operations = [(WRITE, PAGE + SVR, 0x1FF), (WRITE, PAGE + LDR, 0x01 << 24)]
    for _ in range(60):
        what = rng.random()
        if what < 0.35:
            shorthand = rng.choice([0, 0, 1, 1, 1, 2, 3]) << 18
            level = rng.choice([0, 1 << 15])
            mode = rng.choice([0, 0, 1 << 8, 7 << 8, 1 << 11])
            destination = rng.choice([0, 0, 1, 2, 0xFF]) << 24
            operations.append((WRITE, PAGE + ICR_HIGH, destination))
            operations.append((WRITE, PAGE + ICR, shorthand | level | mode | vector()))
        elif what < 0.45:
            address = PAGE | rng.choice([0, 0xFF, 1]) << 12 | rng.choice([0x0, 0x1004, 0x2000])
            operations.append((WRITE, address, rng.choice([0, 0x8000, 0x100]) | vector()))
        elif what < 0.55:
            operations.append((WRITE, PAGE + TPR, rng.choice([0, 0, rng.getrandbits(8)])))
        elif what < 0.7:
            operations.append((WRITE, PAGE + EOI, 0))
        elif what < 0.8:
            operations.append((TAKE, 0, 0))
        elif what < 0.9:
            register = rng.choice([LDR, DFR, SVR, ESR, DIVIDE, 0x30, 0xA0, 0x100, 0x270])
            operations.append((WRITE, PAGE + register, rng.getrandbits(32)))
            operations.append((WRITE, PAGE + SVR, rng.choice([0x1FF, 0x11FF, 0x1F0, 0xEF])))
        else:
            entry = rng.getrandbits(32) | 1 << 16
            operations.append((WRITE, PAGE + rng.choice(LVT), entry))
        operations += [(READ, PAGE + register, 0) for register in READABLE]
    return operations


@pytest.mark.parametrize("seed", range(6))
def test_random_programs(tmp_path: Path, seed: int) -> None:
    operations = program(random.Random(seed))
    assert any(operation == TAKE for operation, _, _ in operations)
    theirs, ours = run_in_qemu(operations, tmp_path), run_in_ours(operations)
    assert len(theirs) > 1000
    assert [hex(value) for value in ours] == [hex(value) for value in theirs]


def test_reset_values(tmp_path: Path) -> None:
    operations = [(READ, PAGE + offset, 0) for offset in range(0, 0x1000, 0x10)]
    operations += [(READ, PAGE + 0x1030, 0), (READ, PAGE + 0xF0030, 0), (READ, PAGE + 0x34, 0)]
    assert run_in_ours(operations) == run_in_qemu(operations, tmp_path)
