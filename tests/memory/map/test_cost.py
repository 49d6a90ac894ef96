"""A commit costs what the change costs, not what the map costs: counted, not timed.

Counted are executed lines of Python, so that a loop over everything shows wherever it hides.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import cache
from types import FrameType
from typing import Any

import pytest

from guestmap.memory import MemoryRegion, MemoryRegionOps, MemorySystem
from guestmap.memory.map.children import Children
from guestmap.memory.map.flat_range import FlatRange
from guestmap.memory.map.flatview import CHUNK
from guestmap.testing import RecordingListener

OPS = MemoryRegionOps()
FEW, MANY = 100, 10_000
TOP = 1 << 64


class Machine:
    """Devices in a PCI hole, each with a bus-master address space of its own if asked for."""

    def __init__(self, devices: int, *, masters: bool = False, together: bool = True) -> None:
        self.memory = memory = MemorySystem()
        self.system = memory.container("system", TOP)
        self.pci = memory.container("pci", TOP)
        self.system.add_subregion(0, memory.ram("ram", 0x1000, backed=False), 1)
        self.system.add_subregion(0, self.pci)
        self.space = memory.address_space("memory", self.system)
        self.devices: list[MemoryRegion] = []
        self.windows: list[MemoryRegion] = []
        if together:
            with memory.transaction():
                self.add(devices, masters)
        else:
            self.add(devices, masters)

    def add(self, devices: int, masters: bool) -> None:
        for number in range(devices):
            device = self.memory.io(f"bar {number}", 0x1000, OPS)
            self.pci.add_subregion(0x100000 + 0x2000 * number, device, 1)
            self.devices.append(device)
            if masters:
                self.add_master()

    def some(self, number: int) -> MemoryRegion:
        """Return a device from the middle."""
        return self.devices[len(self.devices) // 2 + 4 * number]

    def add_master(self) -> None:
        box = self.memory.container("bus master container", TOP)
        window = self.memory.alias("bus master", self.system, 0, TOP)
        box.add_subregion(0, window)
        self.memory.address_space("master", box)
        self.windows.append(window)


def lines_of(act: Callable[[], object]) -> int:
    """Return how many lines of Python an action executes."""
    count = 0

    def trace(frame: FrameType, event: str, arg: object) -> Any:
        nonlocal count
        count += event == "line"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        act()
    finally:
        sys.settrace(before)
    return count


def move_a_bar(machine: Machine, number: int = 0) -> Callable[[], None]:
    device = machine.some(number)
    return lambda: device.set_address(device.addr + 0x1000)


ACTIONS: dict[str, Callable[[Machine], Callable[[], object]]] = {
    "a BAR moves": move_a_bar,
    "a BAR is switched off": lambda m: lambda: m.some(1).set_enabled(False),
    "a BAR grows": lambda m: lambda: m.some(2).set_size(0x2000),
    "a device goes": lambda m: lambda: m.pci.del_subregion(m.some(3)),
    "a device comes": lambda m: lambda: m.add(1, masters=False),
    "RAM becomes ROM": lambda m: lambda: m.system.subregions[0].set_readonly(True),
    "nothing changes": lambda m: lambda: m.some(4).set_unmergeable(False),
    "a bus master is switched off": lambda m: lambda: m.windows[5].set_enabled(False),
    "a bus master comes": lambda m: m.add_master,
}
"""Each at a device of its own: the machines are the same ones."""


@pytest.fixture(scope="module")
def machine_of() -> Callable[[int, bool], Machine]:
    """Return who makes machines, each kind once."""
    return cache(lambda devices, masters: Machine(devices, masters=masters))


@pytest.mark.parametrize("action", ACTIONS)
def test_a_change_costs_the_same_in_a_large_machine(
    action: str, machine_of: Callable[[int, bool], Machine]
) -> None:
    prepare = ACTIONS[action]
    masters = "bus master" in action
    few = lines_of(prepare(machine_of(FEW, masters)))
    many = lines_of(prepare(machine_of(MANY, masters)))
    assert many <= 1.5 * few + 4 * CHUNK


def test_bus_masters_add_nothing_to_a_move() -> None:
    alone = lines_of(move_a_bar(Machine(FEW)))
    among = lines_of(move_a_bar(Machine(FEW, masters=True)))
    assert among <= alone + 10


def test_a_move_visits_the_way_down_and_what_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    machine = Machine(MANY)
    visited: list[str] = []
    made = 0
    within, init = Children.within, FlatRange.__init__

    def counting_within(self: Children, start: int, end: int) -> list[MemoryRegion]:
        found = within(self, start, end)
        visited.extend(region.name for region in found)
        return found

    def counting_init(self: FlatRange, *args: Any) -> None:
        nonlocal made
        made += 1
        init(self, *args)

    monkeypatch.setattr(Children, "within", counting_within)
    monkeypatch.setattr(FlatRange, "__init__", counting_init)
    machine.devices[5000].set_address(0x100000 + 0x2000 * 5000 + 0x1000)
    assert set(visited) == {"pci", "bar 5000"}
    assert len(visited) <= 4
    assert made <= 4


def test_a_listener_hears_of_a_move_alone() -> None:
    machine = Machine(1000)
    listener = RecordingListener()
    machine.space.register_listener(listener)
    listener.trace.clear()
    move_a_bar(machine)()
    assert [e.call for e in listener.trace] == ["begin", "region_del", "region_add", "commit"]


def test_address_spaces_that_share_a_view_are_rendered_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    machine = Machine(10, masters=False)
    for _ in range(MANY):
        machine.add_master()
    assert all(space.view is machine.space.view for space in machine.memory.address_spaces)
    rendered: list[MemoryRegion | None] = []
    view_root = sys.modules["guestmap.memory.map.view_root"]
    render = view_root.render

    def counting(root: MemoryRegion | None, start: int, end: int) -> list[FlatRange]:
        rendered.append(root)
        return render(root, start, end)  # type: ignore[no-any-return]

    monkeypatch.setattr(view_root, "render", counting)
    move_a_bar(machine)()
    assert rendered == [machine.system]
    assert all(space.view is machine.space.view for space in machine.memory.address_spaces)


def test_building_one_by_one_costs_each_time_the_same() -> None:
    machine = Machine(0)
    first = lines_of(lambda: machine.add(200, masters=True))
    machine.add(3000, masters=True)
    last = lines_of(lambda: machine.add(200, masters=True))
    assert last <= 1.5 * first


def test_many_scattered_changes_in_one_transaction_cost_what_they_are() -> None:
    def scattered(machine: Machine) -> Callable[[], None]:
        def change() -> None:
            with machine.memory.transaction():
                for device in machine.devices[:: len(machine.devices) // 100]:
                    device.set_enabled(False)

        return change

    few, many = (lines_of(scattered(Machine(n))) for n in (200, MANY))
    assert many <= 1.5 * few
