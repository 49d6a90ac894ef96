"""Accesses: how they are cut up, checked, ordered and answered.

The rules are those of QEMU's docs/devel/memory.rst ("MMIO Operations") and of its accessors:
``memory_access_size``, ``memory_region_access_valid``, ``access_with_adjusted_size``.
"""

from __future__ import annotations

import pytest

from guestmap.base import ConfigError
from guestmap.memory import (
    AccessSizes,
    AddressSpace,
    Endianness,
    MemoryRegionOps,
    MemorySystem,
    MemTxAttrs,
    MemTxResult,
)
from guestmap.memory.map import ATTRS_UNSPECIFIED, UNASSIGNED_IO_OPS

OK = MemTxResult.OK
ERROR = MemTxResult.ERROR
DECODE_ERROR = MemTxResult.DECODE_ERROR
ACCESS_ERROR = MemTxResult.ACCESS_ERROR
MEMORY_ONLY = MemTxAttrs(memory=True)
DEBUG = MemTxAttrs(debug=True)

PATTERN = bytes(range(0x10, 0x30))


class Device:
    """Registers in little-endian order that note how they are accessed."""

    def __init__(self, **rules: object) -> None:
        self.data = bytearray(PATTERN)
        self.calls: list[tuple[str, int, int]] = []
        self.ops = MemoryRegionOps(read=self.read, write=self.write, **rules)  # type: ignore[arg-type]

    def read(self, offset: int, size: int) -> int:
        self.calls.append(("r", offset, size))
        return int.from_bytes(self.data[offset : offset + size], "little")

    def write(self, offset: int, value: int, size: int) -> None:
        self.calls.append(("w", offset, size))
        self.data[offset : offset + size] = value.to_bytes(size, "little")


def space_of(memory: MemorySystem, device: Device, size: int = 0x20) -> AddressSpace:
    root = memory.container("root", 1 << 64)
    root.add_subregion(0x1000, memory.io("device", size, device.ops))
    return memory.address_space("space", root)


# -- sizes and alignment ---------------------------------------------------------------------------

CUTS = [
    # valid max, offset, length, the pieces that the device sees
    (0, 0, 4, [(0, 4)]),
    (0, 0, 8, [(0, 4), (4, 4)]),
    (1, 0, 4, [(0, 1), (1, 1), (2, 1), (3, 1)]),
    (2, 0, 4, [(0, 2), (2, 2)]),
    (8, 0, 8, [(0, 8)]),
    (8, 8, 24, [(8, 8), (16, 8), (24, 8)]),
    (4, 0, 3, [(0, 2), (2, 1)]),
    (4, 1, 4, [(1, 1), (2, 2), (4, 1)]),
    (4, 2, 4, [(2, 2), (4, 2)]),
    (8, 3, 8, [(3, 1), (4, 4), (8, 2), (10, 1)]),
]


@pytest.mark.parametrize(("most", "offset", "length", "pieces"), CUTS)
def test_an_access_is_cut_to_the_valid_size_and_its_alignment(
    memory: MemorySystem, most: int, offset: int, length: int, pieces: list[tuple[int, int]]
) -> None:
    device = Device(valid=AccessSizes(0, most), impl=AccessSizes(1, 8))
    space = space_of(memory, device)
    assert space.read(0x1000 + offset, length) == PATTERN[offset : offset + length]
    assert device.calls == [("r", *piece) for piece in pieces]
    device.calls.clear()
    data = bytes(range(0x80, 0x80 + length))
    assert space.write(0x1000 + offset, data) is OK
    assert device.calls == [("w", *piece) for piece in pieces]
    assert device.data[offset : offset + length] == data


def test_a_device_that_implements_unaligned_accesses_gets_them_whole(memory: MemorySystem) -> None:
    sizes = AccessSizes(1, 4, unaligned=True)
    device = Device(valid=sizes, impl=sizes)
    space = space_of(memory, device)
    assert space.load(0x1003, 4) == int.from_bytes(PATTERN[3:7], "little")
    assert space.load(0x1003, 4) == int.from_bytes(PATTERN[3:7], "little")
    assert device.calls == [("r", 3, 4)] * 2


