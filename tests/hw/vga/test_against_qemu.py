"""The standard VGA beside QEMU's: the same answers to random accesses, the same map."""

from __future__ import annotations

import random

import pytest

from guestmap.inspect import Snapshot
from guestmap.inspect.text.mtree import write_flat, write_mtree
from guestmap.machine import MachineConfig, Pc
from tests.hw.vga import traffic
from tests.hw.vga.benches import PLACED, VgaBench, answer_of
from tests.support.mtree_text import blocks
from tests.support.qemu import Qemu

pytestmark = [pytest.mark.qemu_7_2("its VGA"), pytest.mark.qemu, pytest.mark.seabios]


def _assert_same(seed: int, count: int) -> None:
    ours = VgaBench()
    with Qemu("-vga", "std") as qemu:
        for number, command in enumerate((*PLACED, *traffic.commands(random.Random(seed), count))):
            assert ours.answer(command) == answer_of(qemu, command), f"{number}: {command}"
        windows = [line for line in qemu.hmp("info mtree").split("\n") if "vga" in line]
    shown = write_mtree(Snapshot.of(ours.chipset.memory)).split("\n")
    assert {line.strip() for line in windows} == {each.strip() for each in shown if "vga" in each}


@pytest.mark.parametrize("seed", range(4))
def test_random_accesses_are_answered_as_by_qemu(seed: int) -> None:
    _assert_same(seed, 600)


@pytest.mark.long
@pytest.mark.timeout(900)
@pytest.mark.parametrize("seed", range(100, 120))
def test_many_random_accesses_are_answered_as_by_qemu(seed: int) -> None:
    _assert_same(seed, 5000)


def test_the_identity_of_the_display_is_qemus() -> None:
    ours = VgaBench()
    reads = [f"readb {traffic.MMIO_BAR + offset:#x}" for offset in range(0x180)]
    with Qemu("-vga", "std") as qemu:
        for command in PLACED:
            assert ours.answer(command) == answer_of(qemu, command)
        assert [ours.answer(each) for each in reads] == [answer_of(qemu, each) for each in reads]


def test_the_map_at_reset_is_qemus() -> None:
    snapshot = Snapshot.of(Pc(MachineConfig(vga="std")).system)
    with Qemu("-vga", "std") as qemu:
        assert blocks(write_mtree(snapshot)) == blocks(qemu.hmp("info mtree"))
        assert blocks(write_flat(snapshot)) == blocks(qemu.hmp("info mtree -f"))


@pytest.mark.parametrize("memory_map", range(4))
def test_the_window_of_each_memory_map_in_chain_4_is_qemus(memory_map: int) -> None:
    """Bits 2 and 3 of the graphics controller's register 6 say where it is, and how large."""
    ours = VgaBench()
    pairs = ((0x3C4, 2, 0xF), (0x3C4, 4, 0xE), (0x3CE, 6, memory_map << 2 | 1))
    chain_4 = [f"outb {port + at:#x} {pair[at]:#x}" for port, *pair in pairs for at in (0, 1)]
    with Qemu("-vga", "std") as qemu:
        for command in (*PLACED, *chain_4):
            assert ours.answer(command) == answer_of(qemu, command)
        theirs = {line.strip() for line in qemu.hmp("info mtree").split("\n") if "vga" in line}
    shown = write_mtree(Snapshot.of(ours.chipset.memory)).split("\n")
    assert theirs == {line.strip() for line in shown if "vga" in line}
    assert any("vga.chain4" in line for line in theirs)
