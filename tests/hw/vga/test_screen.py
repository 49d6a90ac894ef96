"""What our VGA shows is what QEMU's shows, dot for dot."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

import pytest

from guestmap.hw.vga.screen import ScreenPicture
from tests.hw.vga import modes
from tests.hw.vga.benches import PLACED, VgaBench
from tests.hw.vga.both import Both
from tests.support.qemu import Qemu

pytestmark = [pytest.mark.qemu_7_2("its VGA"), pytest.mark.qemu, pytest.mark.seabios]


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Both]:
    with Qemu("-vga", "std") as qemu:
        ours = VgaBench()
        yield Both(ours, qemu, tmp_path_factory.mktemp("screen"), PLACED)


@pytest.mark.parametrize("name", modes.GRAPHICS)
def test_graphics(both: Both, name: str) -> None:
    both.assert_same(modes.GRAPHICS[name].commands())


@pytest.mark.parametrize("name", modes.GRAPHICS)
def test_graphics_with_other_registers(both: Both, name: str) -> None:
    random = Random(name)
    for _ in range(4):
        both.assert_same(modes.GRAPHICS[name].varied(random).commands())


def test_text(both: Both) -> None:
    both.obey(modes.GRAPHICS["640x480, 16 colours"].commands())
    both.dump()
    both.obey(modes.TEXT_80.commands())
    assert both.ours.vga.picture() == both.dump()
    both.obey(["outb 0x3d4 0xd", "outb 0x3d5 0x7", "outb 0x3c4 0x3", "outb 0x3c5 0x14"])
    both.obey(["inb 0x3da", "outb 0x3c0 0x10", "outb 0x3c0 0x8", "outb 0x3c0 0x20"])
    assert both.ours.vga.picture() == both.dump()


def test_text_of_40_columns(both: Both) -> None:
    both.obey(modes.GRAPHICS["640x480, 16 colours"].commands())
    both.dump()
    both.obey(modes.TEXT_40.commands())
    assert both.ours.vga.picture() == both.dump()


@pytest.mark.parametrize("place", [0, 79, 1097, 1999])
def test_the_cursor_of_text(both: Both, place: int) -> None:
    # QEMU's clock stands here: it blinks once, each time that text follows on graphics.
    seen = set()
    for _ in range(2):
        both.obey(modes.GRAPHICS["640x480, 16 colours"].commands())
        both.dump()
        both.obey(modes.TEXT_80.commands())
        for index, value in ((0x0A, 5), (0x0B, 12), (0x0E, place >> 8), (0x0F, place & 0xFF)):
            both.obey([f"outb 0x3d4 {index:#x}", f"outb 0x3d5 {value:#x}"])
        seen.add(both.dump())
    pictures = both.ours.vga.picture(), both.ours.vga.picture(cursor=False)
    assert len(set(pictures)) == 2
    assert seen == {*pictures}


@pytest.mark.parametrize("depth", [4, 8, 15, 16, 24, 32])
def test_frame_buffers(both: Both, depth: int) -> None:
    both.assert_same(modes.frame_buffer(640, 480, depth))
    both.assert_same(modes.frame_buffer(320, 200, depth, virtual_width=704, left=24, top=3))
    both.obey(["outw 0x1ce 0x4", "outw 0x1cf 0x0"])


def test_a_hidden_palette_is_black(both: Both) -> None:
    both.obey(modes.TEXT_80.commands())
    both.dump()
    both.obey(["inb 0x3da", "outb 0x3c0 0x0"])
    dots = both.ours.vga.picture()
    assert dots == ScreenPicture(720, 400, bytes(3 * 720 * 400)) == both.dump()