def test_an_unaligned_access_that_is_not_valid_is_refused(memory: MemorySystem) -> None:
    device = Device(valid=AccessSizes(1, 4), impl=AccessSizes(1, 4, unaligned=True))
    space = space_of(memory, device)
    assert space.load_result(0x1002, 4) == (0, DECODE_ERROR)
    assert space.store(0x1001, 2, 0xFFFF) is DECODE_ERROR
    assert space.load_result(0x1004, 4) == (int.from_bytes(PATTERN[4:8], "little"), OK)
    assert device.calls == [("r", 4, 4)]


def test_a_loader_passes_over_holes_and_devices(memory: MemorySystem) -> None:
    device = Device()
    root = memory.container("root", 0x10000)
    root.add_subregion(0, memory.rom("low", 0x1000))
    root.add_subregion(0x1004, memory.io("device", 4, device.ops))
    root.add_subregion(0x2000, memory.ram("high", 0x1000))
    space = memory.address_space("space", root)
    image = bytes(range(1, 17)) * 0x100 + b"the tail"
    space.write_rom(0xFFC, image)
    assert space.read(0xFFC, 4) == image[:4]
    assert not device.calls
    assert space.read(0x2000, 8) == image[0x1004:] + bytes(4)
    space.write_rom(0x8000, b"nobody")


IMPLEMENTED = [
    # impl min, impl max, length, calls
    (0, 0, 4, [(0, 4)]),
    (1, 1, 4, [(0, 1), (1, 1), (2, 1), (3, 1)]),
    (1, 2, 4, [(0, 2), (2, 2)]),
    (4, 4, 8, [(0, 4), (4, 4)]),
    (0, 0, 8, [(0, 4), (4, 4)]),
    (4, 4, 1, [(0, 4)]),
    (8, 8, 2, [(0, 8)]),
    (2, 4, 1, [(0, 2)]),
]


@pytest.mark.parametrize(("least", "most", "length", "calls"), IMPLEMENTED)
def test_an_access_is_split_or_widened_to_what_is_implemented(
    memory: MemorySystem, least: int, most: int, length: int, calls: list[tuple[int, int]]
) -> None:
    device = Device(valid=AccessSizes(1, 8), impl=AccessSizes(least, most))
    space = space_of(memory, device)
    assert space.load(0x1000, length) == int.from_bytes(PATTERN[:length], "little")
    assert device.calls == [("r", *call) for call in calls]
    device.calls.clear()
    assert space.store(0x1000, length, int.from_bytes(b"\xaa" * length, "little")) is OK
    assert device.calls == [("w", *call) for call in calls]
    assert device.data[:length] == b"\xaa" * length


VALID = [
    # valid, size, offset, accepted
    (AccessSizes(), 1, 1, True),
    (AccessSizes(), 4, 4, True),
    (AccessSizes(4, 4), 4, 0, True),
    (AccessSizes(4, 4), 2, 0, False),
    (AccessSizes(2, 4), 1, 0, False),
    (AccessSizes(2, 4), 2, 2, True),
    (AccessSizes(1, 8), 8, 8, True),
]


@pytest.mark.parametrize(("valid", "size", "offset", "accepted"), VALID)
def test_sizes_that_are_not_valid_do_not_reach_the_device(
    memory: MemorySystem, valid: AccessSizes, size: int, offset: int, accepted: bool
) -> None:
    device = Device(valid=valid, impl=AccessSizes(1, 8))
    space = space_of(memory, device)
    value = int.from_bytes(PATTERN[offset : offset + size], "little")
    for _ in range(2):  # the second goes by what the first has left
        result = (value, OK) if accepted else (0, DECODE_ERROR)
        assert space.load_result(0x1000 + offset, size) == result
        assert space.load(0x1000 + offset, size) == result[0]
        assert space.store(0x1000 + offset, size, value) is result[1]
    assert bool(device.calls) == accepted
    assert device.data == PATTERN


