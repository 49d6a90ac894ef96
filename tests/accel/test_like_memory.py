"""A device that is accessed as memory is: remembered by pages, it hears what another one hears."""

from __future__ import annotations

import struct
from typing import Any

import pytest

from guestmap.memory import AccessSizes, MemoryRegionOps, MemorySystem, MemTxResult
from guestmap.memory.access.dispatch_cache import page_read, page_write
from tests.accel.guest import Guest

AT, SIZE = 0xE0010000, 0x2800
_SWEEP = (
    (b"\x88\x07", 1), (b"\x66\x89\x07", 2), (b"\x89\x07", 4),  # mov [edi], al; ax; eax
    (b"\x8a\x17", 1), (b"\x66\x8b\x17", 2), (b"\x8b\x17", 4),  # mov dl, [edi]; dx; edx
)  # fmt: skip


def _program() -> bytes:
    """Return code that sweeps with accesses of each size, from several addresses on."""
    code = b""
    for begin in (AT, AT + 0xFF0, AT + 0xFF3, AT + SIZE - 8, AT + 4):
        for access, step in _SWEEP:
            loop = access + b"\x83\xc7" + bytes((step,)) + b"\x40\x49"  # add edi; inc eax; dec ecx
            code += b"\xbf" + struct.pack("<I", begin) + b"\xb9\x14\x00\x00\x00"  # mov edi; mov ecx
            code += loop + b"\x75" + bytes((0x100 - len(loop) - 2,))
    return code + b"\xf4"


def _heard(
    engine: str, *, like_memory: bool, base: int, impl: AccessSizes
) -> tuple[list[Any], int]:
    """Return what a device hears of the program, and how much is remembered in the end."""
    heard: list[Any] = []

    def read(offset: int, size: int) -> int:
        heard.append(("r", offset, size))
        return offset * 0x01030507

    def write(offset: int, value: int, size: int) -> None:
        heard.append(("w", offset, value, size))

    ops = MemoryRegionOps(read=read, write=write, impl=impl, like_memory=like_memory)
    with Guest(engine) as guest:
        device = guest.system.io("device", SIZE + base, ops, owner=guest)
        guest.root.add_subregion(AT - base, device)
        guest.flat(_program(), eax=0x11223344)
        guest.run()
        return heard, len(guest.memory.view.plans)


@pytest.mark.parametrize("engine", ["unicorn", "unicorn-documented"])
@pytest.mark.parametrize("base", [0, 0x1000, 0x800])
@pytest.mark.parametrize("most", [2, 4])
def test_a_device_like_memory_hears_what_another_one_hears(
    engine: str, base: int, most: int
) -> None:
    impl = AccessSizes(min=1, max=most)
    heard, pages = _heard(engine, like_memory=True, base=base, impl=impl)
    expected, addresses = _heard(engine, like_memory=False, base=base, impl=impl)
    assert len(heard) > 300
    assert heard == expected
    assert pages < addresses / 2 if base % 0x1000 == 0 else pages == addresses


def test_it_is_not_entered_from_within_itself() -> None:
    """The guard against a device that reaches its own registers counts for a page, too."""
    with MemorySystem() as system:
        inner: list[Any] = []

        def read(offset: int, size: int) -> int:
            inner.append(space.store(offset + size, size, 7))
            return 0x55

        def write(_offset: int, _value: int, _size: int) -> None:
            inner.append(space.load(0x10, 1))

        ops = MemoryRegionOps(read=read, write=write, like_memory=True)
        space = system.address_space("space", system.io("io", 0x2000, ops, owner=object()))
        assert space.load(0x20, 1) == 0x55
        space.store(0x20, 1, 0)
        assert inner == [MemTxResult.ACCESS_ERROR, 0]
        remembered = page_read(space.view.plans, 0x123, 1)
        assert remembered is not None
        assert remembered() == 0x55
        written = page_write(space.view.plans, 0x123, 1)
        assert written is not None
        written(1, 1)
        assert inner == [MemTxResult.ACCESS_ERROR, 0] * 2


def test_what_is_remembered_goes_with_the_map() -> None:
    with MemorySystem() as system:
        root = system.container("root", 0x10000)
        ops = MemoryRegionOps(read=lambda offset, _size: offset & 0xFF, like_memory=True)
        device = system.io("io", 0x3000, ops)
        root.add_subregion(0x1000, device)
        space = system.address_space("space", root)
        assert space.load(0x1010, 1) == 0x10
        assert page_read(space.view.plans, 0x1FFF, 1) is not None
        assert page_read(space.view.plans, 0x2000, 1) is None, "another page"
        assert page_read(space.view.plans, 0x1010, 2) is None, "another size"
        root.add_subregion(0x1800, system.ram("over it", 0x1000), 1)
        assert page_read(space.view.plans, 0x1FFF, 1) is None
        assert space.load(0x1010, 1) == 0x10
        assert page_read(space.view.plans, 0x1010, 1) is None, "no whole page is left of it"
