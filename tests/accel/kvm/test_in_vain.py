"""What a guest on KVM does in vain is kept: what comes out of it, and where its CPU is then."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from guestmap.accel.debug import WatchKind
from guestmap.accel.in_vain import Why
from guestmap.cli.in_vain import print_in_vain
from guestmap.memory import AccessSizes, MemoryRegionOps
from tests.accel.heard import Heard
from tests.accel.kvm.fake_kernel import PAGE
from tests.accel.kvm.fake_vcpu import Mmio
from tests.accel.kvm.test_vcpu import HLT, Rig

HOLE = 0x40000000


@pytest.fixture
def rig():
    """A machine with a page of RAM, a ROM behind it, and a device that takes words alone."""
    made = Rig()
    made.root.add_subregion(0, made.system.ram("ram", PAGE))
    made.root.add_subregion(PAGE, made.system.rom("rom", PAGE))
    words = MemoryRegionOps(
        read=lambda _offset, _size: 0, write=lambda *_args: None, valid=AccessSizes(min=4, max=4)
    )
    made.root.add_subregion(0xE0100000, made.system.io("words", 0x10, words))
    made.kernel.reads_within = True
    made.kernel._state["regs"][128:136] = (0x1234).to_bytes(8, "little")
    yield made
    made.accelerator.close()


def kept(rig):
    return [
        (x.why, x.is_write, x.low, x.size, x.first.value, x.region, x.ip, x.exact, x.count)
        for x in rig.accelerator.in_vain.entries
    ]


def test_writes_to_rom_nobody_and_refused_sizes_are_kept(rig):
    rig.run(
        Mmio(PAGE + 8, 2, b"\x78\x56"), Mmio(HOLE, 4), Mmio(HOLE, 3, b"abc"),
        Mmio(0xE0100000, 1, b"\x01"), Mmio(0xE0100000, 4, b"\1\0\0\0"), Mmio(0xE0000000, 4), HLT,
    )  # fmt: skip
    assert kept(rig) == [
        (Why.ROM, True, PAGE + 8, 2, 0x5678, "rom", 0x1234, False, 1),
        (Why.NOBODY, False, HOLE, 4, None, "", 0x1234, True, 1),
        (Why.NOBODY, True, HOLE, 3, 0x636261, "", 0x1234, False, 1),
        (Why.REFUSED, True, 0xE0100000, 1, 1, "words", 0x1234, False, 1),
    ]


def test_what_found_no_room_is_counted_in_the_table_too(rig):
    rig.run(Mmio(HOLE, 4), HLT)
    rig.accelerator.in_vain.unlisted = 12
    out = io.StringIO()
    print_in_vain(Console(file=out, width=120), rig.accelerator.in_vain)
    assert "... and 12 accesses for which the list had no room" in out.getvalue()


def test_a_write_to_a_page_that_is_watched_is_none(rig):
    rig.vcpu.probe.watch([Heard().at(0x20, 0x2F, WatchKind.WRITE)])
    rig.run(Mmio(0x24, 4, b"\1\2\3\4"), HLT)
    assert kept(rig) == []


def test_the_table_says_before_which_instruction(rig):
    rig.run(Mmio(HOLE, 4, b"\1\0\0\0"), Mmio(HOLE, 4), HLT)
    told = Console(file=io.StringIO(), width=120)
    print_in_vain(told, rig.accelerator.in_vain)
    write, read = told.file.getvalue().splitlines()[2:]
    assert "before 0000:00001234" in write
    assert "0000:00001234" in read
    assert "before" not in read
