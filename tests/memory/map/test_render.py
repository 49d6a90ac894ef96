"""Rendering: priorities, holes, aliases, flags and edges (QEMU docs/devel/memory.rst)."""

from __future__ import annotations

import pytest

from guestmap.base import ConfigError
from guestmap.memory import AddressSpace, MemoryRegion, MemoryRegionOps, MemorySystem
from guestmap.memory.map import render
from tests.memory.invariants import check_everything

OPS = MemoryRegionOps()
TOP = 1 << 64


def shown(space: AddressSpace) -> list[tuple[int, int, str, int]]:
    return [(r.start, r.end, r.region.name, r.offset_in_region) for r in space.view]


def docs_example(memory: MemorySystem, b_answers: bool) -> AddressSpace:
    """The example of QEMU's docs/devel/memory.rst, "Overlapping regions and priority"."""
    a = memory.container("A", 0x8000)
    b = memory.io("B", 0x4000, OPS) if b_answers else memory.container("B", 0x4000)
    a.add_subregion(0, memory.io("C", 0x6000, OPS), 1)
    a.add_subregion(0x2000, b, 2)
    b.add_subregion(0, memory.io("D", 0x1000, OPS))
    b.add_subregion(0x2000, memory.io("E", 0x1000, OPS))
    return memory.address_space("space", a)


def test_holes_of_a_container_show_what_is_below(memory: MemorySystem) -> None:
    assert shown(docs_example(memory, False)) == [
        (0x0000, 0x2000, "C", 0),
        (0x2000, 0x3000, "D", 0),
        (0x3000, 0x4000, "C", 0x3000),
        (0x4000, 0x5000, "E", 0),
        (0x5000, 0x6000, "C", 0x5000),
    ]


def test_holes_of_a_region_that_answers_show_itself(memory: MemorySystem) -> None:
    assert shown(docs_example(memory, True)) == [
        (0x0000, 0x2000, "C", 0),
        (0x2000, 0x3000, "D", 0),
        (0x3000, 0x4000, "B", 0x1000),
        (0x4000, 0x5000, "E", 0),
        (0x5000, 0x6000, "B", 0x3000),
    ]


def test_among_equal_priorities_the_last_added_wins(memory: MemorySystem) -> None:
    root = memory.container("root", 0x1000)
    for name in "abc":
        root.add_subregion(0, memory.io(name, 0x100, OPS))
    space = memory.address_space("space", root)
    assert shown(space) == [(0, 0x100, "c", 0)]
    root.del_subregion(root.subregions[0])
    assert shown(space) == [(0, 0x100, "b", 0)]


def test_priorities_compare_siblings_only(memory: MemorySystem) -> None:
    root = memory.container("root", 0x1000)
    low = memory.container("low", 0x1000)
    low.add_subregion(0, memory.io("deep", 0x200, OPS), 1_000_000)
    root.add_subregion(0, low, -1)
    root.add_subregion(0, memory.io("top", 0x100, OPS), 0)
    space = memory.address_space("space", root)
    assert shown(space) == [(0, 0x100, "top", 0), (0x100, 0x200, "deep", 0x100)]


def test_flags_hold_for_everything_below(memory: MemorySystem) -> None:
    root = memory.container("root", 0x4000)
    ram = memory.ram("ram", 0x1000, backed=False)
    alias = memory.alias("alias", ram, 0, 0x1000)
    root.add_subregion(0, ram)
    root.add_subregion(0x2000, alias)
    space = memory.address_space("space", root)

    def flags() -> list[tuple[bool, bool, bool]]:
        return [(r.readonly, r.nonvolatile, r.unmergeable) for r in space.view]

    alias.set_readonly(True)
    assert flags() == [(False, False, False), (True, False, False)]
    ram.set_nonvolatile(True)
    assert flags() == [(False, True, False), (True, True, False)]
    root.set_unmergeable(True)
    assert flags() == [(False, True, True), (True, True, True)]


def test_aliases_of_aliases_and_of_containers(memory: MemorySystem) -> None:
    box = memory.container("box", 0x3000)
    box.add_subregion(0x1000, memory.io("a", 0x800, OPS))
    box.add_subregion(0x1800, memory.io("b", 0x800, OPS))
    inner = memory.alias("inner", box, 0x1400, 0x1000)
    outer = memory.alias("outer", inner, 0x200, 0x400)
    root = memory.container("root", TOP)
    root.add_subregion(0x10000, outer)
    space = memory.address_space("space", root)
    assert shown(space) == [(0x10000, 0x10200, "a", 0x600), (0x10200, 0x10400, "b", 0)]


