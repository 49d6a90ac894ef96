"""Code that is written while it is in use: no constellation of aliases leaves the old code running.

Each program calls a routine that returns a number, has the routine's number changed in one way or
another, and calls it again: 1, then 2 is what any x86 does.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import pytest
from sortedcontainers import SortedDict

from guestmap.accel.unicorn.pieces import Piece
from guestmap.accel.unicorn.stale_code import StaleCode
from tests.accel.guest import DIMM, Guest

if TYPE_CHECKING:
    from collections.abc import Callable

ROUTINE = 0x50000
"""Where the routine is: ``mov al, 1; ret``."""

WINDOW = 0x800000
"""Where RAM shows a second time, guest-physically."""

DIRECTORIES, DIRECTORY, TABLE = 0x10000, 0x11000, 0x12000
EXECUTED, WRITTEN = 0x40000, 0x41000
NO_EXECUTE = 1 << 63

CALL = b"\xff\xd5\xe6\x80"  # call ebp; out 0x80, al
PATCH = b"\xc6\x47\x01\x02"  # mov byte [edi+1], 2
NEAR = b"\xc6\x87\x00\x01\x00\x00\x55"  # mov byte [edi+0x100], 55h


def le32(value: int) -> bytes:
    return value.to_bytes(4, "little")


def program(routine: int, written: int, change: bytes = NEAR + PATCH) -> bytes:
    load = b"\xbd" + le32(routine) + b"\xbf" + le32(written)  # mov ebp, routine; mov edi, written
    return load + CALL + change + CALL + b"\xf4"


PAGING = (
    b"\xb9\x80\x00\x00\xc0\x0f\x32\x0d\x00\x08\x00\x00\x0f\x30"  # EFER |= NXE
    b"\xb8" + le32(DIRECTORIES) + b"\x0f\x22\xd8"  # mov cr3, DIRECTORIES
    b"\x0f\x20\xe0\x83\xc8\x20\x0f\x22\xe0"  # or cr4, PAE
    b"\x0f\x20\xc0\x0d\x00\x00\x01\x80\x0f\x22\xc0"  # or cr0, PG | WP
)


def tables(guest: Guest, more: dict[int, int]) -> None:
    """Map the first 2 MiB one to one, without execution but for the program, and ``more``."""
    entries = {page << 12: page << 12 | 3 | NO_EXECUTE for page in range(512)}
    entries |= {0x1000: 0x1003} | more
    guest.memory.write(DIRECTORIES, struct.pack("<4Q", DIRECTORY | 1, 0, 0, 0))
    pages = [TABLE | 3, *(at << 21 | 0x83 for at in range(1, 512))]
    guest.memory.write(DIRECTORY, struct.pack("<512Q", *pages))
    guest.memory.write(TABLE, struct.pack("<512Q", *entries.values()))


def start(guest: Guest, code: bytes, *, paging: bool, more: dict[int, int] | None = None) -> None:
    guest.memory.write(ROUTINE, b"\xb0\x01\xc3")
    if paging:
        tables(guest, {ROUTINE: ROUTINE | 3} | (more or {}))
        code = PAGING + code
    guest.flat(code)
    guest.run()


both = pytest.mark.parametrize("paging", [False, True])


@both
def test_a_store_through_the_same_address(guest, paging):
    start(guest, program(ROUTINE, ROUTINE), paging=paging)
    assert guest.value() == [1, 2]


@pytest.mark.parametrize("bits", [3, 3 | NO_EXECUTE])
@pytest.mark.parametrize("kept", [1, 3])
def test_a_store_through_another_linear_address(guest, bits, kept):
    """What an operating system does to all of its code; ``kept``: the executable one's rights."""
    more = {EXECUTED: ROUTINE | kept, WRITTEN: ROUTINE | bits}
    start(guest, program(EXECUTED, WRITTEN), paging=True, more=more)
    assert guest.value() == [1, 2]


