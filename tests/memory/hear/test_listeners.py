"""Who is told what, when, and in which order (QEMU include/exec/memory.h, MemoryListener)."""

from __future__ import annotations

import pytest

from guestmap.base import StateError
from guestmap.memory import (
    AddressSpace,
    MemoryListener,
    MemoryRegion,
    MemoryRegionOps,
    MemoryRegionSection,
    MemorySystem,
)
from guestmap.memory.ram import DirtyClient
from guestmap.testing import ListenerEvent, NopRecordingListener, RecordingListener

OPS = MemoryRegionOps()
VGA = DirtyClient.VGA.mask


class Machine:
    """RAM, and two devices at 4000h and 5000h."""

    def __init__(self) -> None:
        self.memory = MemorySystem()
        self.root = self.memory.container("root", 1 << 64)
        self.ram = self.memory.ram("ram", 0x1000, backed=False)
        self.a = self.memory.io("a", 0x100, OPS)
        self.b = self.memory.io("b", 0x100, OPS)
        for at, region in ((0, self.ram), (0x4000, self.a), (0x5000, self.b)):
            self.root.add_subregion(at, region)
        self.space = self.memory.address_space("space", self.root)

    def second_space(self) -> AddressSpace:
        other = self.memory.container("other", 1 << 64)
        other.add_subregion(0, self.memory.io("c", 1, OPS))
        other.add_subregion(8, self.memory.alias("to a", self.a, 0, 0x10))
        return self.memory.address_space("second", other)

    def set_log(self, region: MemoryRegion, mask: int) -> None:
        self.memory.topology.assign(region, "dirty_log_mask", mask)


@pytest.fixture
def machine() -> Machine:
    return Machine()


class Ordered(MemoryListener):
    """Notes its name with each callback, in a list that several share."""

    def __init__(self, name: str, priority: int, calls: list[str]) -> None:
        self.name, self.priority, self.calls = name, priority, calls

    def begin(self) -> None:
        self.calls.append(f"begin {self.name}")

    def commit(self) -> None:
        self.calls.append(f"commit {self.name}")

    def region_add(self, section: MemoryRegionSection) -> None:
        self.calls.append(f"add {section.region.name} {self.name}")

    def region_del(self, section: MemoryRegionSection) -> None:
        self.calls.append(f"del {section.region.name} {self.name}")

    def region_nop(self, section: MemoryRegionSection) -> None:
        self.calls.append(f"nop {section.region.name} {self.name}")

    def log_start(self, section: MemoryRegionSection, old: int, new: int) -> None:
        self.calls.append(f"start {section.region.name} {self.name}")

    def log_stop(self, section: MemoryRegionSection, old: int, new: int) -> None:
        self.calls.append(f"stop {section.region.name} {self.name}")


def test_registering_tells_the_whole_view_and_unregistering_takes_it_back(machine: Machine) -> None:
    listener = RecordingListener()
    machine.space.register_listener(listener)
    assert listener.trace == [
        ListenerEvent("begin"),
        ListenerEvent("region_add", 0, 0x1000, "ram"),
        ListenerEvent("region_add", 0x4000, 0x4100, "a"),
        ListenerEvent("region_add", 0x5000, 0x5100, "b"),
        ListenerEvent("commit"),
    ]
    listener.trace.clear()
    machine.space.unregister_listener(listener)
    assert [event.call for event in listener.trace] == ["begin", *["region_del"] * 3, "commit"]
    assert not listener.sections
    listener.trace.clear()
    machine.a.set_enabled(False)
    assert not listener.trace


def test_all_that_goes_is_told_before_anything_that_comes(machine: Machine) -> None:
    listener = RecordingListener()
    machine.space.register_listener(listener)
    listener.trace.clear()
    with machine.memory.transaction():
        machine.a.set_address(0x6000)
        machine.b.set_address(0x3000)
        machine.ram.set_readonly(True)
    assert listener.calls() == [
        ("begin", 0, ""),
        ("region_del", 0, "ram"),
        ("region_del", 0x4000, "a"),
        ("region_del", 0x5000, "b"),
        ("region_add", 0, "ram"),
        ("region_add", 0x3000, "b"),
        ("region_add", 0x6000, "a"),
        ("commit", 0, ""),
    ]
    listener.assert_shows(machine.space)


def test_adding_goes_up_the_priorities_and_removing_down(machine: Machine) -> None:
    calls: list[str] = []
    for name, priority in (("high", 10), ("low", 0), ("high too", 10)):
        machine.space.register_listener(Ordered(name, priority, calls))
    calls.clear()
    machine.a.set_address(0x8000)
    nops = [f"nop {r} {n}" for r in ("ram", "b") for n in ("low", "high", "high too")]
    assert calls == [
        "begin low", "begin high", "begin high too",
        "del a high too", "del a high", "del a low",
        *nops,
        "add a low", "add a high", "add a high too",
        "commit low", "commit high", "commit high too",
    ]  # fmt: skip