def test_an_alias_ignores_where_its_target_is_but_not_whether_it_is_enabled(
    memory: MemorySystem,
) -> None:
    root = memory.container("root", TOP)
    ram = memory.ram("ram", 0x1000, backed=False)
    root.add_subregion(0x7000, ram)
    root.add_subregion(0, memory.alias("alias", ram, 0x800, 0x800))
    space = memory.address_space("space", root)
    assert shown(space) == [(0, 0x800, "ram", 0x800), (0x7000, 0x8000, "ram", 0)]
    ram.set_address(0x9000)
    assert shown(space) == [(0, 0x800, "ram", 0x800), (0x9000, 0xA000, "ram", 0)]
    ram.set_enabled(False)
    assert shown(space) == []


def test_a_disabled_container_hides_what_is_below_but_not_from_aliases(
    memory: MemorySystem,
) -> None:
    root = memory.container("root", TOP)
    box = memory.container("box", 0x1000)
    ram = memory.ram("ram", 0x1000, backed=False)
    box.add_subregion(0, ram)
    root.add_subregion(0, box)
    root.add_subregion(0x4000, memory.alias("alias", ram, 0, 0x1000))
    space = memory.address_space("space", root)
    box.set_enabled(False)
    assert shown(space) == [(0x4000, 0x5000, "ram", 0)]


def test_pieces_of_one_region_that_meet_are_joined(memory: MemorySystem) -> None:
    root = memory.container("root", 0x3000)
    ram = memory.ram("ram", 0x3000, backed=False)
    for at in (0, 0x1000, 0x2000):
        root.add_subregion(at, memory.alias(f"at {at:x}", ram, at, 0x1000))
    space = memory.address_space("space", root)
    assert shown(space) == [(0, 0x3000, "ram", 0)]
    middle = root.subregions[1]
    middle.set_readonly(True)
    assert len(space.view) == 3
    middle.set_readonly(False)
    middle.set_unmergeable(True)
    assert len(space.view) == 3
    middle.set_unmergeable(False)
    assert shown(space) == [(0, 0x3000, "ram", 0)]


def test_what_lay_on_an_unmergeable_region_leaves_no_cut(memory: MemorySystem) -> None:
    root = memory.container("root", 0x10000)
    ram = memory.ram("ram", 0x3000, backed=False)
    ram.set_unmergeable(True)
    root.add_subregion(0, ram)
    root.add_subregion(0x8000, memory.io("far", 1, OPS))
    space = memory.address_space("space", root)
    cover = memory.io("cover", 0x800, OPS)
    root.add_subregion(0x1000, cover, 1)
    assert [r[:2] for r in shown(space)[:-1]] == [(0, 0x1000), (0x1000, 0x1800), (0x1800, 0x3000)]
    cover.set_address(0x1800)
    assert [r[:2] for r in shown(space)[:-1]] == [(0, 0x1800), (0x1800, 0x2000), (0x2000, 0x3000)]
    root.del_subregion(cover)
    assert shown(space)[:-1] == [(0, 0x3000, "ram", 0)]
    root.add_subregion(0, cover, 1)
    assert shown(space)[:-1] == [(0, 0x800, "cover", 0), (0x800, 0x3000, "ram", 0x800)]
    cover.set_address(0x2800)
    assert shown(space)[:-1] == [(0, 0x2800, "ram", 0), (0x2800, 0x3000, "cover", 0)]
    cover.set_enabled(False)
    assert shown(space)[:-1] == [(0, 0x3000, "ram", 0)]
    check_everything(memory, [root, ram, cover])


def test_two_far_changes_of_one_transaction_meet_in_one_range(memory: MemorySystem) -> None:
    root = memory.container("root", 0x10000)
    ram = memory.ram("ram", 0x4000, backed=False)
    covers = [memory.io(f"cover {at:x}", 0x100, OPS) for at in (0x1000, 0x2000)]
    root.add_subregion(0, ram)
    root.add_subregion(0x8000, memory.io("far", 0x10, OPS))
    for cover, at in zip(covers, (0x1000, 0x2000), strict=True):
        root.add_subregion(at, cover, 1)
    space = memory.address_space("space", root)
    with memory.transaction():
        for cover in covers:
            cover.set_enabled(False)
    assert shown(space) == [(0, 0x4000, "ram", 0), (0x8000, 0x8010, "far", 0)]
    (change,) = memory.history[-1].changes
    assert [(r.start, r.end) for r in change.added] == [(0, 0x4000)]
    assert len(change.removed) == 5


