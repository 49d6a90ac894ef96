"""Finding without accessing: find, present, access_valid, translate.

The rules of ``find`` are those of ``memory_region_find`` and ``memory_region_present`` in QEMU's
include/exec/memory.h.
"""

from __future__ import annotations

import pytest

from guestmap.memory import (
    AccessSizes,
    MemoryRegion,
    MemoryRegionOps,
    MemoryRegionSection,
    MemorySystem,
    MemTxAttrs,
)

TOP = 1 << 64
MEMORY_ONLY, DEBUG = MemTxAttrs(memory=True), MemTxAttrs(debug=True)


class Map:
    """RAM at 1000h and 3000h (an alias), a device at 2000h, a box at 8000h with ROM in it."""

    def __init__(self, enforce: bool = True) -> None:
        self.memory = MemorySystem(enforce_readonly=enforce)
        self.root = self.memory.container("root", TOP)
        self.ram = self.memory.ram("ram", 0x1000)
        self.io = self.memory.io(
            "io", 0x100, MemoryRegionOps(valid=AccessSizes(2, 4, accepts=self.accepts))
        )
        self.box = self.memory.container("box", 0x4000)
        self.rom = self.memory.rom("rom", 0x800)
        self.root.add_subregion(0x1000, self.ram)
        self.root.add_subregion(0x2000, self.io)
        self.root.add_subregion(0x3000, self.memory.alias("alias", self.ram, 0x400, 0x400))
        self.root.add_subregion(0x8000, self.box)
        self.box.add_subregion(0x1000, self.rom)
        self.space = self.memory.address_space("space", self.root)
        self.later = self.memory.address_space("later", self.root)

    def accepts(self, offset: int, size: int, is_write: bool, attrs: MemTxAttrs) -> bool:
        return offset < 0x80


def short(section: MemoryRegionSection | None) -> tuple[str, int, int, int] | None:
    if section is None:
        return None
    return (
        section.region.name,
        section.offset_within_region,
        section.size,
        section.offset_within_address_space,
    )


FOUND = [
    # region, offset, size, what
    ("root", 0x1000, 0x1000, ("ram", 0, 0x1000, 0x1000)),
    ("root", 0x1800, 0x10, ("ram", 0x800, 0x10, 0x1800)),
    ("root", 0, 0x1001, ("ram", 0, 1, 0x1000)),
    ("root", 0, 0x1000, None),
    ("root", 0x1FFF, 0x1000, ("ram", 0xFFF, 1, 0x1FFF)),
    ("root", 0x2100, 0x1000, ("ram", 0x400, 0x100, 0x3000)),
    ("root", 0x3100, 1, ("ram", 0x500, 1, 0x3100)),
    ("root", 0, TOP, ("ram", 0, 0x1000, 0x1000)),
    ("root", TOP - 1, 1, None),
    ("box", 0, 0x4000, ("rom", 0, 0x800, 0x9000)),
    ("box", 0x1100, 4, ("rom", 0x100, 4, 0x9100)),
    ("rom", 0x700, 0x1000, ("rom", 0x700, 0x100, 0x9700)),
    ("rom", 0x900, 4, None),
    ("ram", 0x1000, 4, ("io", 0, 4, 0x2000)),  # beyond the region itself
    ("loose", 0, 4, None),
    ("alone", 0, 4, None),
]


@pytest.mark.parametrize(("name", "offset", "size", "expected"), FOUND)
def test_find_is_relative_to_a_region_and_cuts_to_the_window(
    name: str, offset: int, size: int, expected: tuple[str, int, int, int] | None
) -> None:
    parts = Map()
    regions: dict[str, MemoryRegion] = {
        "root": parts.root,
        "box": parts.box,
        "rom": parts.rom,
        "ram": parts.ram,
        "alone": parts.memory.ram("alone", 0x1000),
        "loose": parts.memory.container("loose", 0x1000),
    }
    regions["loose"].add_subregion(0, parts.memory.ram("inside", 0x1000))
    found = parts.memory.find(regions[name], offset, size)
    assert short(found) == expected
    if found is not None:
        assert found.address_space is parts.space
        assert found.view is parts.space.view
        if name == "root":
            assert parts.later.find(offset, size) == found._replace(address_space=parts.later)


