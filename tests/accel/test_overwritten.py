"""Pages that code was in and that are data by now; and a TLB with a place for each of two pages.

That code which was written over is not run any more is in test_stale_code.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from guestmap.accel.unicorn.internals import Refused
from guestmap.accel.unicorn.internals.overwritten import CHANGES, OverwrittenCode
from tests.accel.guest import Guest
from tests.accel.known_builds import need_internals
from tests.accel.test_stale_code import CALL, ROUTINE, fill, le32

pytestmark = pytest.mark.unicorn
PAGE = ROUTINE >> 12


@pytest.fixture
def guest() -> Iterator[Guest]:
    with Guest(internals=True) as made:
        need_internals(made.accelerator)  # type: ignore[arg-type]
        yield made


def run(guest: Guest, *changes: bytes) -> None:
    """Call a routine, which returns at once, and do something; once for each of the changes."""
    guest.memory.write(ROUTINE, b"\xc3")
    load = b"\xbd" + le32(ROUTINE) + b"\xbf" + le32(ROUTINE)
    guest.flat(load + b"".join(CALL + each for each in changes) + b"\xf4")
    guest.run()


def has_code(guest: Guest) -> bool:
    return bool(guest.vcpu.cpu.internals.stores.has_code(PAGE))


FILL = fill(up=True, first=0x100, count=0x800)


def test_a_page_that_is_filled_is_data_again(guest: Guest) -> None:
    run(guest, b"")
    assert has_code(guest)
    run(guest, FILL)
    assert not has_code(guest)


@pytest.mark.parametrize(
    "change",
    [
        fill(up=True, first=0x100, count=0x80),
        (b"\xc6\x87\x00\x01\x00\x00\x55" + b"\xc6\x87\x40\x0f\x00\x00\x55") * 40,
    ],
    ids=["a little", "two places by turns"],
)
def test_a_page_that_is_written_to_is_not(guest: Guest, change: bytes) -> None:
    run(guest, change)
    assert has_code(guest)


def test_a_page_that_keeps_changing_sides_is_left_alone(guest: Guest) -> None:
    for times, expected in ((CHANGES, False), (CHANGES + 1, True), (CHANGES, False)):
        guest.vcpu.reset()
        run(guest, *[FILL] * times)
        assert has_code(guest) is expected


def structures(find: int = 0x1234, found: int = 8) -> Any:
    """Return those of an instance with one pointer."""
    instance = (ctypes.c_uint64 * 2)(0, find)
    library = SimpleNamespace(function=lambda _name: 0x1234)
    return SimpleNamespace(
        library=library, findings=SimpleNamespace(find_mapping=found),
        instance=ctypes.addressof(instance), keep=instance,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("there", "flag", "why"),
    [
        (structures(found=0), 1, "was not found"),
        (structures(), 0, "was not found"),
        (structures(find=0x5678), 1, "somebody else finds what is mapped"),
    ],
)
def test_why_it_is_refused(there: Any, flag: int, why: str) -> None:
    with pytest.raises(Refused, match=why):
        OverwrittenCode(there, None, 0, 0, flag)  # type: ignore[arg-type]


def looked_up(guest: Guest) -> int:
    """Load from two pages 1 MiB apart by turns, 1,000 times; return how often one was looked up."""
    structures = guest.vcpu.cpu.internals._structures
    at = structures.instance + structures.findings.find_mapping
    slot = ctypes.c_uint64.from_address(at)
    before, kind = slot.value, ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p, ctypes.c_uint64)
    calls: list[int] = []
    original = kind(before)

    def find(instance: int, address: int) -> int:
        calls.append(address)
        return original(instance, address)  # type: ignore[no-any-return]

    ours = kind(find)
    slot.value = ctypes.cast(ours, ctypes.c_void_p).value or 0
    try:
        # mov ecx, 1000; mov al, [0x70000]; mov al, [0x170000]; loop $-12; hlt
        loads = b"\xa0" + le32(0x70000) + b"\xa0" + le32(0x170000)
        guest.flat(b"\xb9" + le32(1000) + loads + b"\xe2\xf4\xf4")
        guest.run()
    finally:
        slot.value = before
    return sum(address in {0x70000, 0x170000} for address in calls)


def test_two_pages_a_mebibyte_apart_have_a_place_each_in_the_tlb() -> None:
    """A TLB that is flushed late (0.1 s) after it grew shrinks: who had to wait goes again."""
    for _ in range(10):
        with Guest(internals=True) as guest:
            need_internals(guest.accelerator)  # type: ignore[arg-type]
            times = looked_up(guest)
        if times < 100:
            return
    raise AssertionError(times)