def test_the_first_and_the_last_address(memory: MemorySystem) -> None:
    root = memory.io("root", TOP, OPS)
    root.add_subregion(0, memory.io("first", 1, OPS))
    root.add_subregion(TOP - 1, memory.io("last", 1, OPS))
    space = memory.address_space("space", root)
    assert shown(space) == [
        (0, 1, "first", 0),
        (1, TOP - 1, "root", 1),
        (TOP - 1, TOP, "last", 0),
    ]
    assert space.view.ranges[-1].size == 1
    root.subregions[0].set_address(TOP - 2)
    assert shown(space)[-2:] == [(TOP - 2, TOP - 1, "last", 0), (TOP - 1, TOP, "root", TOP - 1)]


def test_a_child_that_reaches_beyond_the_last_address_is_clipped(memory: MemorySystem) -> None:
    root = memory.container("root", TOP)
    root.add_subregion(TOP - 0x100, memory.io("last", TOP, OPS))
    assert shown(memory.address_space("space", root)) == [(TOP - 0x100, TOP, "last", 0)]


def test_a_root_shows_at_its_own_address(memory: MemorySystem) -> None:
    ram = memory.ram("ram", 0x1000, backed=False)
    space = memory.address_space("space", ram)
    ram.set_address(0x4000)
    assert shown(space) == [(0x4000, 0x5000, "ram", 0)]


def test_a_root_that_is_put_into_a_container_moves_with_it_and_stays(memory: MemorySystem) -> None:
    ram = memory.ram("ram", 0x1000, backed=False)
    box = memory.container("box", 0x10000)
    space = memory.address_space("space", ram)
    box.add_subregion(0x4000, ram)
    assert shown(space) == [(0x4000, 0x5000, "ram", 0)]
    box.del_subregion(ram)
    assert shown(space) == [(0x4000, 0x5000, "ram", 0)]
    with pytest.raises(ConfigError), memory.transaction():  # noqa: PT012  (undone as a whole)
        box.add_subregion(0x8000, ram, 7)
        ram.add_subregion(0, box)
    assert (ram.addr, ram.priority) == (0x4000, 0)
    check_everything(memory, [ram, box])


def test_rendering_nothing_gives_nothing(memory: MemorySystem) -> None:
    assert render(None) == []
    assert render(memory.container("empty", TOP)) == []


# -- systems that show themselves ------------------------------------------------------------------


def test_clipping_ends_a_system_that_aliases_itself(memory: MemorySystem) -> None:
    root = memory.container("root", 0x10000)
    root.add_subregion(0, memory.io("io", 0x1000, OPS))
    root.add_subregion(0x8000, memory.alias("again", root, 0, 0x8000))
    space = memory.address_space("space", root)
    assert shown(space) == [(0, 0x1000, "io", 0), (0x8000, 0x9000, "io", 0)]
    root.subregions[1].set_address(0x400)  # a change shows in both places
    assert [r[:2] for r in shown(space)] == [(0x400, 0x1400), (0x8400, 0x9400)]


def test_a_system_may_show_itself_shifted_many_times(memory: MemorySystem) -> None:
    root = memory.container("root", 0x10000)
    io = memory.io("io", 0x10, OPS)
    root.add_subregion(0, io)
    root.add_subregion(0x100, memory.alias("again", root, 0, 0x10000))
    space = memory.address_space("space", root)
    assert [r[0] for r in shown(space)] == list(range(0, 0x10000, 0x100))
    io.set_address(0x20)
    assert [r[0] for r in shown(space)] == list(range(0x20, 0x10000, 0x100))


def endless(memory: MemorySystem) -> tuple[MemoryRegion, MemoryRegion]:
    """Return a region and an alias of it: the view has no end once the alias is inside."""
    root = memory.container("root", 0x10000)
    for at in (0, 0x8000):
        root.add_subregion(at, memory.io(f"io {at:x}", 0x1000, OPS))
    return root, memory.alias("again", root, 0, 0x8000)


