"""RAM blocks: their offsets, their order, and what they cost."""

from __future__ import annotations

import subprocess
import sys

import pytest

from guestmap.base import GIB, KIB, MIB, ConfigError
from guestmap.memory import MemorySystem
from guestmap.memory.ram import RamBlock
from guestmap.memory.ram.block_list import RamList


class KeptList(RamList):
    """A list whose blocks somebody holds."""

    def __init__(self) -> None:
        super().__init__()
        self.kept: list[RamBlock] = []

    def add(self, block: RamBlock) -> None:
        super().add(block)
        self.kept.append(block)


def allocate(*blocks: tuple[str, int]) -> tuple[RamList, dict[str, int]]:
    ram_list = KeptList()
    for name, length in blocks:
        ram_list.add(RamBlock(name, length, None))
    return ram_list, {block.name: block.offset for block in ram_list}


def test_offsets_are_those_of_qemu() -> None:
    """From ``info ramblock`` of QEMU 7.2.22, -M pc -m 128M -nodefaults -vga none, then backends."""
    expected = [
        ("pc.ram", 0x8000000, 0),
        ("pc.bios", 0x40000, 0x8000000),
        ("pc.rom", 0x20000, 0x8040000),
        ("/rom@etc/acpi/tables", 0x200000, 0x8080000),
        ("/rom@etc/table-loader", 0x10000, 0x8280000),
        ("/rom@etc/acpi/rsdp", 0x1000, 0x82C0000),
        ("m0", 128 * MIB, 0x8300000),
        ("m1", 128 * MIB, 0x10300000),
        ("m2", 0x8000001, 0x18300000),
        ("m3", 2 * GIB, 0x20340000),
        ("m4", 128 * MIB, 0xA0340000),
    ]
    ram_list, offsets = allocate(*((name, length) for name, length, _ in expected))
    assert offsets == {name: offset for name, _, offset in expected}
    assert {b.name: b.max_length for b in ram_list}["m2"] == 0x8001000


def test_offsets_with_a_vga_are_those_of_qemu() -> None:
    """From QEMU 7.2.22, -M pc -m 128M,slots=4,maxmem=2G -vga std."""
    expected = [
        ("pc.ram", 128 * MIB, 0),
        ("pc.bios", 0x40000, 0x8000000),
        ("pc.rom", 0x20000, 0x8040000),
        ("vga.vram", 16 * MIB, 0x8080000),
        ("vga.rom", 64 * KIB, 0x9080000),
        ("/rom@etc/acpi/tables", 0x200000, 0x90C0000),
        ("/rom@etc/table-loader", 0x10000, 0x92C0000),
        ("/rom@etc/acpi/rsdp", 0x1000, 0x9300000),
    ]
    _, offsets = allocate(*((name, length) for name, length, _ in expected))
    assert offsets == {name: offset for name, _, offset in expected}


def test_the_list_goes_by_size_and_the_oldest_comes_first_among_equals() -> None:
    ram_list, _ = allocate(("a", MIB), ("b", 4 * MIB), ("c", MIB), ("d", 2 * MIB), ("e", 4 * MIB))
    assert [block.name for block in ram_list] == ["b", "e", "d", "a", "c"]
    assert len(ram_list) == 5


def test_the_smallest_gap_that_is_large_enough_is_taken() -> None:
    ram_list, _ = allocate(*((f"{n}", MIB) for n in range(6)))
    blocks = {block.name: block for block in ram_list}
    for name in ("1", "2", "4"):
        ram_list.remove(blocks[name])
    assert ram_list.find_offset(MIB) == 4 * MIB
    assert ram_list.find_offset(2 * MIB) == MIB
    assert ram_list.find_offset(3 * MIB) == 6 * MIB
    assert ram_list.find(0) is blocks["0"]
    assert ram_list.find(MIB - 1) is blocks["0"]
    assert ram_list.find(MIB) is None


def test_of_two_equal_gaps_the_one_behind_the_older_block_is_taken() -> None:
    ram_list, _ = allocate(*((f"{n}", MIB) for n in range(6)))
    blocks = {block.name: block for block in ram_list}
    for name in ("1", "4"):
        ram_list.remove(blocks[name])
    assert ram_list.find_offset(MIB) == MIB


def test_a_block_that_fits_nowhere_is_refused() -> None:
    ram_list, _ = allocate(("most", (1 << 64) - (1 << 30)))
    with pytest.raises(ConfigError, match="Failed to find gap of requested size: 2147483648"):
        ram_list.add(RamBlock("more", 2 * GIB, None))
    assert [block.name for block in ram_list] == ["most"]


def test_a_region_has_its_block_in_the_systems_list(memory: MemorySystem) -> None:
    ram = memory.ram("pc.ram", MIB)
    rom = memory.rom("pc.bios", 0x40001)
    assert list(memory.ram_blocks) == [ram.ram_block, rom.ram_block]
    assert rom.ram_block is not None
    assert (rom.ram_block.used_length, rom.ram_block.max_length) == (0x41000, 0x41000)
    assert len(rom.ram_block.buffer) == 0x41000
    assert repr(rom.ram_block) == "<RamBlock pc.bios @0x100000 used 0x41000>"


def test_engines_find_the_memory_at_its_host_address(memory: MemorySystem) -> None:
    import ctypes

    block = memory.ram("ram", 0x2000).ram_block
    assert block is not None
    block.buffer[0x1234:0x1238] = b"here"
    assert ctypes.string_at(block.host_address + 0x1234, 4) == b"here"
    unbacked = memory.ram("map only", 0x1000, backed=False).ram_block
    assert unbacked is not None
    assert unbacked.host_address == 0


_BIG_GUEST = """
import time
from guestmap.memory import MemorySystem
def resident():
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[1]) * 4096
memory = MemorySystem()
start = time.perf_counter()
root = memory.container("system", 1 << 64)
root.add_subregion(0, memory.ram("pc.ram", 64 << 30))
space = memory.address_space("memory", root)
took = time.perf_counter() - start
for gib in range(64):
    space.store(gib << 30, 8, gib + 1)
assert [space.load(gib << 30, 8) for gib in range(64)] == list(range(1, 65))
print(resident(), took)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc/self/statm")
def test_a_guest_of_64_gib_starts_at_once_and_costs_what_it_touches() -> None:
    out = subprocess.run(
        [sys.executable, "-c", _BIG_GUEST], check=True, capture_output=True, text=True
    ).stdout
    resident, took = out.split()
    assert int(resident) < 60 * MIB
    assert float(took) < 1.0