def test_the_root_of_a_space_may_have_an_address(memory: MemorySystem) -> None:
    root = memory.container("root", 0x1000)
    root.set_address(0x5000)
    root.add_subregion(0x10, memory.ram("ram", 0x100))
    space = memory.address_space("space", root)
    assert short(memory.find(root, 0x20, 4)) == ("ram", 0x10, 4, 0x5020)
    assert short(space.find(0x5020, 4)) == ("ram", 0x10, 4, 0x5020)


def test_find_carries_what_the_way_adds() -> None:
    parts = Map()
    parts.box.set_nonvolatile(True)
    parts.box.set_unmergeable(True)
    section = parts.memory.find(parts.box, 0x1000, 1)
    assert section is not None
    assert (section.readonly, section.nonvolatile, section.unmergeable) == (True, True, True)


def test_present_means_somebody_else_than_the_container() -> None:
    parts = Map()
    assert parts.memory.present(parts.root, 0x1000)
    assert not parts.memory.present(parts.root, 0)
    assert not parts.memory.present(parts.ram, 0)  # it answers itself
    assert parts.memory.present(parts.box, 0x1000)
    assert not parts.memory.present(parts.box, 0)


def test_whole_sections_are_found_where_no_size_is_given() -> None:
    parts = Map()
    assert short(parts.space.find(0x3123)) == ("ram", 0x400, 0x400, 0x3000)
    assert parts.space.find(0x2100) is None
    assert parts.space.find(0x1000, 0) is None


VALID = [
    # address, length, is_write, valid
    (0x1000, 0x1000, False, True),
    (0x1000, 0x1000, True, True),
    (0x0FFF, 2, False, False),
    (0x1FFE, 6, True, True),  # RAM and 4 bytes of the device
    (0x2000, 1, False, False),  # smaller than the device's smallest
    (0x2002, 2, False, True),
    (0x2001, 2, False, False),  # cut into bytes
    (0x207C, 8, False, False),  # the second half is one that accepts() does not
    (0x3000, 0x400, True, True),
    (0x9000, 0x800, False, True),
    (0x9000, 4, True, False),
    (TOP - 1, 2, False, False),
    (0x5000, 0, True, True),
]


@pytest.mark.parametrize(("address", "length", "is_write", "valid"), VALID)
def test_access_valid_asks_everybody_on_the_way(
    address: int, length: int, is_write: bool, valid: bool
) -> None:
    assert Map().space.access_valid(address, length, is_write) == valid


def test_access_valid_knows_attributes_reservations_and_modes() -> None:
    parts = Map()
    flash = parts.memory.rom_device("flash", 0x1000, MemoryRegionOps())
    parts.root.add_subregion(0x10000, flash)
    parts.root.add_subregion(0x20000, parts.memory.io("reserved", 0x1000, None))
    valid = parts.space.access_valid
    assert valid(0x9000, 4, True, DEBUG)
    assert not valid(0x2000, 4, False, MEMORY_ONLY)
    assert valid(0x1000, 4, True, MEMORY_ONLY)
    assert not valid(0x10000, 4, False, MEMORY_ONLY)
    assert valid(0x10000, 4, False)
    assert valid(0x10000, 4, True)
    flash.set_romd_mode(False)
    assert valid(0x10000, 8, False)
    assert not valid(0x20000, 4, False)
    assert not valid(0x20000, 4, True)


@pytest.mark.parametrize("enforce", [True, False])
def test_access_valid_agrees_with_a_write_about_read_only_aliases(enforce: bool) -> None:
    parts = Map(enforce)
    alias = next(each for each in parts.root.subregions if each.name == "alias")
    alias.set_readonly(True)
    assert parts.space.access_valid(0x3000, 4, True) == (not enforce)
    assert (parts.space.write(0x3000, b"data") == 0) == (not enforce)


def test_translate_without_an_iommu_is_the_rest_of_the_range() -> None:
    parts = Map()
    assert short(parts.space.translate(0x1234)) == ("ram", 0x234, 0xDCC, 0x1234)
    assert short(parts.space.translate(0x1234, length=4)) == ("ram", 0x234, 4, 0x1234)
    assert parts.space.translate(0x5000) is None