def test_a_view_without_end_is_refused_and_all_is_as_before(memory: MemorySystem) -> None:
    root, again = endless(memory)
    space = memory.address_space("space", root)
    view = space.view
    with pytest.raises(ConfigError, match="'again' of 'root' shows itself without end at 0x0"):
        root.add_subregion(0, again)
    assert space.view is view
    assert again.container is None
    check_everything(memory, [root, again])
    again.set_size(0x800)
    with pytest.raises(ConfigError, match="without end"):
        root.add_subregion(0, again, 1)
    check_everything(memory, [root, again])
    root.add_subregion(0x1000, again)  # this one ends
    check_everything(memory, [root, again])
    assert shown(space) == [
        (0, 0x1000, "io 0", 0),
        (0x1000, 0x1800, "io 0", 0),
        (0x8000, 0x9000, "io 8000", 0),
    ]


def test_a_view_that_slides_by_one_byte_is_refused(memory: MemorySystem) -> None:
    root = memory.container("root", TOP)
    alias = memory.alias("slide", root, 1, TOP)
    space = memory.address_space("space", root)
    with pytest.raises(ConfigError, match="'slide' of 'root' shows itself without end"):
        root.add_subregion(0, alias)
    assert shown(space) == []
    check_everything(memory, [root, alias])


@pytest.mark.usefixtures("small_limits")
def test_a_view_with_too_many_ways_is_refused(memory: MemorySystem) -> None:
    root = memory.container("root", TOP)
    regions = [root, memory.io("io", 1, OPS)]
    root.add_subregion(0, regions[1])
    with pytest.raises(ConfigError, match="given up after 20001 steps"):  # noqa: PT012
        for level in range(40):
            box = memory.container(f"box {level}", TOP)
            box.add_subregion(0, memory.alias(f"a {level}", regions[-1], 0, TOP))
            box.add_subregion(1, memory.alias(f"b {level}", regions[-1], 0, TOP))
            regions.append(box)
            memory.address_space(f"space {level}", box)
    check_everything(memory, regions)


def test_an_endless_root_gets_no_address_space(memory: MemorySystem) -> None:
    root, again = endless(memory)
    root.add_subregion(0, again)  # nobody looks, so nobody minds
    with pytest.raises(ConfigError, match="without end"):
        memory.address_space("space", root)
    assert memory.address_spaces == ()
    check_everything(memory, [root, again])


def test_a_transaction_may_be_endless_in_between(memory: MemorySystem) -> None:
    root, again = endless(memory)
    space = memory.address_space("space", root)
    with memory.transaction():
        root.add_subregion(0, again)
        again.set_enabled(False)
    assert [r[2] for r in shown(space)] == ["io 0", "io 8000"]
    with pytest.raises(ConfigError, match="without end"):
        again.set_enabled(True)
    assert not again.enabled


def test_a_view_may_lose_its_last_user_while_it_becomes_endless(memory: MemorySystem) -> None:
    root, again = endless(memory)
    space = memory.address_space("space", root)
    with memory.transaction():
        root.add_subregion(0, again)
        memory.remove_address_space(space)
    assert again.container is root
    assert memory.address_spaces == ()


def test_routes_that_go_round_are_refused(memory: MemorySystem) -> None:
    boxes = [memory.container(f"box {n}", 0x1000) for n in range(3)]
    aliases = [memory.alias(f"to {n}", boxes[n], 0, 0x1000) for n in range(3)]
    spaces = [memory.address_space(f"space {n}", boxes[n]) for n in range(2)]
    boxes[0].add_subregion(0, aliases[1])
    boxes[1].add_subregion(0, aliases[2])
    with pytest.raises(ConfigError, match="shows nothing but itself, through aliases"):
        boxes[2].add_subregion(0, aliases[0])
    check_everything(memory, [*boxes, *aliases])
    with memory.transaction():  # around for a moment, and left behind by all address spaces
        boxes[2].add_subregion(0, aliases[0])
        for space in spaces:
            memory.remove_address_space(space)
    check_everything(memory, [*boxes, *aliases])
    with pytest.raises(ConfigError, match="shows nothing but itself"):
        memory.address_space("again", boxes[1])
    assert memory.address_spaces == ()
    check_everything(memory, [*boxes, *aliases])
