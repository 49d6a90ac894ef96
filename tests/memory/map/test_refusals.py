"""An engine that refuses (the host has no room): everything is as it was, for everybody."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from guestmap.base import HostError, StateError
from guestmap.memory import MemoryRegionOps, MemoryRegionSection, MemorySystem
from guestmap.memory.map import CommitRecord
from guestmap.testing import NopRecordingListener, RecordingListener
from tests.memory.invariants import check_everything

OPS = MemoryRegionOps()


class Counter:
    """Counts callbacks of several engines, and says which one is to fail."""

    def __init__(self) -> None:
        self.calls = 0
        self.fail_at: int | None = None

    def count(self) -> None:
        self.calls += 1
        if self.calls == self.fail_at:
            raise HostError("KVM has no more slots", errno=28, call="ioctl")


class Engine(RecordingListener):
    """A recorder that counts; a callback that fails has done nothing, commit apart."""

    def __init__(self, name: str, priority: int, counter: Counter) -> None:
        super().__init__(name, priority)
        self.counter = counter

    def begin(self) -> None:
        self.counter.count()
        super().begin()

    def commit(self) -> None:
        super().commit()
        self.counter.count()

    def region_add(self, section: MemoryRegionSection) -> None:
        self.counter.count()
        super().region_add(section)

    def region_del(self, section: MemoryRegionSection) -> None:
        self.counter.count()
        super().region_del(section)

    def log_start(self, section: MemoryRegionSection, old: int, new: int) -> None:
        self.counter.count()
        super().log_start(section, old, new)

    def log_stop(self, section: MemoryRegionSection, old: int, new: int) -> None:
        self.counter.count()
        super().log_stop(section, old, new)


class Machine:
    """Two address spaces, a third one that is rerouted, and three engines."""

    def __init__(self) -> None:
        self.memory = memory = MemorySystem()
        self.root = memory.container("root", 1 << 64)
        self.ram = memory.ram("ram", 0x1000, backed=False)
        self.vram = memory.ram("vram", 0x1000, backed=False)
        self.flash = memory.rom_device("flash", 0x1000, OPS, backed=False)
        self.bar = memory.io("bar", 0x100, OPS)
        places = ((0, self.ram), (0x2000, self.vram), (0x4000, self.flash), (0x8000, self.bar))
        for at, region in places:
            self.root.add_subregion(at, region)
        self.bus = memory.container("bus", 1 << 64)
        self.master = memory.alias("master", self.root, 0, 1 << 64)
        self.bus.add_subregion(0, self.master)
        self.spare = memory.io("spare", 0x10, OPS)
        self.spaces = [
            memory.address_space("memory", self.root),
            memory.address_space("bus master", self.bus),
            memory.address_space("bar alone", self.bar),
        ]
        self.counter = Counter()
        self.engines = [
            Engine("accel", 10, self.counter),
            Engine("bus", 0, self.counter),
            Engine("alone", 5, self.counter),
        ]
        for space, engine in zip(self.spaces, self.engines, strict=True):
            space.register_listener(engine)
        self.spaces[0].register_listener(NopRecordingListener("recorder", 10))
        self.set_log(self.vram, 0b01)

    def set_log(self, region: object, mask: int) -> None:
        self.memory.topology.assign(region, "dirty_log_mask", mask)  # type: ignore[arg-type]

    def change(self) -> None:
        """Mutate in every way at once."""
        with self.memory.transaction("everything"):
            self.bar.set_address(0x9000)
            self.flash.set_romd_mode(False)
            self.root.add_subregion(0x6000, self.spare)
            self.ram.set_readonly(True)
            self.set_log(self.vram, 0b10)
            self.master.set_enabled(False)
            self.memory.remove_address_space(self.spaces[2])
            self.memory.address_space("new", self.root)

    def tree(self) -> list[object]:
        return [
            (r.addr, r.size, r.enabled, r.readonly, r.romd_mode, r.dirty_log_mask, r.container)
            for r in self.regions
        ] + [self.root.subregions, self.bus.subregions]

    @property
    def regions(self) -> list:  # type: ignore[type-arg]
        return [
            self.root, self.ram, self.vram, self.flash, self.bar, self.bus, self.master, self.spare,
        ]  # fmt: skip

    def check(self) -> None:
        check_everything(self.memory, self.regions)
        for space, engine in zip(self.spaces, self.engines, strict=True):
            if space in self.memory.address_spaces:
                engine.assert_shows(space)


def count_calls() -> int:
    machine = Machine()
    machine.counter.calls = 0
    machine.change()
    machine.check()
    return machine.counter.calls


ALL_CALLS = count_calls()


def test_the_change_tells_something_of_everything() -> None:
    machine = Machine()
    for engine in machine.engines:
        engine.trace.clear()
    machine.change()
    calls = {event.call for engine in machine.engines for event in engine.trace}
    assert calls == {"begin", "region_del", "region_add", "log_start", "log_stop", "commit"}
    assert machine.counter.calls > 20


@pytest.mark.parametrize("fail_at", range(1, ALL_CALLS + 1))
def test_a_refusal_at_any_callback_leaves_everything_as_it_was(fail_at: int) -> None:
    machine = Machine()
    before, spaces = machine.tree(), machine.memory.address_spaces
    views = [space.view for space in spaces]
    generation, history = machine.memory.generation, machine.memory.history
    records: list[CommitRecord] = []
    machine.memory.subscribe(records.append)
    machine.counter.calls, machine.counter.fail_at = 0, fail_at
    with pytest.raises(HostError, match="KVM has no more slots: No space left on device") as caught:
        machine.change()
    assert not getattr(caught.value, "__notes__", [])
    assert machine.tree() == before
    assert machine.memory.address_spaces == spaces
    assert all(now.view is view for now, view in zip(spaces, views, strict=True))
    assert (machine.memory.generation, machine.memory.history) == (generation, history)
    assert records == []
    machine.check()
    machine.change()  # everything still works
    machine.check()
    assert machine.memory.generation == generation + 1


@pytest.mark.parametrize("fail_at", range(1, ALL_CALLS + 1))
def test_a_second_refusal_while_taking_back_keeps_nobody_else_from_being_told(fail_at: int) -> None:
    machine = Machine()
    broken = machine.engines[0]
    others = machine.engines[1:]
    machine.counter.calls, machine.counter.fail_at = 0, fail_at
    count = machine.counter.count

    def count_and_break() -> None:
        count()
        if machine.counter.calls > fail_at and machine.counter is broken.counter:
            raise HostError("still no slots")

    broken.counter = Counter()
    broken.counter.count = count_and_break  # type: ignore[method-assign]
    broken.counter.fail_at = None
    with pytest.raises(HostError, match="KVM has no more slots"):
        machine.change()
    for space, engine in zip(machine.spaces[1:], others, strict=True):
        engine.assert_shows(space)
    check_everything(machine.memory, machine.regions)


class Stubborn(RecordingListener):
    """Refuses every commit once it is told to."""

    stubborn = False

    def commit(self) -> None:
        super().commit()
        if self.stubborn:
            raise HostError("no")


def test_what_goes_wrong_while_taking_back_is_noted_on_the_error() -> None:
    machine = Machine()
    stubborn = Stubborn("stubborn", 20)
    machine.spaces[0].register_listener(stubborn)
    stubborn.stubborn = True
    with pytest.raises(HostError, match=r"^no") as caught:
        machine.bar.set_address(0xA000)
    assert caught.value.__notes__ == [
        "taking the change back, a listener raised HostError('no')",
    ]
    assert machine.bar.addr == 0x8000
    machine.check()


@pytest.mark.parametrize("fail_at", range(1, 8))
def test_a_listener_that_fails_while_it_registers_is_not_registered(fail_at: int) -> None:
    machine = Machine()
    counter = Counter()
    late = Engine("late", 0, counter)
    counter.fail_at = fail_at
    with pytest.raises(HostError, match="no more slots"):
        machine.spaces[0].register_listener(late)
    assert not late.sections
    assert not late.problems
    late.trace.clear()
    machine.bar.set_enabled(False)
    assert not late.trace
    counter.fail_at = None
    machine.spaces[0].register_listener(late)
    late.assert_shows(machine.spaces[0])


def test_a_listener_that_fails_while_it_leaves_is_gone() -> None:
    machine = Machine()
    engine = machine.engines[0]
    machine.counter.calls, machine.counter.fail_at = 0, 2
    with pytest.raises(HostError, match="no more slots"):
        machine.spaces[0].unregister_listener(engine)
    with pytest.raises(StateError, match="not registered"):
        machine.spaces[0].unregister_listener(engine)
    engine.trace.clear()
    machine.bar.set_enabled(False)
    assert not engine.trace


def test_an_interrupt_in_a_callback_is_a_refusal_too() -> None:
    machine = Machine()

    class Interrupted(RecordingListener):
        def region_add(self, section: MemoryRegionSection) -> None:
            if section.offset_within_address_space == 0xA000:
                raise KeyboardInterrupt
            super().region_add(section)

    machine.spaces[0].register_listener(Interrupted("interrupted", 5))
    with pytest.raises(KeyboardInterrupt):
        machine.bar.set_address(0xA000)
    assert machine.bar.addr == 0x8000
    machine.check()


class Careful(RecordingListener):
    """Knows beforehand that it has room for so many sections."""

    def __init__(self, name: str, room: int) -> None:
        super().__init__(name)
        self.room = room
        self.asked: list[tuple[list[str], list[str]]] = []

    def check(
        self, going: Sequence[MemoryRegionSection], coming: Sequence[MemoryRegionSection]
    ) -> None:
        self.asked.append(([x.region.name for x in going], [x.region.name for x in coming]))
        if len(self.sections) - len(going) + len(coming) > self.room:
            raise HostError("no room for one more slot")


def test_what_is_refused_beforehand_is_told_to_nobody() -> None:
    memory = MemorySystem()
    root = memory.container("root", 1 << 64)
    space = memory.address_space("memory", root)
    other, careful = RecordingListener("other"), Careful("careful", 2)
    for listener in (other, careful):
        space.register_listener(listener)
    first, second = (memory.io(name, 0x100, OPS) for name in ("first", "second"))
    root.add_subregion(0, first)
    root.add_subregion(0x1000, second)
    other.trace.clear()
    with pytest.raises(HostError, match="no room"):
        root.add_subregion(0x80, memory.io("middle", 0x10, OPS), priority=1)  # makes three of one
    assert not other.trace
    assert [each.region.name for each in space.view] == ["first", "second"]
    with memory.transaction():
        root.del_subregion(second)
        first.set_address(0x1000)
    assert careful.asked == [
        ([], ["first"]),
        ([], ["second"]),
        (["first"], ["first", "middle", "first"]),
        (["first", "second"], ["first"]),
    ]
    careful.assert_shows(space)
    check_everything(memory, [root, first, second])


def test_a_listener_that_cannot_follow_what_shows_already_is_not_registered() -> None:
    memory = MemorySystem()
    root = memory.container("root", 1 << 64)
    space = memory.address_space("memory", root)
    root.add_subregion(0, memory.io("device", 0x100, OPS))
    careful = Careful("careful", 0)
    with pytest.raises(HostError, match="no room"):
        space.register_listener(careful)
    assert not careful.trace
    assert careful not in space.listeners