def test_a_store_through_an_entry_that_was_there_before_the_code_ran(guest):
    more = {EXECUTED: ROUTINE | 1, WRITTEN: ROUTINE | 3 | NO_EXECUTE}
    code = b"\xbf" + le32(WRITTEN) + NEAR * 3 + program(EXECUTED, WRITTEN, PATCH)
    start(guest, code, paging=True, more=more)
    assert guest.value() == [1, 2]


@both
def test_a_store_at_another_guest_physical_address(guest, paging):
    guest.root.add_subregion(WINDOW, guest.system.alias("again", guest.ram, 0, 0x100000))
    start(guest, program(ROUTINE, WINDOW + ROUTINE), paging=paging)
    assert guest.value() == [1, 2]


@both
def test_code_at_another_guest_physical_address(guest, paging):
    guest.root.add_subregion(WINDOW, guest.system.alias("again", guest.ram, 0, 0x100000))
    start(guest, program(WINDOW + ROUTINE, ROUTINE), paging=paging)
    assert guest.value() == [1, 2]


@both
@pytest.mark.parametrize("through", [0, WINDOW])
def test_a_device_that_writes(guest, paging, through):
    guest.root.add_subregion(WINDOW, guest.system.alias("again", guest.ram, 0, 0x100000))
    guest.on_port[0x81] = lambda _value: guest.memory.write(through + ROUTINE + 1, b"\x02")
    start(guest, program(ROUTINE, 0, b"\xe6\x81\xeb\x00"), paging=paging)
    assert guest.value() == [1, 2]


@both
def test_a_device_that_writes_where_a_store_was_before(guest, paging):
    """The store has made the page's entry fast, or not: the device's write counts all the same."""
    guest.on_port[0x81] = lambda _value: guest.memory.write(ROUTINE + 1, b"\x02")
    start(guest, program(ROUTINE, ROUTINE, NEAR + b"\xe6\x81\xeb\x00"), paging=paging)
    assert guest.value() == [1, 2]


def swap(guest: Guest) -> Callable[[int], None]:
    """Return what takes one DIMM out and puts another in its place."""
    dimms = [guest.system.ram(f"dimm{n}", 0x10000) for n in (1, 2)]
    for number, dimm in enumerate(dimms, 1):
        dimm.buffer[0:3] = bytes((0xB0, number, 0xC3))
    guest.root.add_subregion(DIMM, dimms[0])

    def exchange(_value: int) -> None:
        with guest.system.transaction():
            guest.root.del_subregion(dimms[0])
            guest.root.add_subregion(DIMM, dimms[1])

    return exchange


@both
def test_a_dimm_in_the_place_of_one_with_code(guest, paging):
    guest.on_port[0x81] = swap(guest)
    start(guest, program(DIMM, DIMM, NEAR + b"\xe6\x81\xeb\x00"), paging=paging)
    assert guest.value() == [1, 2]


@both
def test_a_dimm_that_is_written_in_the_place_of_one_with_code(guest, paging):
    guest.on_port[0x81] = swap(guest)
    change = b"\xe6\x81\xeb\x00" + CALL + NEAR + b"\xc6\x47\x01\x03"
    start(guest, program(DIMM, DIMM, change), paging=paging)
    assert guest.value() == [1, 2, 3]


@both
def test_shadow_memory_that_is_switched_under_the_code(guest, paging):
    """What a PAM register does: a read-only copy, then RAM that is written and run."""
    low = guest.system.ram("shadow", 0x10000)
    rom = guest.system.rom("copy", 0x10000)
    for region, number in ((low, 1), (rom, 1)):
        region.buffer[0:3] = bytes((0xB0, number, 0xC3))
    guest.root.add_subregion(DIMM, low)
    guest.root.add_subregion(DIMM, rom, 1)
    guest.on_port[0x81] = lambda _value: rom.set_enabled(False)
    change = PATCH + CALL + b"\xe6\x81\xeb\x00" + NEAR + PATCH
    start(guest, program(DIMM, DIMM, change), paging=paging)
    assert guest.value() == [1, 1, 2]


