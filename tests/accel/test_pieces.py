"""Runs of host memory: cutting, joining, and which sections are any."""

from __future__ import annotations

from typing import Any

import pytest
from sortedcontainers import SortedDict

from guestmap.accel.unicorn.layout import SCRATCH
from guestmap.accel.unicorn.pieces import Piece, direct, overlapping, whole_pages
from guestmap.memory import MemoryRegion, MemoryRegionOps, MemoryRegionSection, MemorySystem

pytestmark = pytest.mark.unicorn

BLOCK: Any = object()
PIECE = Piece(0x1000, 0x5000, BLOCK, 0x800, writable=True, romd=False)


@pytest.mark.parametrize(
    ("low", "high", "cut"),
    [
        (0, 0x9000, (0x1000, 0x5000, 0x800)), (0x1000, 0x5000, (0x1000, 0x5000, 0x800)),
        (0x2000, 0x9000, (0x2000, 0x5000, 0x1800)), (0, 0x3000, (0x1000, 0x3000, 0x800)),
        (0x2001, 0x2002, (0x2001, 0x2002, 0x1801)),
    ],
)  # fmt: skip
def test_a_part_of_a_piece(low: int, high: int, cut: tuple[int, int, int]) -> None:
    part = PIECE.cut(low, high)
    assert (part.start, part.end, part.offset) == cut
    assert part[2:3] + part[4:] == PIECE[2:3] + PIECE[4:]


@pytest.mark.parametrize(
    ("change", "goes_on"),
    [
        ({}, True), ({"start": 0x5001}, False), ({"start": 0x4FFF}, False),
        ({"block": object()}, False), ({"offset": 0x4801}, False), ({"offset": 0x47FF}, False),
        ({"writable": False}, False), ({"romd": True}, False),
    ],
)  # fmt: skip
def test_pieces_go_on_from_one_another_where_all_is_the_same(
    change: dict[str, Any], goes_on: bool
) -> None:
    behind = Piece(0x5000, 0x6000, BLOCK, 0x4800, writable=True, romd=False)
    assert behind._replace(**change).continues(PIECE) is goes_on


@pytest.mark.parametrize(
    ("start", "end", "pages"),
    [
        (0x1000, 0x3000, (0x1000, 0x3000)), (0x1001, 0x3FFF, (0x2000, 0x3000)),
        (0xFFF, 0x3001, (0x1000, 0x3000)), (0x1001, 0x2FFF, None), (0x1800, 0x2000, None),
        (0x1000, 0x1FFF, None), (0x1000, 0x2000, (0x1000, 0x2000)),
    ],
)  # fmt: skip
def test_the_whole_pages_of_a_piece(start: int, end: int, pages: tuple[int, int] | None) -> None:
    piece = Piece(start, end, BLOCK, 0x10000 + start, writable=True, romd=False)
    found = [(p.start, p.end, p.offset) for p in whole_pages(piece)]
    assert found == ([] if pages is None else [(*pages, 0x10000 + pages[0])])


@pytest.mark.parametrize(
    ("low", "high", "starts"),
    [
        (0, 0x1000, []), (0, 0x1001, [0x1000]), (0x1FFF, 0x3000, [0x1000]),
        (0x2000, 0x3000, []), (0x2000, 0x3001, [0x3000]),
        (0x1800, 0x9000, [0x1000, 0x3000, 0x4000]),
        (0x3000, 0x4000, [0x3000]), (0x4FFF, 0x5000, [0x4000]), (0x5000, 0x9000, []),
    ],
)  # fmt: skip
def test_pieces_between_two_addresses(low: int, high: int, starts: list[int]) -> None:
    pieces: SortedDict[int, Piece] = SortedDict(
        {
            start: PIECE._replace(start=start, end=start + 0x1000)
            for start in (0x1000, 0x3000, 0x4000)
        }
    )
    assert [piece.start for piece in overlapping(pieces, low, high)] == starts


# -- which sections are memory ---------------------------------------------------------------------

OPS = MemoryRegionOps(read=lambda _offset, _size: 0, write=lambda _offset, _value, _size: None)


def section(region: MemoryRegion, address: int, **options: Any) -> MemoryRegionSection:
    """Return the section that is all of a region at an address."""
    root = region.system.container("root", 1 << 64)
    root.add_subregion(address, region)
    space = region.system.address_space("space", root)
    found = next(iter(space.view))
    return MemoryRegionSection.of(found, space, space.view)._replace(**options)


@pytest.mark.parametrize(
    ("kind", "writable", "romd"),
    [("ram", True, False), ("rom", False, False), ("rom_device", False, True),
     ("ram_device", True, False), ("io", None, None), ("unbacked", None, None),
     ("rom_device in I/O mode", None, None)],
)  # fmt: skip
def test_kinds_of_regions(kind: str, writable: bool | None, romd: bool | None) -> None:
    memory = MemorySystem()
    region = {
        "ram": lambda: memory.ram("r", 0x2000),
        "rom": lambda: memory.rom("r", 0x2000),
        "rom_device": lambda: memory.rom_device("r", 0x2000, OPS),
        "rom_device in I/O mode": lambda: memory.rom_device("r", 0x2000, OPS),
        "ram_device": lambda: memory.ram_device("r", 0x2000, memoryview(bytearray(0x2000))),
        "io": lambda: memory.io("r", 0x2000, OPS),
        "unbacked": lambda: memory.ram("r", 0x2000, backed=False),
    }[kind]()
    if kind.endswith("I/O mode"):
        region.set_romd_mode(False)
    piece = direct(section(region, 0x8000), SCRATCH)
    if writable is None:
        assert piece is None
    else:
        assert piece == Piece(0x8000, 0xA000, region.ram_block, 0, writable, romd)  # type: ignore[arg-type]


def test_a_part_of_a_region_and_a_read_only_window() -> None:
    memory = MemorySystem()
    ram = memory.ram("ram", 0x8000)
    part = section(ram, 0x10000, offset_within_region=0x3000, size=0x1000, readonly=True)
    assert direct(part, SCRATCH) == Piece(0x10000, 0x11000, ram.ram_block, 0x3000, False, False)  # type: ignore[arg-type]


@pytest.mark.parametrize(("address", "is_mapped"), [(-0x2000, True), (-0x1000, False), (0, False)])
def test_the_engines_own_pages_are_not_the_guests(address: int, is_mapped: bool) -> None:
    memory = MemorySystem()
    piece = direct(section(memory.ram("ram", 0x2000), SCRATCH + address), SCRATCH)
    assert (piece is not None) is is_mapped


def test_memory_that_may_grow_is_mapped_as_far_as_it_is_there() -> None:
    memory = MemorySystem()
    ram = memory.resizeable_ram("ram", 0x1000, 0x4000)
    whole = section(ram, 0x8000)
    assert direct(whole, SCRATCH) == Piece(0x8000, 0x9000, ram.ram_block, 0, True, False)  # type: ignore[arg-type]
    there = direct(whole._replace(size=0x9000), SCRATCH)
    assert there is not None
    assert there.end - there.start == len(ram.buffer)
    assert direct(whole._replace(offset_within_region=0x9000), SCRATCH) is None
