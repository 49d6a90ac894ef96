"""The balloon beside QEMU's: the same answers to random accesses, the same map and tree."""

from __future__ import annotations

import random

import pytest

from guestmap.hw.virtio.balloon import VirtioBalloon
from guestmap.inspect import Snapshot
from guestmap.inspect.text.mtree import write_flat, write_mtree
from guestmap.machine import Pc
from guestmap.machine.options.command_line import config_of
from tests.hw.virtio.traffic import PLACED, commands
from tests.machine.tree.test_composition_qemu import assert_same_tree
from tests.support.chipset import Chipset
from tests.support.mtree_text import blocks
from tests.support.qemu import MACHINE, Qemu

pytestmark = [pytest.mark.qemu_7_2("its balloon"), pytest.mark.qemu, pytest.mark.seabios]

_WORDS = ("-m", "128M", "-device", "virtio-balloon-pci,addr=4")
_SIZES = {"b": 1, "w": 2, "l": 4}


class Beside(Chipset):
    """A balloon of ours, which takes the lines of the qtest protocol."""

    def __init__(self) -> None:
        super().__init__()
        self.balloon = VirtioBalloon(self.bus, 4 << 3)
        self.balloon.ram = lambda: 128 << 20
        self.balloon.memory = self.system
        self.bus.machine_done()

    def answer(self, command: str) -> int | None:
        word, where, *rest = command.split()
        space = self.io if word.startswith(("in", "out")) else self.system
        if word == "write":
            space.write(int(where, 0), bytes.fromhex(rest[1][2:]))
        elif word == "memset":
            space.write(int(where, 0), bytes(int(rest[0], 0)))
        elif word.startswith(("in", "read")):
            return space.load(int(where, 0), _SIZES[word[-1]])
        else:
            space.store(int(where, 0), _SIZES[word[-1]], int(rest[0], 0))
        return None


def _assert_same(seed: int, count: int) -> None:
    ours = Beside()
    done = [*PLACED, *commands(random.Random(seed), count)]
    with Qemu(*_WORDS) as qemu:
        replies = qemu.qtest_many(done)
        told = qemu.qmp("query-balloon")
    for number, (command, reply) in enumerate(zip(done, replies, strict=True)):
        found = ours.answer(command)
        if found is not None:
            assert found == int(reply, 0), (number, done[max(0, number - 40) : number + 1])
    assert told == {"actual": ours.balloon.left}


def test_random_accesses_are_answered_as_by_qemu() -> None:
    _assert_same(1, 300)


@pytest.mark.long
@pytest.mark.timeout(900)
@pytest.mark.parametrize("seed", range(100, 120))
def test_many_random_accesses_are_answered_as_by_qemu(seed: int) -> None:
    _assert_same(seed, 3000)


def test_map_and_tree_at_reset_are_qemus() -> None:
    board = Pc(config_of([*MACHINE, "-global", "apic-common.vapic=off", *_WORDS]))
    snapshot = Snapshot.of(board.system)
    with Qemu(*_WORDS) as qemu:
        assert blocks(write_mtree(snapshot)) == blocks(qemu.hmp("info mtree"))
        assert blocks(write_flat(snapshot)) == blocks(qemu.hmp("info mtree -f"))
        assert_same_tree(board.tree, qemu)
