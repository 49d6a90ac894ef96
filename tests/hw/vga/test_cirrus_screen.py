"""What our Cirrus VGA shows is what QEMU's shows, dot for dot."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

import pytest

from tests.hw.vga import modes
from tests.hw.vga.benches import CirrusBench
from tests.hw.vga.both import Both
from tests.hw.vga.cirrus_traffic import MEMORY_SIZE, PLACED
from tests.support.qemu import Qemu

pytestmark = [pytest.mark.qemu_7_2("its VGA"), pytest.mark.qemu, pytest.mark.seabios]

_OPEN = ("outb 0x3ce 0xb", "outb 0x3cf 0x0")
_DEPTHS = {"8": (1, 0), "15": (7, 0xF0), "16": (7, 0xE1), "24": (5, 0), "32": (9, 0)}
"""The sequencer's extended mode, and the hidden DAC's register."""
_QUICK = "16"
_CASES = [
    pytest.param(name, marks=[] if name == _QUICK else [pytest.mark.long]) for name in _DEPTHS
]


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Both]:
    with Qemu("-vga", "cirrus") as qemu:
        folder = tmp_path_factory.mktemp("screen")
        pair = Both(CirrusBench(), qemu, folder, (*PLACED, *_OPEN))
        pair.fill(MEMORY_SIZE - 0x8000, Random(6).randbytes(0x8000))
        yield pair


def _indexed(port: int, **values: int) -> list[str]:
    return [
        line
        for name, value in values.items()
        for line in (f"outb {port:#x} {int(name[1:], 16):#x}", f"outb {port + 1:#x} {value:#x}")
    ]


def _extended(name: str, **crtc: int) -> list[str]:
    """Return the writes that show 640x480 dots of a depth."""
    mode, dac = _DEPTHS[name]
    lines = [*modes.GRAPHICS["640x480, 16 colours"].commands(), *_indexed(0x3CE, r5=0x40, rb=0)]
    lines += [*_indexed(0x3C4, r7=mode), "inb 0x3c8", *["inb 0x3c6"] * 4, f"outb 0x3c6 {dac:#x}"]
    return [
        *lines,
        *_indexed(0x3D4, r13=0x50, r1b=0, r1d=0, r1a=0, r9=0x40),
        *_indexed(0x3D4, **crtc),
    ]


def _as_vga() -> list[str]:
    return [*_indexed(0x3C4, r7=0, r12=0), *_indexed(0x3D4, r1b=0, r1d=0, r1a=0)]


@pytest.mark.long
@pytest.mark.parametrize("name", modes.GRAPHICS)
def test_modes_of_a_vga(both: Both, name: str) -> None:
    both.obey(_as_vga())
    both.assert_same(modes.GRAPHICS[name].commands())
    both.assert_same(modes.GRAPHICS[name].varied(Random(name)).commands())


def test_text(both: Both) -> None:
    both.obey([*_as_vga(), *modes.GRAPHICS["640x480, 16 colours"].commands()])
    both.dump()
    both.obey([*modes.TEXT_80.commands(), *_indexed(0x3D4, r1b=0x0D)])
    assert both.ours.vga.picture() == both.dump()


@pytest.mark.parametrize("name", _CASES)
def test_depths(both: Both, name: str) -> None:
    both.assert_same(_extended(name))
    assert len(set(both.ours.vga.picture().rgb)) > 16
    both.assert_same(_extended(name, rd=0x21, r13=0x60))
    both.assert_same(_extended(name, r1b=0x11, r13=0x41))
    both.assert_same(_extended(name, r1b=0x0D, r1d=0x80, r13=0xFF))
    both.assert_same(_extended(name, r9=0xC3, r17=0xE1, r1a=0x01))


@pytest.mark.parametrize("name", _CASES)
def test_the_cursor(both: Both, name: str) -> None:
    colours = [
        "outb 0x3c8 0x0",
        *["outb 0x3c9 0x15"] * 3,
        "outb 0x3c8 0xf",
        *["outb 0x3c9 0x2a"] * 3,
    ]
    hidden = [*_indexed(0x3C4, r12=2), *colours]
    for control, place in ((1, 3), (5, 9)):
        at = _indexed(0x3C4, r13=place, r50=0x12, r31=0x09)
        both.assert_same([*_extended(name), *hidden, *at, *_indexed(0x3C4, r12=control)])
        both.obey([*_indexed(0x3C4, rf0=0x4E, r71=0x3A)])
        assert both.ours.vga.picture() == both.dump()
    both.obey(_as_vga())


def test_a_reset_leaves_what_qemus_leaves(both: Both) -> None:
    both.obey(
        [*_extended("16"), *_indexed(0x3C4, r12=3, rf0=0x21), *_indexed(0x3CE, r9=4, r0=0x5A)]
    )
    both.qemu.qmp("system_reset")
    both.ours.chipset.bus.reset()
    for port in (0x3C4, 0x3CE, 0x3D4):
        both.obey(["outb 0x3c2 0x1", *PLACED])
        for index in range(0x40):
            both.obey([f"outb {port:#x} {index:#x}"])
            read = f"inb {port + 1:#x}"
            assert both.ours.answer(read) == int(both.qemu.qtest(read), 0), (hex(port), index)
