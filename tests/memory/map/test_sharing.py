"""Address spaces that show the same thing share one view (``memory_region_get_flatview_root``)."""

from __future__ import annotations

import pytest

from guestmap.memory import AddressSpace, MemoryRegion, MemoryRegionOps, MemorySystem
from tests.memory.invariants import check_everything

OPS = MemoryRegionOps()
TOP = 1 << 64


class Bus:
    """System memory, and a bus master: a container with an alias of all of it."""

    def __init__(self) -> None:
        self.memory = MemorySystem()
        self.system = self.memory.container("system", TOP)
        self.ram = self.memory.ram("ram", 0x1000, backed=False)
        self.dev = self.memory.io("dev", 0x100, OPS)
        self.system.add_subregion(0, self.ram)
        self.system.add_subregion(0x8000, self.dev)
        self.space = self.memory.address_space("memory", self.system)
        self.box = self.memory.container("bus master container", TOP)
        self.alias = self.memory.alias("bus master", self.system, 0, TOP)
        self.box.add_subregion(0, self.alias)
        self.master = self.memory.address_space("master", self.box)
        self.regions = [self.system, self.ram, self.dev, self.box, self.alias]

    def shares(self) -> bool:
        check_everything(self.memory, self.regions)
        return self.master.view is self.space.view


@pytest.fixture
def bus() -> Bus:
    return Bus()


def test_a_bus_master_that_sees_everything_shares_the_system_view(bus: Bus) -> None:
    assert bus.shares()
    bus.dev.set_address(0x9000)
    assert bus.shares()


def test_the_empty_view_is_shared_too(bus: Bus) -> None:
    bus.alias.set_enabled(False)
    assert not bus.shares()
    nothing = bus.memory.address_space("nothing", bus.memory.container("empty", TOP))
    bus.box.set_enabled(False)
    assert nothing.view is bus.master.view
    assert (nothing.view.root, len(nothing.view)) == (None, 0)
    bus.box.set_enabled(True)
    bus.alias.set_enabled(True)
    assert bus.shares()
    assert len(bus.master.view) == 2


def test_a_target_that_shrinks_in_the_transaction_that_makes_the_space(bus: Bus) -> None:
    small = bus.memory.alias("small", bus.system, 0, 0x9000)
    bus.regions.append(small)
    with bus.memory.transaction():
        space = bus.memory.address_space("small", small)
        bus.system.set_size(0x9000)
    assert space.view is bus.space.view
    assert bus.shares()


def test_an_alias_that_is_too_small_or_shifted_has_a_view_of_its_own(bus: Bus) -> None:
    bus.alias.set_size(TOP - 1)
    assert not bus.shares()
    assert bus.master.view.root is bus.alias
    bus.system.set_size(TOP - 1)
    assert bus.shares()
    bus.system.set_size(TOP)
    assert not bus.shares()
    bus.alias.set_size(TOP)
    assert bus.shares()
    bus.alias.set_alias_offset(0x800)
    assert not bus.shares()
    assert [r.start for r in bus.master.view] == [0, 0x7800]


def test_a_container_that_holds_more_or_elsewhere_has_a_view_of_its_own(bus: Bus) -> None:
    other = bus.memory.io("msi", 0x100, OPS)
    bus.regions.append(other)
    bus.box.add_subregion(0xFEE00000, other)
    assert not bus.shares()
    other.set_enabled(False)
    assert bus.shares()
    bus.alias.set_address(0x1000)
    assert not bus.shares()
    assert [r.start for r in bus.master.view] == [0x1000, 0x9000]
    bus.alias.set_address(0)
    bus.box.set_size(TOP - 1)
    assert not bus.shares()
    bus.box.set_size(TOP)
    assert bus.shares()
    bus.box.del_subregion(bus.alias)
    assert bus.master.view.root is None


def test_a_region_that_answers_itself_is_no_way_to_its_child(bus: Bus) -> None:
    io = bus.memory.io("io", TOP, OPS)
    alias = bus.memory.alias("all", bus.system, 0, TOP)
    io.add_subregion(0, alias)
    space = bus.memory.address_space("io", io)
    assert space.view.root is io
    assert space.view is not bus.space.view


def test_aliases_of_aliases_lead_on(bus: Bus) -> None:
    outer = bus.memory.alias("outer", bus.box, 0, TOP)
    space = bus.memory.address_space("outer", outer)
    assert space.view is bus.space.view
    bus.alias.set_enabled(False)
    assert len(space.view) == 0
    assert space.view is bus.master.view


def test_a_system_of_one_region_shares_that_regions_view(memory: MemorySystem) -> None:
    root = memory.container("root", TOP)
    ram = memory.ram("ram", 0x1000, backed=False)
    root.add_subregion(0, ram)
    space = memory.address_space("space", root)
    direct = memory.address_space("direct", ram)
    assert space.view is direct.view
    assert space.view.root is ram


def test_two_spaces_may_swap_what_they_show(memory: MemorySystem) -> None:
    systems = [memory.container(f"system {n}", TOP) for n in range(2)]
    spaces: list[AddressSpace] = []
    windows: list[list[MemoryRegion]] = []
    for number, system in enumerate(systems):
        for at in (0, 0x1000):
            system.add_subregion(at, memory.io(f"{number}", 0x100 << number, OPS))
    for number in range(2):
        box = memory.container(f"box {number}", TOP)
        windows.append([memory.alias(f"{number}", s, 0, TOP) for s in systems])
        for other, window in enumerate(windows[-1]):
            box.add_subregion(0, window)
            window.set_enabled(other == number)
        spaces.append(memory.address_space(f"space {number}", box))
    before = [space.view for space in spaces]
    with memory.transaction():
        for row in windows:
            for window in row:
                window.set_enabled(not window.enabled)
    assert [space.view for space in spaces] == before[::-1]
    systems[0].subregions[0].set_size(0x40)
    assert 0x40 in [r.size for r in spaces[1].view]
    check_everything(memory, [*systems, *(s for b in systems for s in b.subregions),
                              *(w for row in windows for w in row),
                              *(space.root for space in spaces)])  # fmt: skip


def test_an_address_space_of_an_alias_in_use_and_its_removal(bus: Bus) -> None:
    views = [bus.space.view]
    for number in range(5):
        space = bus.memory.address_space(f"extra {number}", bus.box)
        views.append(space.view)
        bus.memory.remove_address_space(bus.memory.address_spaces[-2])
        check_everything(bus.memory, bus.regions)
    assert len({id(view) for view in views}) == 1


def test_a_system_that_shows_itself_leaves_no_trace_when_its_last_space_goes(bus: Bus) -> None:
    again = bus.memory.alias("again", bus.system, 0, 0x1000)
    bus.regions.append(again)
    bus.system.add_subregion(0x10000, again)
    check_everything(bus.memory, bus.regions)
    bus.memory.remove_address_space(bus.master)
    bus.memory.remove_address_space(bus.space)
    check_everything(bus.memory, bus.regions)
    assert not any(region._live for region in bus.regions)
    assert not bus.memory.topology.roots


def test_reprs_say_who_is_who(bus: Bus) -> None:
    assert repr(bus.master) == "<AddressSpace master, root bus master container>"
    assert repr(bus.master.view).startswith("<FlatView of system: 2 ranges")
    assert repr(bus.master.view.ranges[0]) == "<FlatRange 0x0-0xfff ram ram @0x0>"
    empty = bus.memory.address_space("empty", bus.memory.container("nothing", 1))
    assert repr(empty.view) == "<FlatView of (none): 0 ranges, generation 0>"