def test_a_device_may_refuse_by_offset_size_direction_and_attributes(memory: MemorySystem) -> None:
    asked: list[tuple[int, int, bool, MemTxAttrs]] = []

    def accepts(offset: int, size: int, is_write: bool, attrs: MemTxAttrs) -> bool:
        asked.append((offset, size, is_write, attrs))
        return not is_write or attrs.secure

    device = Device(valid=AccessSizes(accepts=accepts))
    space = space_of(memory, device)
    secure = MemTxAttrs(secure=True)
    assert space.load_result(0x1004, 4) == (int.from_bytes(PATTERN[4:8], "little"), OK)
    assert space.store(0x1004, 4, 0) is DECODE_ERROR
    assert space.store(0x1004, 4, 0, secure) is OK
    assert space.store(0x1004, 4, 1) is DECODE_ERROR
    assert asked == [
        (4, 4, False, ATTRS_UNSPECIFIED),
        (4, 4, True, ATTRS_UNSPECIFIED),
        (4, 4, True, secure),
        (4, 4, True, ATTRS_UNSPECIFIED),
    ]


BAD_SIZES = [(3, 4), (1, 16), (-1, 4), (4, 2), (1, 6)]


@pytest.mark.parametrize(("least", "most"), BAD_SIZES)
def test_access_sizes_that_no_bus_has_are_refused(least: int, most: int) -> None:
    with pytest.raises(ConfigError, match="access sizes"):
        AccessSizes(least, most)


# -- byte order ------------------------------------------------------------------------------------


@pytest.mark.parametrize("implemented", [1, 2, 4, 8])
@pytest.mark.parametrize("size", [1, 2, 4, 8])
def test_a_big_endian_device_shows_its_bytes_in_address_order(
    memory: MemorySystem, size: int, implemented: int
) -> None:
    """A register file whose first byte is its most significant one: bytes stay where they are."""
    data = bytearray(PATTERN)

    def read(offset: int, length: int) -> int:
        return int.from_bytes(data[offset : offset + length], "big")

    def write(offset: int, value: int, length: int) -> None:
        data[offset : offset + length] = value.to_bytes(length, "big")

    ops = MemoryRegionOps(
        read=read,
        write=write,
        endianness=Endianness.BIG,
        valid=AccessSizes(1, 8),
        impl=AccessSizes(1, implemented),
    )
    space = memory.address_space("space", memory.io("big", 0x20, ops))
    for _ in range(2):
        assert space.load(8, size) == int.from_bytes(PATTERN[8 : 8 + size], "little")
        assert space.read(8, size) == PATTERN[8 : 8 + size]
    assert space.store(0, size, 0x8877665544332211 & ((1 << 8 * size) - 1)) is OK
    assert data[:size] == bytes.fromhex("1122334455667788")[:size]


def test_a_narrow_access_of_a_wide_big_endian_register_gets_its_top(memory: MemorySystem) -> None:
    written: list[tuple[int, int, int]] = []
    ops = MemoryRegionOps(
        read=lambda _offset, _size: 0x11223344,
        write=lambda offset, value, size: written.append((offset, value, size)),
        endianness=Endianness.BIG,
        impl=AccessSizes(4, 4),
    )
    space = memory.address_space("space", memory.io("big", 4, ops))
    assert space.load(0, 1) == 0x11
    assert space.load(0, 2) == 0x2211
    space.store(0, 1, 0xAB)
    assert written == [(0, 0xAB000000, 4)]


def test_only_the_asked_bits_of_a_value_count(memory: MemorySystem) -> None:
    written: list[int] = []
    ops = MemoryRegionOps(
        read=lambda _offset, _size: -1,
        write=lambda _offset, value, _size: written.append(value),
    )
    space = memory.address_space("space", memory.io("io", 8, ops))
    for _ in range(2):
        assert [space.load(0, size) for size in (1, 2, 4, 8)] == [
            0xFF, 0xFFFF, 0xFFFF_FFFF, 0xFFFF_FFFF_FFFF_FFFF,
        ]  # fmt: skip
        space.store(0, 2, 0x12345)
        space.store(0, 1, -1)
    assert written == [0x2345, 0xFF] * 2


# -- callbacks and results -------------------------------------------------------------------------