def test_address_spaces_are_told_one_after_the_other_the_oldest_first(machine: Machine) -> None:
    calls: list[str] = []
    second = machine.second_space()
    second.register_listener(Ordered("2", 0, calls))
    machine.space.register_listener(Ordered("1", 5, calls))
    calls.clear()
    machine.a.set_size(8)
    assert [c for c in calls if not c.startswith("nop")] == [
        "begin 2", "begin 1", "del a 1", "add a 1", "del a 2", "add a 2", "commit 2", "commit 1",
    ]  # fmt: skip


def test_listeners_elsewhere_hear_that_a_round_begins_and_ends(machine: Machine) -> None:
    listener = RecordingListener()
    machine.second_space().register_listener(listener)
    listener.trace.clear()
    machine.b.set_enabled(False)
    assert listener.trace == [ListenerEvent("begin"), ListenerEvent("commit")]


def test_a_change_that_shows_nowhere_is_told_to_nobody(machine: Machine) -> None:
    listener = RecordingListener()
    machine.space.register_listener(listener)
    listener.trace.clear()
    with machine.memory.transaction():
        machine.a.set_enabled(False)
        machine.a.set_enabled(True)
    machine.memory.container("loose", 1).set_readonly(True)
    assert not listener.trace


def test_what_stays_is_told_to_those_who_ask_for_it(machine: Machine) -> None:
    curious, plain = NopRecordingListener("curious"), RecordingListener("plain")
    machine.space.register_listener(curious)
    machine.space.register_listener(plain)
    for listener in (curious, plain):
        listener.trace.clear()
    machine.a.set_size(0x200)
    assert [c for c in curious.calls() if c not in plain.calls()] == [
        ("region_nop", 0, "ram"),
        ("region_nop", 0x5000, "b"),
    ]
    assert curious.calls()[2:5] == [
        ("region_nop", 0, "ram"),
        ("region_add", 0x4000, "a"),
        ("region_nop", 0x5000, "b"),
    ]


def test_sections_carry_the_view_before_the_change(machine: Machine) -> None:
    seen: list[tuple[str, bool, bool]] = []
    before = machine.space.view

    class Watcher(MemoryListener):
        def region_add(self, section: MemoryRegionSection) -> None:
            published = machine.space.view is before
            seen.append(("add", section.view is before, published))

        def region_del(self, section: MemoryRegionSection) -> None:
            published = machine.space.view is before
            seen.append(("del", section.view is before, published))

        def commit(self) -> None:
            seen.append(("commit", False, machine.space.view is before))

    machine.space.register_listener(Watcher())
    seen.clear()
    machine.a.set_address(0x7000)
    assert seen == [("del", True, True), ("add", True, True), ("commit", False, False)]


def test_a_section_says_all_about_its_part(machine: Machine) -> None:
    alias = machine.memory.alias("alias", machine.ram, 0x400, 0x200)
    alias.set_readonly(True)
    machine.ram.set_nonvolatile(True)
    machine.ram.set_unmergeable(True)
    listener = RecordingListener()
    machine.space.register_listener(listener)
    machine.root.add_subregion(0x9000, alias)
    section = listener.sections[0x9000]
    assert section == MemoryRegionSection(
        machine.ram, 0x400, 0x200, 0x9000, True, True, True, machine.space, section.view
    )


def test_logging_that_starts_and_stops_is_told_without_mapping_anew(machine: Machine) -> None:
    calls: list[str] = []
    for name, priority in (("low", 0), ("high", 10)):
        machine.space.register_listener(Ordered(name, priority, calls))
    calls.clear()
    machine.set_log(machine.ram, VGA)
    told = [c for c in calls if "ram" in c]
    assert told == ["nop ram low", "nop ram high", "start ram low", "start ram high"]
    calls.clear()
    machine.set_log(machine.ram, 0)
    told = [c for c in calls if "ram" in c]
    assert told == ["nop ram low", "nop ram high", "stop ram high", "stop ram low"]


def test_logging_callbacks_get_both_masks(machine: Machine) -> None:
    listener = RecordingListener()
    machine.space.register_listener(listener)
    machine.set_log(machine.ram, 0b101)
    machine.set_log(machine.ram, 0b011)
    assert [(e.call, e.masks) for e in listener.trace if e.call.startswith("log")] == [
        ("log_start", (0, 0b101)),
        ("log_start", (0b101, 0b011)),
        ("log_stop", (0b101, 0b011)),
    ]


def test_registering_tells_of_logging_that_goes_on(machine: Machine) -> None:
    machine.set_log(machine.ram, VGA)
    listener = RecordingListener()
    machine.space.register_listener(listener)
    machine.space.unregister_listener(listener)
    assert [(e.call, e.masks) for e in listener.trace if e.region == "ram"] == [
        ("region_add", (0, 0)),
        ("log_start", (0, VGA)),
        ("log_stop", (VGA, 0)),
        ("region_del", (0, 0)),
    ]


