"""What becomes read-only where it already looked so.

A read-only alias makes a range read-only whatever its region is. When the region itself changes,
that range stays the same, and so does the view: nothing that an access left behind there may hold
on to what the region was.
"""

from __future__ import annotations

import pytest

from guestmap.memory import AddressSpace, MemoryRegionOps, MemorySystem, MemTxResult

OK, DECODE_ERROR, ACCESS_ERROR = MemTxResult.OK, MemTxResult.DECODE_ERROR, MemTxResult.ACCESS_ERROR


def test_ram_behind_a_read_only_alias_refuses_as_soon_as_it_is_read_only_itself() -> None:
    """As QEMU answers a PC's PAM in mode 1: by the RAM's own flag, not by the alias's."""
    memory = MemorySystem(enforce_readonly=False)
    ram = memory.ram("ram", 0x1000)
    alias = memory.alias("alias", ram, 0, 0x1000)
    alias.set_readonly(True)
    root = memory.container("root", 0x10000)
    root.add_subregion(0, alias)
    root.add_subregion(0x8000, memory.ram("other", 0x1000))  # alone, it would be seen without alias
    space = memory.address_space("space", root)
    for _ in range(2):
        assert space.store(0, 4, 1) is OK
        assert space.write(8, b"written!") is OK
    ram.set_readonly(True)
    assert space.store(0, 4, 2) is DECODE_ERROR
    assert space.write(8, b"refused!") is DECODE_ERROR
    assert (space.load(0, 4), space.read(8, 8)) == (1, b"written!")
    ram.set_readonly(False)
    assert space.store(0, 4, 3) is OK
    assert space.load(0, 4) == 3


class Dma:
    """A write of an address to register 0 accesses what is there; 4 counts writes."""

    space: AddressSpace

    def __init__(self) -> None:
        self.seen: list[tuple[int, int, MemTxResult, MemTxResult]] = []
        self.count = 0

    def read(self, offset: int, size: int) -> int:
        return 0x11

    def write(self, offset: int, value: int, size: int) -> None:
        if offset:
            self.count += 1
        else:
            number, result = self.space.load_result(value, 4)
            self.seen.append(
                (self.space.load(value, 4), number, result, self.space.store(value, 4, 0))
            )


@pytest.mark.parametrize("enforce", [True, False])
def test_whether_a_region_is_guarded_follows_its_own_flag(enforce: bool) -> None:
    memory, device = MemorySystem(enforce_readonly=enforce), Dma()
    ops = MemoryRegionOps(read=device.read, write=device.write)
    status = memory.io("status", 0x10, ops, owner=device)
    alias = memory.alias("alias", status, 0, 0x10)
    alias.set_readonly(True)
    root = memory.container("root", 0x1000)
    root.add_subregion(0, memory.io("registers", 0x10, ops, owner=device))
    root.add_subregion(0x100, alias)
    space = device.space = memory.address_space("space", root)
    for readonly in (False, True, False):
        status.set_readonly(readonly)
        device.seen.clear()
        device.count = 0
        for _ in range(2):
            space.store(0, 4, 0x104)
        taken, refused = (0x11, 0x11, OK, OK), (0, 0, ACCESS_ERROR, ACCESS_ERROR)
        assert device.seen == [taken if readonly else refused] * 2
        assert device.count == (2 if readonly else 0)
        for _ in range(2):  # from outside it answers always, and leaves behind what it may
            assert space.load_result(0x104, 4) == (0x11, OK)
            assert space.load(0x104, 4) == 0x11
            assert space.store(0x104, 4, 0) is OK