def fill(*, up: bool, first: int, count: int) -> bytes:
    """Return a loop that fills memory at EDI with NOPs, up or down from an offset."""
    load = b"\x8d\xb7" + le32(first) + b"\xb9" + le32(count)  # lea esi, [edi + first]; mov ecx
    return load + b"\xc6\x06\x90" + (b"\x46" if up else b"\x4e") + b"\xe2\xfa"  # mov; inc; loop


def last(number: int) -> bytes:
    """Return what puts a routine at the end of the page at EDI."""
    return (
        b"\x66\xc7\x87\xfc\x0f\x00\x00\xb0"
        + bytes((number,))
        + (
            b"\x66\xc7\x87\xfe\x0f\x00\x00\xc3\x90"  # mov word [edi + 0xffc], ...
        )
    )


TIMES = 8
"""So often that the page is given up as one that keeps changing sides."""

PLACES = {
    "no paging": (ROUTINE, ROUTINE, None),
    "the same address": (ROUTINE, ROUTINE, {}),
    "another linear address": (EXECUTED, WRITTEN, {EXECUTED: ROUTINE | 1, WRITTEN: ROUTINE | 3}),
    "one without code": (
        EXECUTED, WRITTEN, {EXECUTED: ROUTINE | 1, WRITTEN: ROUTINE | 3 | NO_EXECUTE}
    ),
}  # fmt: skip


@pytest.mark.parametrize("up", [True, False])
@pytest.mark.parametrize("place", PLACES)
def test_a_page_with_code_that_is_filled_with_other_code(guest, place, up):
    executed, written, more = PLACES[place]
    whole = fill(up=up, first=0 if up else 0xFFF, count=0x1000)
    change = b"".join(whole + last(n) + CALL for n in range(2, TIMES))
    change += whole + last(TIMES)
    start(guest, program(executed, written, change), paging=more is not None, more=more)
    assert guest.value() == [*range(1, TIMES + 1)]


@pytest.mark.parametrize("up", [True, False])
@pytest.mark.parametrize("place", PLACES)
def test_a_page_with_code_whose_rest_is_filled(guest, place, up):
    executed, written, more = PLACES[place]
    rest = fill(up=up, first=0x100 if up else 0xFFF, count=0xF00)
    change = b"".join(rest + PATCH[:-1] + bytes((n,)) + CALL for n in range(2, TIMES))
    change += rest + PATCH[:-1] + bytes((TIMES,))
    start(guest, program(executed, written, change), paging=more is not None, more=more)
    assert guest.value() == [*range(1, TIMES + 1)]


@both
def test_code_that_fills_its_own_page(guest, paging):
    code = fill(up=True, first=0x100, count=0x700)
    routine = b"\xbf" + le32(ROUTINE) + code + b"\xb0\x01\xfe\x47\x0f\xc3"
    assert routine[len(code) + 6] == 1
    routine = routine.replace(b"\xfe\x47\x0f", b"\xfe\x47" + bytes((len(code) + 6,)))
    for number in range(1, TIMES):
        start_with(guest, routine, CALL * number + b"\xf4", paging=paging)
        assert guest.value() == [*range(1, number + 1)]


def start_with(guest: Guest, routine: bytes, code: bytes, *, paging: bool) -> None:
    """Run a program with a routine of its own."""
    guest.ports.clear()
    guest.memory.write(ROUTINE, routine)
    if paging:
        tables(guest, {ROUTINE: ROUTINE | 3})
    guest.flat((PAGING if paging else b"") + b"\xbd" + le32(ROUTINE) + code)
    guest.run()


