"""The tree of regions: order, kinds, and what is refused."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from guestmap.base import ADDRESS_SPACE_SIZE, ConfigError, HostError
from guestmap.memory import MemoryRegion, MemoryRegionOps, MemorySystem
from tests.memory.invariants import check_everything


def names(region: MemoryRegion) -> list[str]:
    return [each.name for each in region.subregions]


def test_subregions_go_by_priority_and_the_last_added_comes_first(memory: MemorySystem) -> None:
    root = memory.container("root", 0x1000)
    for name, priority in [("a", 0), ("b", 1), ("c", 0), ("d", -1), ("e", 1), ("f", 0)]:
        root.add_subregion(0, memory.container(name, 0x100), priority)
    assert names(root) == ["e", "b", "f", "c", "a", "d"]


def test_a_region_that_moves_becomes_the_newest_of_its_equals(memory: MemorySystem) -> None:
    root = memory.container("root", 0x1000)
    regions = {name: memory.ram(name, 0x1000, backed=False) for name in "abc"}
    for region in regions.values():
        root.add_subregion(0, region)
    space = memory.address_space("space", root)
    regions["a"].set_address(0x80)
    assert names(root) == ["a", "c", "b"]
    assert [(r.start, r.region.name) for r in space.view] == [(0, "c"), (0x80, "a")]
    regions["b"].set_address(0)  # where it is already: no move
    assert names(root) == ["a", "c", "b"]


def test_many_subregions_are_found_in_order(memory: MemorySystem) -> None:
    root = memory.container("root", 1 << 32)
    for number in range(100):
        size = 0x10 << (number % 7)
        child = memory.container(f"{number}", size)
        root.add_subregion(number * 0x40, child, number % 3)
    check_everything(memory, [root])
    for child in root.subregions[::2]:
        root.del_subregion(child)
    check_everything(memory, [root])
    assert len(root.children) == 50


def test_types_are_those_of_info_mtree(memory: MemorySystem) -> None:
    ops = MemoryRegionOps()
    ram = memory.ram("ram", 0x1000, backed=False)
    rom_device = memory.rom_device("flash", 0x1000, ops, backed=False)
    alias = memory.alias("outer", memory.alias("inner", rom_device, 0, 1), 0, 1)
    assert memory.container("c", 1).mtree_type() == "i/o"
    assert memory.io("i", 1, ops).mtree_type() == "i/o"
    assert ram.mtree_type() == "ram"
    assert memory.rom("rom", 1, backed=False).mtree_type() == "rom"
    assert memory.ram_device("bar", 1, memoryview(bytearray(1))).mtree_type() == "ramd"
    assert (rom_device.mtree_type(), alias.mtree_type()) == ("romd", "romd")
    rom_device.set_romd_mode(False)
    ram.set_readonly(True)
    assert (rom_device.mtree_type(), alias.mtree_type(), ram.mtree_type()) == ("i/o", "i/o", "rom")


def test_host_memory_is_reached_through_the_region(memory: MemorySystem) -> None:
    ram = memory.ram("ram", 0x1000)
    told: list[tuple[int, int]] = []
    assert ram.ram_block is not None
    ram.ram_block.add_watcher(lambda offset, length: told.append((offset, length)))
    assert ram.buffer is not None
    ram.buffer[4:6] = b"hi"
    ram.ram_written(4, 2)
    assert told == [(4, 2)]
    assert memory.address_space("space", ram).read(4, 2) == b"hi"
    container = memory.container("c", 1)
    assert container.buffer is None
    container.ram_written(0, 1)


class Parts:
    """A small machine, and the things that errors are made of."""

    def __init__(self) -> None:
        self.memory = MemorySystem()
        self.root = self.memory.container("root", 0x10000)
        self.middle = self.memory.container("middle", 0x8000)
        self.ram = self.memory.ram("ram", 0x1000, backed=False)
        self.loose = self.memory.container("loose", 0x100)
        self.alias = self.memory.alias("alias", self.ram, 0, 0x1000)
        self.bar = self.memory.ram_device("bar", 0x100, memoryview(bytearray(0x180)))
        self.root.add_subregion(0x1000, self.middle)
        self.middle.add_subregion(0, self.ram)
        self.root.add_subregion(0x8000, self.alias)
        self.space = self.memory.address_space("space", self.root)
        self.other = MemorySystem()
        self.stranger = self.other.container("stranger", 0x100)


BAD_TREES: dict[str, tuple[Callable[[Parts], object], str]] = {
    "in two containers": (
        lambda p: p.root.add_subregion(0, p.ram),
        "cannot add region 'ram' to 'root': it already is in 'middle' at 0x0",
    ),
    "twice in one container": (
        lambda p: p.middle.add_subregion(0, p.ram),
        "cannot add region 'ram' to 'middle': it already is in 'middle'",
    ),
    "a container in itself": (
        lambda p: p.loose.add_subregion(0, p.loose),
        "cannot add region 'loose' to 'loose': it would contain itself",
    ),
    "a container in its child": (
        lambda p: p.middle.add_subregion(0, p.root),
        "it would contain itself through 'middle'",
    ),
    "a container in its grandchild": (
        lambda p: p.ram.add_subregion(0, p.root),
        "it would contain itself through 'ram'",
    ),
    "an alias with subregions": (
        lambda p: p.alias.add_subregion(0, p.loose),
        "'alias' is an alias of 'ram' and holds no subregions",
    ),
    "another machine's region": (
        lambda p: p.root.add_subregion(0, p.stranger),
        "cannot add region 'stranger' to 'root': it belongs to another machine",
    ),
    "a negative offset": (lambda p: p.root.add_subregion(-1, p.loose), "offset -0x1 is not an"),
    "an offset of 65 bits": (
        lambda p: p.root.add_subregion(1 << 64, p.loose),
        "offset 0x10000000000000000 is not an address",
    ),
    "del of a loose region": (
        lambda p: p.root.del_subregion(p.loose),
        "region 'loose' is not a subregion of 'root': it is in 'no container'",
    ),
    "del of a grandchild": (
        lambda p: p.root.del_subregion(p.ram),
        "region 'ram' is not a subregion of 'root': it is in 'middle'",
    ),
    "size 0": (lambda p: p.memory.container("none", 0), "region 'none': size 0x0 is impossible"),
    "a negative size": (lambda p: p.memory.ram("neg", -5), "region 'neg': size -0x5 is impossible"),
    "more than 2**64": (
        lambda p: p.memory.container("big", (1 << 64) + 1),
        "region 'big': size 0x10000000000000001 is impossible: give 1 to 0x10000000000000000",
    ),
    "resized to 0": (lambda p: p.root.set_size(0), "region 'root': size 0x0 is impossible"),
    "resized beyond 2**64": (lambda p: p.root.set_size(1 << 65), "region 'root': size"),
    "resized beyond its memory": (
        lambda p: p.ram.set_size(0x1001),
        "region 'ram': size 0x1001 is more than the 0x1000 bytes of its memory",
    ),
    "a RAM device resized beyond its memory": (
        lambda p: p.bar.set_size(0x181),
        "region 'bar': size 0x181 is more than the 0x180 bytes of its memory",
    ),
    "moved below 0": (lambda p: p.ram.set_address(-1), "region 'ram': -0x1 is not an address"),
    "moved beyond 64 bits": (lambda p: p.ram.set_address(1 << 64), "is not an address"),
    "an alias with a negative offset": (
        lambda p: p.memory.alias("a", p.ram, -1, 1),
        "alias 'a': offset -0x1 is not an address",
    ),
    "an alias with an offset of 65 bits": (
        lambda p: p.memory.alias("a", p.ram, 1 << 64, 1),
        "alias 'a': offset 0x10000000000000000 is not an address",
    ),
    "an alias of size 0": (lambda p: p.memory.alias("a", p.ram, 0, 0), "region 'a': size 0x0"),
    "an alias of another machine's region": (
        lambda p: p.memory.alias("a", p.stranger, 0, 1),
        "alias 'a': 'stranger' belongs to another machine",
    ),
    "an alias moved out of 64 bits": (
        lambda p: p.alias.set_alias_offset(1 << 64),
        "alias 'alias': offset 0x10000000000000000 is not an address",
    ),
    "alias offset of no alias": (
        lambda p: p.ram.set_alias_offset(0),
        "region 'ram' is not an alias and has no alias offset",
    ),
    "romd mode of RAM": (
        lambda p: p.ram.set_romd_mode(False),
        "region 'ram' is not a ROM device and has no romd mode",
    ),
    "another machine's root": (
        lambda p: p.memory.address_space("s", p.stranger),
        "address space 's': root 'stranger' is another machine's",
    ),
    "a RAM device larger than its buffer": (
        lambda p: p.memory.ram_device("b", 0x101, memoryview(bytearray(0x100))),
        "RAM 'b' of 0x101 bytes has a buffer of 0x100",
    ),
    "a RAM device in a read-only buffer": (
        lambda p: p.memory.ram_device("b", 1, memoryview(b"x")),
        "RAM 'b' of 0x1 bytes has a read-only buffer of 0x1",
    ),
}


@pytest.mark.parametrize("case", BAD_TREES)
@pytest.mark.parametrize("nested", [False, True])
def test_an_impossible_tree_is_refused_and_nothing_changes(case: str, nested: bool) -> None:
    parts = Parts()
    act, message = BAD_TREES[case]
    regions = [parts.root, parts.middle, parts.ram, parts.loose, parts.alias, parts.bar]

    def everything() -> list[object]:
        return [
            (r.addr, r.size, r.container, r.subregions, r.alias_offset, r.romd_mode)
            for r in regions
        ] + [parts.space.view, parts.memory.address_spaces, parts.memory.generation]

    before, blocks = everything(), list(parts.memory.ram_blocks)
    with pytest.raises(ConfigError) as caught:  # noqa: PT012  (the transaction is the case)
        if nested:
            with parts.memory.transaction():
                act(parts)
        else:
            act(parts)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    assert everything() == before
    assert list(parts.memory.ram_blocks) == blocks
    check_everything(parts.memory, regions)


def test_children_and_aliases_may_reach_beyond_what_holds_them(memory: MemorySystem) -> None:
    root = memory.container("root", 0x1000)
    ram = memory.ram("ram", 0x2000, backed=False)
    root.add_subregion(0x800, ram)
    root.add_subregion(0x400, memory.alias("a", ram, 0x1F00, ADDRESS_SPACE_SIZE), 1)
    space = memory.address_space("space", root)
    assert [(r.start, r.end, r.offset_in_region) for r in space.view] == [
        (0x400, 0x500, 0x1F00),
        (0x800, 0x1000, 0),
    ]


def test_memory_that_the_host_lacks_is_a_host_error(memory: MemorySystem) -> None:
    with pytest.raises(HostError, match="cannot set up guest memory 'huge'"):
        memory.ram("huge", 1 << 63)
    assert len(memory.ram_blocks) == 0


def test_a_region_says_what_it_is(memory: MemorySystem) -> None:
    ram = memory.ram("ram", 0x1000, backed=False)
    ram.set_enabled(False)
    assert repr(ram) == "<MemoryRegion ram ram size 0x1000 at 0x0 prio 0 disabled>"