def test_results_of_pieces_are_joined(memory: MemorySystem) -> None:
    ops = MemoryRegionOps(
        read_with_attrs=lambda offset, _size, _attrs: (offset, ERROR if offset == 4 else OK),
        write_with_attrs=lambda offset, _value, _size, _attrs: ACCESS_ERROR if offset else OK,
        valid=AccessSizes(4, 4),
    )
    root = memory.container("root", 0x100)
    root.add_subregion(0, memory.io("io", 8, ops))
    space = memory.address_space("space", root)
    buffer = bytearray(12)
    assert space.read_into(0, buffer) == ERROR | DECODE_ERROR
    assert buffer == bytes([0, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0])
    assert space.write(0, bytes(12)) == ACCESS_ERROR | DECODE_ERROR
    assert space.write(0, bytes(4)) is OK
    assert space.load_result(4, 4) == (4, ERROR)
    assert space.load_result(0, 8) == (4 << 32, ERROR)


def test_callbacks_hear_the_attributes(memory: MemorySystem) -> None:
    heard: list[int] = []

    def read(_offset: int, _size: int, attrs: MemTxAttrs) -> tuple[int, MemTxResult]:
        heard.append(attrs.requester_id)
        return 0, OK

    def write(_offset: int, _value: int, _size: int, attrs: MemTxAttrs) -> MemTxResult:
        heard.append(attrs.requester_id)
        return OK

    ops = MemoryRegionOps(read_with_attrs=read, write_with_attrs=write)
    space = memory.address_space("space", memory.io("io", 8, ops))
    space.load_result(0, 4, MemTxAttrs(requester_id=1))
    space.store(0, 4, 0, MemTxAttrs(requester_id=2))
    space.read_into(0, bytearray(4), MemTxAttrs(requester_id=3))
    space.write(0, bytes(4), MemTxAttrs(requester_id=4))
    assert heard == [1, 2, 3, 4]


def test_missing_callbacks_read_zero_and_ignore_writes(memory: MemorySystem) -> None:
    space = memory.address_space("space", memory.io("io", 8, MemoryRegionOps()))
    assert space.load_result(0, 4) == (0, OK)
    assert space.store(0, 4, 1) is OK


# -- nobody there ----------------------------------------------------------------------------------


def test_what_nobody_answers_reads_zero_and_fails(memory: MemorySystem) -> None:
    root = memory.container("root", 1 << 64)
    root.add_subregion(0x1000, memory.io("reserved", 0x1000, None))
    space = memory.address_space("space", root)
    for address in (0, 0x1000, 0x5000, (1 << 64) - 2):
        assert space.load_result(address, 4) == (0, DECODE_ERROR)
        assert space.store(address, 4, 1) is DECODE_ERROR
        assert space.read(address, 3) == bytes(3)
    assert space.find(0) is None
    section = space.find(0x1004)
    assert section is not None
    assert (section.region.name, section.offset_within_region) == ("reserved", 0)
    assert (section.offset_within_address_space, section.size) == (0x1000, 0x1000)


def test_ports_that_nobody_answers_read_all_ones(memory: MemorySystem) -> None:
    ports = memory.address_space("I/O", memory.io("io", 0x10000, UNASSIGNED_IO_OPS))
    assert [ports.load_result(0x77, size) for size in (1, 2, 4)] == [
        (0xFF, OK), (0xFFFF, OK), (0xFFFF_FFFF, OK),
    ]  # fmt: skip
    assert ports.store(0x77, 1, 0) is OK
    assert ports.read(0x80, 3) == b"\xff\xff\xff"
    assert ports.read(0xFFFE, 4) == b"\xff\xff\0\0"  # beyond the last port there is nothing


def test_an_access_goes_whole_to_the_device_that_it_starts_in(memory: MemorySystem) -> None:
    """As a PC's CF8h: a device of one byte at CF9h does not cut a 4-byte access at CF8h."""
    device = Device(valid=AccessSizes(1, 4))
    reset = Device()
    root = memory.io("io", 0x10000, UNASSIGNED_IO_OPS)
    root.add_subregion(0xCF8, memory.io("conf-idx", 4, device.ops))
    root.add_subregion(0xCF9, memory.io("reset", 1, reset.ops), 1)
    space = memory.address_space("I/O", root)
    space.store(0xCF8, 4, 0x80000000)
    space.store(0xCF9, 1, 6)
    assert device.calls == [("w", 0, 4)]
    assert reset.calls == [("w", 0, 1)]


