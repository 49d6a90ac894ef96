"""Transactions: many mutations show at once, or not at all."""

from __future__ import annotations

import pytest

from guestmap.base import ConfigError, ManualClock, StateError
from guestmap.memory import MemoryRegion, MemoryRegionOps, MemorySystem
from guestmap.memory.map import CommitRecord
from guestmap.testing import RecordingListener
from tests.memory.invariants import check_everything

OPS = MemoryRegionOps()


class WrongError(Exception):
    """What goes wrong in the blocks below."""


@pytest.fixture
def root(memory: MemorySystem) -> MemoryRegion:
    """A container with devices at 0, 1000h and 2000h."""
    root = memory.container("root", 1 << 64)
    for number in range(3):
        root.add_subregion(number * 0x1000, memory.io(f"io{number}", 0x100, OPS))
    return root


def by_name(root: MemoryRegion) -> dict[str, MemoryRegion]:
    return {region.name: region for region in root.subregions}


def test_nothing_shows_before_the_outermost_end(memory: MemorySystem, root: MemoryRegion) -> None:
    space = memory.address_space("space", root)
    view, devices = space.view, by_name(root)
    with memory.transaction():
        devices["io0"].set_enabled(False)
        with memory.transaction():
            devices["io1"].set_address(0x8000)
        assert space.view is view
        assert devices["io1"].addr == 0x8000  # the tree itself changes at once
    assert [r.start for r in space.view] == [0x2000, 0x8000]
    assert [r.start for r in view] == [0, 0x1000, 0x2000]  # a kept view stays as it is


def test_a_commit_is_recorded_with_its_cause_and_ranges(root: MemoryRegion) -> None:
    clock = ManualClock(5)
    memory = MemorySystem(now_ns=clock.now_ns)
    box = memory.container("box", 0x10000)
    io = memory.io("io", 0x100, OPS)
    box.add_subregion(0x4000, memory.io("other", 0x10, OPS))
    box.add_subregion(0, io)
    memory.address_space("space", box)
    assert memory.generation == 1
    told: list[CommitRecord] = []
    memory.subscribe(told.append)
    clock.advance(7)
    with memory.transaction("BAR 0 <- 8000h"), memory.transaction("inner cause"):
        io.set_address(0x8000)
    (record,) = told
    assert record == memory.history[-1]
    assert (record.generation, record.cause, record.time_ns) == (2, "BAR 0 <- 8000h", 12)
    (change,) = record.changes
    assert change.root == "box"
    assert [(r.start, r.region.name) for r in change.removed] == [(0, "io")]
    assert [(r.start, r.region.name) for r in change.added] == [(0x8000, "io")]
    assert memory.address_spaces[0].view.generation == 2
    memory.unsubscribe(told.append)
    io.set_address(0)
    assert len(told) == 1
    assert memory.history[-1].cause == ""


def test_history_keeps_the_last_commits_only(memory: MemorySystem, root: MemoryRegion) -> None:
    memory.address_space("space", root)
    device = root.subregions[0]
    for number in range(300):
        device.set_address(0x10000 + number * 0x1000)
    assert len(memory.history) == 256
    assert memory.history[-1].generation == memory.generation == 301
    assert memory.history[0].generation == 46


def test_a_no_op_publishes_nothing(memory: MemorySystem, root: MemoryRegion) -> None:
    space = memory.address_space("space", root)
    view, generation = space.view, memory.generation
    device, loose = root.subregions[0], memory.container("loose", 0x100)
    with memory.transaction("nothing"):
        pass
    with memory.transaction():
        device.set_address(0x7000)
        device.set_address(0x2000)
        root.add_subregion(0x9000, loose)
    device.set_enabled(True)
    device.set_size(device.size)
    device.set_address(device.addr)
    loose.set_readonly(True)
    root.set_size((1 << 64) - 1)
    memory.address_space("second", root)
    assert space.view is view
    assert memory.generation == generation


