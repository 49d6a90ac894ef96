from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import pytest

from guestmap.accel import Register
from guestmap.memory import AddressSpace, MemorySystem
from guestmap.monitor.linear import LinearReader

_CR0_PG, _CR4_PSE, _CR4_PAE = 1 << 31, 1 << 4, 1 << 5
_TABLES = 0x1000
_DATA = bytes(range(256)) * 32  # what is at 0x8000


@pytest.fixture
def memory() -> AddressSpace:
    system = MemorySystem()
    space = system.address_space("cpu", system.ram("ram", 0x10000))
    space.write(0x8000, _DATA)
    return space


def reader(
    memory: AddressSpace,
    cr4: int,
    entries: Mapping[int, tuple[int, int]],
    *,
    long_mode: bool = False,
) -> LinearReader:
    """Return a reader with paging on; ``entries`` are value and size by address."""
    for at, (value, size) in entries.items():
        memory.store(at, size, value)
    registers = {Register.CR0: _CR0_PG, Register.CR3: _TABLES, Register.CR4: cr4}
    engine: Any = SimpleNamespace(read_register=registers.__getitem__)
    return LinearReader(engine, memory, long_mode=long_mode)


def test_two_levels(memory: AddressSpace) -> None:
    # SDM volume 3, figure 4-2: bits 31-22 of the address, 21-12, 11-0.
    linear = reader(
        memory,
        0,
        {
            _TABLES + 0x2FF * 4: (0x2001, 4),
            0x2000 + 0x155 * 4: (0x9001, 4),
            0x2000 + 0x156 * 4: (0x8003, 4),
        },
    )
    page = 0x2FF << 22 | 0x155 << 12
    assert linear.physical(page | 0x123) == 0x9123
    assert linear.read(page + 0xFF0, 32) == _DATA[0x1FF0:0x2000] + _DATA[:16]
    assert linear.physical(page - 0x1000) is None
    assert linear.read(page + 0x1FF0, 32) is None  # its second page is not there
    assert linear.physical(0) is None


def test_large_pages_of_two_levels(memory: AddressSpace) -> None:
    # Figure 4-3: bits 20-13 of the entry are bits 39-32 of the address.
    entries = {_TABLES + 4: (0x0040_0081 | 0x7 << 13, 4)}
    assert reader(memory, _CR4_PSE, entries).physical(0x0061_2345) == 0x7_0061_2345
    assert reader(memory, 0, entries).physical(0x0061_2345) is None


def test_three_levels(memory: AddressSpace) -> None:
    # Figure 4-5 and 4-6: bits 31-30 of the address, 29-21, 20-12 or a page of 2 MiB.
    linear = reader(
        memory,
        _CR4_PAE,
        {
            _TABLES + 3 * 8: (0x2001, 8),
            0x2000 + 0x1FE * 8: (0x3001, 8),
            0x3000 + 0x0AA * 8: (0x8000_0000_0000_8001, 8),
            0x2000 + 0x1FF * 8: (0x12_3460_0081, 8),
        },
    )
    base = 3 << 30
    assert linear.physical(base | 0x1FE << 21 | 0xAA << 12 | 0x456) == 0x8456
    assert linear.physical(base | 0x1FF << 21 | 0x12345) == 0x12_3461_2345
    assert linear.physical(base | 0x1FE << 21) is None
    assert linear.physical(base) is None
    assert linear.physical(0) is None


def test_without_paging_addresses_are_what_they_are(memory: AddressSpace) -> None:
    engine: Any = SimpleNamespace(read_register=lambda _: 0)
    linear = LinearReader(engine, memory)
    assert linear.read(0x8000, 4) == b"\0\1\2\3"
    assert linear.read(0xFFFE, 4) is None


def test_four_levels(memory: AddressSpace) -> None:
    # SDM volume 3, figures 4-8 to 4-10: bits 47-39, 38-30, 29-21, 20-12, 11-0.
    linear = reader(
        memory,
        _CR4_PAE,
        {
            _TABLES + 0x1FF * 8: (0x2003, 8),
            0x2000 + 0x1FE * 8: (0x3003, 8),
            0x2000 + 0x1FF * 8: (0x4000_0083, 8),  # 1 GiB
            0x3000 + 0x155 * 8: (0x4003, 8),
            0x3000 + 0x156 * 8: (0x20_0083, 8),  # 2 MiB
            0x4000 + 0x0AA * 8: (0x8000_0000_0000_8003, 8),  # not to be executed
        },
        long_mode=True,
    )
    top = 0xFFFF << 48 | 0x1FF << 39
    page = top | 0x1FE << 30 | 0x155 << 21 | 0xAA << 12
    assert linear.physical(page | 0x123) == 0x8123
    assert linear.read(page, 4) == _DATA[:4]
    assert linear.physical(page + 0x1000) is None
    assert linear.physical(top | 0x1FE << 30 | 0x156 << 21 | 0x12345) == 0x21_2345
    assert linear.physical(top | 0x1FF << 30 | 0x12345678) == 0x4000_0000 | 0x12345678
    assert linear.physical(0) is None