def test_one_read_crosses_ram_holes_and_devices(memory: MemorySystem) -> None:
    device = Device(valid=AccessSizes(1, 4))
    root = memory.container("root", 1 << 64)
    ram = memory.ram("ram", 0x1000)
    root.add_subregion(0, ram)
    root.add_subregion(0x1000, memory.io("device", 4, device.ops))
    root.add_subregion(0x1008, memory.alias("alias", ram, 0, 4))
    space = memory.address_space("space", root)
    space.write(0, b"head")
    space.write(0xFFE, b"xy")
    buffer = bytearray(16)
    assert space.read_into(0xFFE, buffer) is DECODE_ERROR
    assert buffer == b"xy" + PATTERN[:4] + bytes(4) + b"head" + bytes(2)
    assert space.write(0xFFF, b"abcdefghijklm") is DECODE_ERROR
    assert (space.read(0xFFF, 1), bytes(device.data[:4])) == (b"a", b"bcde")
    assert space.read(0, 4) == b"jklm"
    assert space.load(0xFFE, 4) == int.from_bytes(b"xabc", "little")


def test_addresses_wrap_at_the_end_of_the_space(memory: MemorySystem) -> None:
    root = memory.container("root", 1 << 64)
    root.add_subregion(0, memory.ram("low", 0x1000))
    root.add_subregion((1 << 64) - 0x1000, memory.ram("high", 0x1000))
    space = memory.address_space("space", root)
    assert space.write((1 << 64) - 2, b"abcd") is OK
    assert space.read((1 << 64) - 2, 4) == b"abcd"
    assert space.read(0, 2) == b"cd"
    space.write_rom((1 << 64) - 1, b"XY")
    assert space.load((1 << 64) - 2, 4) == int.from_bytes(b"aXYd", "little")


def test_the_end_of_ram(memory: MemorySystem) -> None:
    root = memory.container("root", 1 << 64)
    root.add_subregion(0, memory.ram("ram", 0x1000))
    space = memory.address_space("space", root)
    assert space.store(0xFFC, 4, 0x44332211) is OK
    assert space.load_result(0xFFC, 4) == (0x44332211, OK)
    assert space.load_result(0xFFE, 4) == (0x4433, DECODE_ERROR)
    assert space.store(0xFFE, 4, 0xDDCCBBAA) is DECODE_ERROR
    assert space.read(0xFFC, 6) == b"\x11\x22\xaa\xbb\0\0"
    assert space.set(0xFF0, 0x1FF, 0x20) is DECODE_ERROR
    assert space.read(0xFEF, 3) == b"\0\xff\xff"
    assert space.set(0, 0x5A, 0) is OK
    assert space.set(0, 0x5A, 0x1000) is OK
    assert space.read(0, 0x1000) == b"\x5a" * 0x1000


def test_setting_more_than_a_piece(memory: MemorySystem) -> None:
    space = memory.address_space("space", memory.ram("ram", 0x30000))
    assert space.set(1, 7, 0x2FFFE) is OK
    assert space.read(0, 0x30000) == b"\0" + b"\7" * 0x2FFFE + b"\0"


def test_loads_follow_the_map(memory: MemorySystem) -> None:
    """What the last access has left behind must not outlive a change."""
    device = Device()
    root = memory.container("root", 1 << 64)
    ram = memory.ram("ram", 0x1000)
    io = memory.io("device", 0x20, device.ops)
    root.add_subregion(0, ram)
    root.add_subregion(0, io, 1)
    root.add_subregion(0x8000, memory.ram("other", 0x1000))
    space = memory.address_space("space", root)
    space.load(0, 4)
    space.store(0, 4, 0xFFFFFFFF)
    io.set_enabled(False)
    assert space.load(0, 4) == 0
    space.store(0, 4, 0x1234)
    assert space.load(0, 4) == 0x1234
    io.set_enabled(True)
    assert space.load(0, 4) == 0xFFFFFFFF
    assert bytes(ram.buffer or b"")[:2] == b"\x34\x12"


def test_many_addresses_of_a_device_are_not_kept_for_ever(memory: MemorySystem) -> None:
    ops = MemoryRegionOps(read=lambda offset, _size: offset & 0xFF, write=lambda *_: None)
    space = memory.address_space("space", memory.io("io", 0x10000, ops))
    for address in range(0x10000):
        assert space.load(address, 1) == address & 0xFF
        space.store(address, 1, 0)
    assert len(space.view.plans) < 5000