def test_a_block_that_raises_is_undone(memory: MemorySystem, root: MemoryRegion) -> None:
    space = memory.address_space("space", root)
    listener = RecordingListener()
    space.register_listener(listener)
    listener.trace.clear()
    view, generation, children = space.view, memory.generation, root.subregions
    alias = memory.alias("alias", root, 0, 0x10)
    with pytest.raises(WrongError), memory.transaction("in vain"):  # noqa: PT012  (the block)
        root.add_subregion(0x9000, alias, 3)
        alias.set_alias_offset(0x20)
        children[0].set_address(0x4000)
        children[1].set_size(0x40)
        root.del_subregion(children[2])
        new = memory.address_space("new", alias)
        memory.remove_address_space(space)
        raise WrongError
    assert space.view is view
    assert root.subregions == children
    assert [(c.addr, c.size) for c in children] == [(0x2000, 0x100), (0x1000, 0x100), (0, 0x100)]
    assert (alias.container, alias.addr, alias.priority, alias.alias_offset) == (None, 0, 0, 0)
    assert memory.address_spaces == (space,)
    assert not listener.trace
    assert memory.generation == generation
    assert len(new.view) == 0
    check_everything(memory, [root, alias, *children])
    children[0].set_size(0x10)
    assert memory.history[-1].cause == ""
    listener.assert_shows(space)


def test_an_inner_block_is_undone_alone(memory: MemorySystem, root: MemoryRegion) -> None:
    space = memory.address_space("space", root)
    devices = by_name(root)
    with memory.transaction():
        devices["io0"].set_address(0x5000)
        with pytest.raises(WrongError), memory.transaction("inner"):  # noqa: PT012  (the block)
            devices["io0"].set_address(0x6000)
            devices["io1"].set_enabled(False)
            with memory.transaction():
                root.del_subregion(devices["io2"])
            raise WrongError
        devices["io2"].set_address(0x7000)
    assert [(r.start, r.region.name) for r in space.view] == [
        (0x1000, "io1"),
        (0x5000, "io0"),
        (0x7000, "io2"),
    ]
    assert memory.history[-1].cause == ""  # the cause went with the block that gave it
    check_everything(memory, [root, *devices.values()])


def test_a_refused_mutation_leaves_an_open_transaction_usable(
    memory: MemorySystem, root: MemoryRegion
) -> None:
    space = memory.address_space("space", root)
    devices = by_name(root)
    with memory.transaction():
        devices["io0"].set_enabled(False)
        with pytest.raises(ConfigError):
            root.add_subregion(0, root)
        devices["io1"].set_enabled(False)
    assert [r.region.name for r in space.view] == ["io2"]


def test_an_address_space_shows_something_from_the_commit_on(
    memory: MemorySystem, root: MemoryRegion
) -> None:
    first = memory.address_space("first", root)
    with memory.transaction():
        second = memory.address_space("second", root)
        listener = RecordingListener()
        second.register_listener(listener)
        assert len(second.view) == 0
    assert second.view is first.view
    listener.assert_shows(second)
    with memory.transaction():
        gone = memory.address_space("gone", root)
        memory.remove_address_space(gone)
        assert memory.address_spaces == (first, second)
    assert memory.address_spaces == (first, second)
    check_everything(memory, [root, *root.subregions])


def test_subscribers_are_all_told_whatever_one_of_them_raises(
    memory: MemorySystem, root: MemoryRegion
) -> None:
    space = memory.address_space("space", root)
    told: list[int] = []

    def fails(record: CommitRecord) -> None:
        raise WrongError

    memory.subscribe(fails)
    memory.subscribe(lambda record: told.append(record.generation))
    with pytest.raises(WrongError):
        root.subregions[0].set_enabled(False)
    assert told == [memory.generation]
    assert len(space.view) == 2  # published all the same
    memory.unsubscribe(fails)
    root.subregions[0].set_enabled(True)
    assert len(told) == 2


def test_a_subscriber_must_not_change_the_tree(memory: MemorySystem, root: MemoryRegion) -> None:
    memory.address_space("space", root)
    memory.subscribe(lambda _record: root.set_enabled(False))
    with pytest.raises(StateError, match="must not change"):
        root.subregions[0].set_enabled(False)
    assert root.enabled


def test_two_machines_never_meet(memory: MemorySystem, root: MemoryRegion) -> None:
    other = MemorySystem()
    box = other.container("box", 0x100)
    box.add_subregion(0, other.io("io", 0x10, OPS))
    space = other.address_space("space", box)
    with memory.transaction():
        box.subregions[0].set_size(0x20)
        assert space.view.ranges[0].size == 0x20
    assert memory.generation == 0