def test_a_region_that_is_new_starts_no_log(machine: Machine) -> None:
    """As in QEMU, a listener looks at the mask of what is added."""
    listener = RecordingListener()
    machine.space.register_listener(listener)
    machine.ram.set_enabled(False)
    machine.set_log(machine.ram, VGA)
    listener.trace.clear()
    machine.ram.set_enabled(True)
    assert [e.call for e in listener.trace] == ["begin", "region_add", "commit"]


def test_a_route_to_another_view_tells_the_difference(machine: Machine) -> None:
    bus = machine.memory.container("bus", 1 << 64)
    master = machine.memory.alias("master", machine.root, 0, 1 << 64)
    bus.add_subregion(0, master)
    master.set_enabled(False)
    space = machine.memory.address_space("bus master", bus)
    listener = RecordingListener()
    space.register_listener(listener)
    assert not listener.sections
    master.set_enabled(True)
    assert space.view is machine.space.view
    assert machine.memory.history[-1].rerouted == ("bus master",)
    listener.assert_shows(space)
    assert len(listener.sections) == 3
    listener.trace.clear()
    with machine.memory.transaction():
        bus.add_subregion(0x4000, machine.memory.io("msi", 0x100, OPS), 1)
    assert listener.calls()[1:-1] == [("region_del", 0x4000, "a"), ("region_add", 0x4000, "msi")]
    listener.assert_shows(space)


def test_an_address_space_that_goes_takes_its_listeners_along(machine: Machine) -> None:
    listener, other = RecordingListener(), RecordingListener("other")
    second = machine.second_space()
    second.register_listener(listener)
    machine.space.register_listener(other)
    listener.trace.clear()
    machine.memory.remove_address_space(second)
    assert [e.call for e in listener.trace] == ["begin", "region_del", "region_del", "commit"]
    assert machine.memory.address_spaces == (machine.space,)
    assert second.read(0, 4) == bytes(4)
    listener.trace.clear()
    machine.a.set_enabled(False)
    assert not listener.trace
    other.assert_shows(machine.space)
    with pytest.raises(StateError, match="'recorder' is not registered on 'second'"):
        second.unregister_listener(listener)
    with pytest.raises(StateError, match="'second' was removed"):
        second.register_listener(listener)
    with pytest.raises(StateError, match="'second' was removed before"):
        machine.memory.remove_address_space(second)


def test_a_new_address_space_is_no_news_for_others(machine: Machine) -> None:
    listener = RecordingListener()
    machine.space.register_listener(listener)
    listener.trace.clear()
    machine.memory.address_space("sharing", machine.root)
    machine.second_space()
    assert not listener.trace


def test_registering_twice_or_elsewhere_is_refused(machine: Machine) -> None:
    listener = RecordingListener()
    machine.space.register_listener(listener)
    for space in (machine.space, machine.second_space()):
        with pytest.raises(StateError, match="'recorder' is registered already"):
            space.register_listener(listener)
    with pytest.raises(StateError, match="'loose' is not registered on 'space'"):
        machine.space.unregister_listener(RecordingListener("loose"))


def test_a_callback_must_not_change_what_it_is_told_about(machine: Machine) -> None:
    memory, space = machine.memory, machine.space
    refused: list[str] = []

    class Meddler(MemoryListener):
        name = "meddler"

        def region_del(self, section: MemoryRegionSection) -> None:
            if refused:
                return
            attempts = (
                lambda: machine.b.set_enabled(False),
                lambda: memory.address_space("new", machine.root),
                lambda: memory.remove_address_space(space),
                lambda: space.register_listener(MemoryListener()),
                lambda: space.unregister_listener(self),
            )
            for attempt in attempts:
                with pytest.raises(StateError, match="must not change"):
                    attempt()
                refused.append(section.region.name)

    space.register_listener(Meddler())
    machine.a.set_enabled(False)
    assert refused == ["a"] * 5
    machine.b.set_enabled(False)  # and the lock is free again
    assert [r.region.name for r in space.view] == ["ram"]


def test_a_callback_may_read_the_memory(machine: Machine) -> None:
    ram = machine.memory.ram("backed", 0x1000)
    machine.root.add_subregion(0x10000, ram)
    machine.space.write(0x10000, b"data")
    read: list[bytes] = []

    class Reader(MemoryListener):
        def region_del(self, section: MemoryRegionSection) -> None:
            read.append(machine.space.read(0x10000, 4))

    machine.space.register_listener(Reader())
    machine.root.del_subregion(ram)
    assert read == [b"data"]
    assert machine.space.read(0x10000, 4) == bytes(4)


def test_a_listener_that_arrives_in_a_transaction_hears_the_rest(machine: Machine) -> None:
    listener = RecordingListener()
    with machine.memory.transaction():
        machine.a.set_enabled(False)
        machine.space.register_listener(listener)
        assert len(listener.sections) == 3  # what is published until now
        machine.b.set_enabled(False)
    assert [r.region.name for r in listener.sections.values()] == ["ram"]
    listener.assert_shows(machine.space)