# -- kinds of memory -------------------------------------------------------------------------------


def test_rom_refuses_writes_but_not_a_loaders_or_a_debuggers(memory: MemorySystem) -> None:
    """QEMU hands a write to ROM to ops that accept nothing: DECODE_ERROR, and no change."""
    space = memory.address_space("space", memory.rom("rom", 0x1000))
    space.write_rom(0, b"firmware")
    assert space.write(0, b"infected") is DECODE_ERROR
    assert space.store(0, 4, 0) is DECODE_ERROR
    assert space.read(0, 8) == b"firmware"
    assert space.write(0, b"Debugged", DEBUG) is OK
    assert space.store(7, 1, 0x21, DEBUG) is OK
    assert space.read(0, 8) == b"Debugge!"


@pytest.mark.parametrize("enforce", [True, False])
def test_a_read_only_alias_keeps_writes_away_where_that_is_enforced(enforce: bool) -> None:
    """QEMU looks at the region's own flag; a PC's PAM in mode 1 lets DMA through there."""
    memory = MemorySystem(enforce_readonly=enforce)
    ram = memory.ram("ram", 0x1000)
    root = memory.container("root", 0x10000)
    root.add_subregion(0, ram)
    alias = memory.alias("alias", ram, 0, 0x1000)
    alias.set_readonly(True)
    root.add_subregion(0x2000, alias)
    space = memory.address_space("space", root)
    result = DECODE_ERROR if enforce else OK
    assert space.write(0x2000, b"data") is result
    assert space.read(0, 4) == (bytes(4) if enforce else b"data")
    assert space.store(0x2004, 4, 0x1234) is result
    assert space.load(4, 4) == (0 if enforce else 0x1234)
    assert space.write(0x2000, b"dbug", DEBUG) is OK
    assert space.write(0, b"user") is OK
    space.write_rom(0x2004, b"load")
    assert space.read(0x2000, 8) == b"userload"
    ram.set_readonly(True)
    assert space.write(0, b"none") is DECODE_ERROR
    assert space.read(0, 4) == b"user"


def test_a_read_only_alias_of_a_device_is_no_memory(memory: MemorySystem) -> None:
    device = Device()
    alias = memory.alias("alias", memory.io("io", 0x20, device.ops), 0, 0x20)
    alias.set_readonly(True)
    root = memory.container("root", 0x1000)
    root.add_subregion(0, alias)
    root.add_subregion(0x800, memory.io("other", 1, None))
    space = memory.address_space("space", root)
    assert space.store(0, 4, 0x01020304) is OK
    assert device.calls == [("w", 0, 4)]


def test_a_rom_device_reads_as_memory_or_as_a_device(memory: MemorySystem) -> None:
    device = Device(valid=AccessSizes(1, 4))
    flash = memory.rom_device("flash", 0x20, device.ops)
    assert flash.buffer is not None
    flash.buffer[:4] = b"rom!"
    space = memory.address_space("space", flash)
    assert space.read(0, 4) == b"rom!"
    assert space.load_result(0, 4) == (int.from_bytes(b"rom!", "little"), OK)
    assert not device.calls
    assert space.write(0, b"cmd.") is OK  # a command, not data
    assert space.store(4, 2, 0) is OK
    assert device.calls == [("w", 0, 4), ("w", 4, 2)]
    assert space.write(0, b"dbug", DEBUG) is OK
    assert space.read(0, 4) == b"dbug"
    space.write_rom(0, b"load")
    flash.set_romd_mode(False)
    device.calls.clear()
    assert space.read(0, 4) == b"cmd."
    assert space.load(0, 4) == int.from_bytes(b"cmd.", "little")
    space.write_rom(0, b"lost")
    assert space.write(8, b"d", DEBUG) is OK
    assert device.calls == [("r", 0, 4), ("r", 0, 4), ("w", 8, 1)]
    flash.set_romd_mode(True)
    assert space.read(0, 4) == b"load"


