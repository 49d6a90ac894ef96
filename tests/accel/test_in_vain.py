"""What the guest does in vain is kept, with the instruction that did it, and bounded."""

from __future__ import annotations

import pytest

from guestmap.accel.in_vain import MAX_ENTRIES, InVain, Why
from guestmap.memory import AccessSizes, MemoryRegionOps
from tests.accel.guest import CODE, DEVICE, FLAT_CODE, ROM_BASE, Guest

HOLE = 0x40000000


def le32(value: int) -> bytes:
    return value.to_bytes(4, "little")


@pytest.fixture(params=["unicorn", "unicorn-documented"])
def guest(request):
    with Guest(request.param) as machine:
        yield machine


def only_entry(guest):
    (entry,) = guest.accelerator.in_vain.entries
    return entry


def test_a_write_to_rom_names_the_very_instruction(guest):
    guest.flat(b"\x90\x90\xc7\x05" + le32(ROM_BASE + 8) + le32(0x5678) + b"\xf4")
    guest.run()
    entry = only_entry(guest)
    assert (entry.why, entry.is_write, entry.size, entry.region) == (Why.ROM, True, 4, "rom")
    assert (entry.cs, entry.ip, entry.exact) == (FLAT_CODE.selector, CODE + 2, True)
    assert (entry.first.address, entry.first.value, entry.count) == (ROM_BASE + 8, 0x5678, 1)


@pytest.mark.parametrize("offset", [1, 2, 3, 0xFFE])
def test_an_unaligned_write_to_rom_is_one_write(guest, offset):
    """Unicorn tells of it, and of each of its bytes again."""
    at = le32(ROM_BASE + offset)
    guest.flat(b"\xc7\x05" + at + le32(0x11223344) + b"\xc6\x05" + at + b"\x44\xf4")
    guest.run()
    assert [
        (each.count, each.size, each.low, each.first.value, each.ip)
        for each in guest.accelerator.in_vain.entries
    ] == [
        (1, 4, ROM_BASE + offset, 0x11223344, CODE), (1, 1, ROM_BASE + offset, 0x44, CODE + 10),
    ]  # fmt: skip


def test_a_string_of_writes_is_one_entry_with_its_first_and_last(guest):
    start = b"\xbf" + le32(ROM_BASE) + b"\xb9" + le32(16) + b"\xb0\xee"  # edi, ecx, al
    guest.flat(start + b"\xf3\xaa\xf4")  # rep stosb
    guest.run()
    entry = only_entry(guest)
    assert (entry.ip, entry.count, entry.low, entry.high) == (
        CODE + len(start), 16, ROM_BASE, ROM_BASE + 15,
    )  # fmt: skip
    assert (entry.first.address, entry.last.address) == (ROM_BASE, ROM_BASE + 15)
    assert entry.last.value == 0xEE
    assert entry.first.time_ns <= entry.last.time_ns


def test_reads_and_writes_to_nobody(guest):
    guest.flat(b"\xa1" + le32(HOLE) + b"\xa3" + le32(HOLE + 4) + b"\xf4", eax=0)
    guest.run()
    read, write = guest.accelerator.in_vain.entries
    assert (read.why, read.is_write, read.first.address, read.first.value) == (
        Why.NOBODY, False, HOLE, None,
    )  # fmt: skip
    assert (write.why, write.is_write, write.first.address) == (Why.NOBODY, True, HOLE + 4)
    assert write.region == ""
    assert CODE <= write.ip <= CODE + 5
    assert not write.exact


def test_a_size_that_the_device_refuses(guest):
    words = MemoryRegionOps(
        read=lambda _offset, _size: 0, write=lambda *_args: None, valid=AccessSizes(min=4, max=4)
    )
    guest.root.add_subregion(HOLE, guest.system.io("words", 0x10, words))
    guest.flat(b"\xa1" + le32(HOLE) + b"\xa2" + le32(HOLE) + b"\xf4")  # dword read, byte write
    guest.run()
    entry = only_entry(guest)
    assert (entry.why, entry.size, entry.is_write, entry.region) == (
        Why.REFUSED, 1, True, "words",
    )  # fmt: skip


def test_what_is_taken_is_no_entry_until_the_map_changes(guest):
    poll = b"\xa1" + le32(DEVICE) + b"\xe6\x80"  # mov eax, [DEVICE]; out 0x80, al
    guest.on_port[0x80] = lambda _value: guest.device.set_enabled(len(guest.ports) != 2)
    guest.flat(poll * 3 + b"\xf4")
    guest.run()
    entry = only_entry(guest)
    assert (entry.why, entry.first.address, entry.count) == (Why.NOBODY, DEVICE, 1)


def test_a_guest_that_goes_everywhere_fills_no_memory():
    with Guest("none") as guest:
        kept = InVain(lambda: (8, 0x1000))
        for page in range(MAX_ENTRIES + 7):
            kept.look(guest.memory, HOLE + 0x1000 * page, 4, -1)
        assert len(kept.entries) == MAX_ENTRIES
        assert kept.unlisted == 7
        assert kept.entries[0].first.value == 0xFFFFFFFF