FIRST = Piece(0x1000, 0x5000, object(), 0x800, writable=True, romd=False)  # type: ignore[arg-type]
AGAIN = FIRST._replace(start=0x11000, end=0x15000)
OTHER = Piece(0x5000, 0x6000, object(), 0, writable=True, romd=False)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("address", "length", "stale"),
    [
        (0x1010, 4, [(0x11010, 0x11014)]), (0x11010, 4, [(0x1010, 0x1014)]),
        (0x4FFE, 4, [(0x14FFE, 0x15000)]), (0x5000, 4, []), (0xFFE, 4, [(0x11000, 0x11002)]),
        (0x1000, 0x5000, [(0x11000, 0x15000)]), (0x20000, 4, []),
    ],
)  # fmt: skip
def test_where_else_a_store_shows(
    address: int, length: int, stale: list[tuple[int, int]]
) -> None:  # fmt: skip
    pieces = SortedDict((each.start, each) for each in (FIRST, AGAIN, OTHER))
    code = StaleCode(pieces)
    assert code.written_by_guest(address, length) is bool(stale)
    assert code.ranges == stale
    code = StaleCode(pieces)
    code.may_have_code = lambda _page: False
    assert not code.written_by_guest(address, length)
    assert code.ranges == []


@pytest.mark.parametrize(
    ("offset", "length", "places"),
    [
        (0x800, 4, [(0x1000, 0x1004), (0x11000, 0x11004)]), (0x7FE, 2, []),
        (0x47FF, 9, [(0x4FFF, 0x5000), (0x14FFF, 0x15000)]), (0x4800, 9, []),
        (0x7FF, 2, [(0x1000, 0x1001), (0x11000, 0x11001)]),
    ],
)  # fmt: skip
def test_where_a_write_of_the_hosts_shows(
    offset: int, length: int, places: list[tuple[int, int]]
) -> None:
    code = StaleCode(SortedDict((each.start, each) for each in (FIRST, AGAIN, OTHER)))
    assert code.written(FIRST.block, offset, length) is bool(places)
    assert code.ranges == places


def test_where_no_code_can_be_a_write_shows_nowhere_while_the_cpu_waits() -> None:
    asked: list[int] = []

    def may_have_code(page: int) -> bool:
        asked.append(page)
        return page == 0x12

    code = StaleCode(SortedDict((each.start, each) for each in (FIRST, AGAIN, OTHER)))
    code.may_have_code = may_have_code
    assert code.written(FIRST.block, 0x900, 4)
    assert code.ranges == [(0x1100, 0x1104), (0x11100, 0x11104)], "it may be translating just now"
    code.ranges.clear()
    code.cpu_waits = lambda: True
    assert not code.written(FIRST.block, 0x900, 4)
    assert asked == [1, 0x11]
    assert code.written(FIRST.block, 0x17FE, 4)
    assert code.ranges == [(0x11FFE, 0x12002)], "its last page has code"


def test_a_change_of_the_map_is_seen() -> None:
    pieces = SortedDict((each.start, each) for each in (FIRST, OTHER))
    code = StaleCode(pieces)
    assert code.written(FIRST.block, 0x800, 1)
    code.ranges.clear()
    del pieces[FIRST.start]
    pieces[AGAIN.start] = AGAIN
    code.remapped()
    assert code.written(FIRST.block, 0x800, 1)
    assert code.ranges == [(0x11000, 0x11001)]


@both
def test_a_device_that_writes_where_no_code_is_does_not_make_the_cpu_leave(guest, paging):
    if guest.vcpu.engine != "unicorn" or not guest.vcpu.cpu.internals:
        pytest.skip("no engine that knows where code is")
    guest.on_port[0x81] = lambda _value: guest.memory.write(0x60000, b"\x02")
    counted = []
    guest.on_port[0x82] = lambda _value: counted.append(guest.accelerator.statistics())
    change = b"\xe6\x82" + b"\xe6\x81\xeb\x00" * 20 + b"\xe6\x82"
    start(guest, program(ROUTINE, 0, change), paging=paging)
    before, after = counted
    assert after.invalidations == before.invalidations
    assert after.entries - before.entries < 5