def test_a_read_only_alias_of_a_rom_device_drops_commands_in_rom_mode(memory: MemorySystem) -> None:
    device = Device()
    flash = memory.rom_device("flash", 0x20, device.ops)
    alias = memory.alias("alias", flash, 0, 0x20)
    alias.set_readonly(True)
    root = memory.container("root", 0x1000)
    root.add_subregion(0, alias)
    root.add_subregion(0x800, memory.io("other", 1, None))
    space = memory.address_space("space", root)
    assert space.store(0, 4, 1) is DECODE_ERROR
    assert not device.calls
    flash.set_romd_mode(False)
    assert space.store(0, 4, 1) is OK
    assert device.calls == [("w", 0, 4)]


def test_a_ram_device_is_accessed_in_bus_sizes(memory: MemorySystem) -> None:
    backing = bytearray(PATTERN)
    bar = memory.ram_device("bar", 0x1F, memoryview(backing)[: len(PATTERN)])
    told: list[tuple[int, int]] = []
    assert bar.ram_block is not None
    bar.ram_block.add_watcher(lambda offset, length: told.append((offset, length)))
    space = memory.address_space("space", bar)
    assert space.load(3, 8) == int.from_bytes(PATTERN[3:11], "little")
    assert space.read(1, 20) == PATTERN[1:21]
    assert space.store(5, 4, 0x04030201) is OK
    assert space.write(0x10, bytes(9)) is OK
    assert told == [(5, 4), (0x10, 8), (0x18, 1)]
    space.write_rom(0, b"loader")
    assert backing[:9] == PATTERN[:5] + bytes([1, 2, 3, 4])
    assert space.store(0x1E, 4, 0xFFFFFFFF) is OK  # only what is there is written
    assert backing[0x1E:] == b"\xff\xff"
    assert space.load(0x1E, 4) == 0xFFFF


def test_memory_without_backing_reads_zero_and_forgets(memory: MemorySystem) -> None:
    ram = memory.ram("ram", 1 << 50, backed=False)
    root = memory.container("root", 1 << 60)
    root.add_subregion(0, ram)
    space = memory.address_space("space", root)
    assert space.store(1 << 40, 8, -1) is OK
    for _ in range(2):
        assert space.load_result(1 << 40, 8) == (0, OK)
        assert space.load(1 << 40, 8) == 0
    assert space.read((1 << 50) - 2, 4) == bytes(4)


def test_memory_only_accesses_go_to_ram_alone(memory: MemorySystem) -> None:
    device = Device(valid=AccessSizes(1, 4))
    root = memory.container("root", 1 << 64)
    regions = {
        0x0000: (memory.ram("ram", 0x1000), OK),
        0x1000: (memory.ram_device("bar", 0x20, memoryview(bytearray(0x20))), OK),
        0x2000: (memory.rom_device("flash", 0x1000, device.ops), ACCESS_ERROR),
        0x3000: (memory.io("io", 0x20, device.ops), ACCESS_ERROR),
    }
    for at, (region, _) in regions.items():
        root.add_subregion(at, region)
    space = memory.address_space("space", root)
    for at, result in [*((a, r) for a, (_, r) in regions.items()), (0x8000, ACCESS_ERROR)]:
        space.store(at, 4, 0x01010101)  # leaves behind how that goes
        device.calls.clear()
        assert space.store(at, 4, 0x02020202, MEMORY_ONLY) is result
        assert space.write(at, b"four", MEMORY_ONLY) is result
        data = bytearray(4)
        assert space.read_into(at, data, MEMORY_ONLY) is result
        expected = b"four" if result is OK else bytes(4)
        assert data == expected
        value = int.from_bytes(expected, "little")
        assert space.load_result(at, 4, MEMORY_ONLY) == (value, result)
        assert not device.calls


def test_writes_tell_whoever_watches_the_block(memory: MemorySystem) -> None:
    ram = memory.ram("ram", 0x1000)
    block = ram.ram_block
    assert block is not None
    told: list[tuple[int, int]] = []

    def watcher(offset: int, length: int) -> None:
        told.append((offset, length))

    block.add_watcher(watcher)
    alias = memory.alias("alias", ram, 0x800, 0x800)
    space = memory.address_space("space", alias)
    space.write(0x10, b"abc")
    space.store(0x20, 4, 1)
    space.write_rom(0x30, b"x")
    space.read(0, 16)
    assert told == [(0x810, 3), (0x820, 4), (0x830, 1)]
    block.remove_watcher(watcher)
    space.write(0, b"more")
    assert len(told) == 3
