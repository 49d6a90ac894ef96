"""The Cirrus VGA beside QEMU's: the same answers to random accesses, memory and map the same."""

from __future__ import annotations

import base64
import random
from collections.abc import Callable

import pytest

from guestmap.inspect import Snapshot
from guestmap.inspect.text.mtree import write_flat, write_mtree
from guestmap.machine import MachineConfig, Pc
from tests.hw.vga import cirrus_traffic as traffic
from tests.hw.vga.benches import CirrusBench, answer_of
from tests.support.mtree_text import blocks
from tests.support.qemu import Qemu

pytestmark = [pytest.mark.qemu_7_2("its VGA"), pytest.mark.qemu, pytest.mark.seabios]

_FILLED = 0x8000
_EVERY = 50


Ask = Callable[[random.Random, int], list[str]]
Transfer = Callable[[random.Random, int], list[str]]


def _each_operation(rng: random.Random, count: int, transfer: Transfer = traffic.blit) -> list[str]:
    """Return transfers of each raster operation, with the memory used as by a Cirrus."""
    extended = ["outb 0x3c4 0x7", "outb 0x3c5 0x1"]
    operations = [rop for rop in traffic.ROPS for _ in range(count)]
    return extended + [line for rop in operations for line in transfer(rng, rop)]


def _windows(text: str) -> set[str]:
    words = ("vga", "cirrus", "memory-region: vga")
    return {line.strip() for line in text.split("\n") if any(each in line for each in words)}


def _assert_same(seed: int, count: int, ask: Ask = traffic.commands) -> None:
    rng, ours = random.Random(seed), CirrusBench()
    content = rng.randbytes(_FILLED)
    with Qemu("-vga", "cirrus") as qemu:
        for command in (*traffic.PLACED, "outb 0x3ce 0xb", "outb 0x3cf 0x0"):
            assert ours.answer(command) == answer_of(qemu, command)
        ours.vga.memory[:_FILLED] = content
        filled = base64.b64encode(content).decode()
        qemu.qtest(f"b64write {traffic.MEMORY_BAR:#x} {_FILLED:#x} {filled}")
        done: list[str] = []
        for number, command in enumerate(ask(rng, count)):
            done.append(command)
            assert ours.answer(command) == answer_of(qemu, command), f"{number}: {done[-120:]}"
            if number % _EVERY == 0:
                tree = write_mtree(Snapshot.of(ours.chipset.memory))
                assert _windows(tree) == _windows(qemu.hmp("info mtree")), done[-_EVERY:]


def test_random_accesses_are_answered_as_by_qemu() -> None:
    _assert_same(1, 100)


def test_each_raster_operation_is_qemus() -> None:
    _assert_same(2, 4, _each_operation)


@pytest.mark.parametrize("transfer", [traffic.dragged, traffic.patterned])
def test_lines_that_come_from_what_they_put_are_qemus(transfer: Transfer) -> None:
    _assert_same(3, 4, lambda rng, count: _each_operation(rng, count, transfer))


@pytest.mark.long
@pytest.mark.timeout(900)
@pytest.mark.parametrize("seed", range(100, 120))
def test_many_random_accesses_are_answered_as_by_qemu(seed: int) -> None:
    _assert_same(seed, 2000)


def test_the_map_at_reset_is_qemus() -> None:
    snapshot = Snapshot.of(Pc(MachineConfig(vga="cirrus")).system)
    with Qemu("-vga", "cirrus") as qemu:
        assert blocks(write_mtree(snapshot)) == blocks(qemu.hmp("info mtree"))
        assert blocks(write_flat(snapshot)) == blocks(qemu.hmp("info mtree -f"))
