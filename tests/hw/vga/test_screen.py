"""What our VGA shows is what QEMU's shows, dot for dot."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from guestmap.hw.vga.screen import ScreenPicture
from tests.hw.vga import modes
from tests.hw.vga.benches import PLACED, VgaBench
from tests.hw.vga.traffic import MEMORY_BAR
from tests.support.qemu import Qemu

pytestmark = [pytest.mark.qemu_7_2("its VGA"), pytest.mark.qemu, pytest.mark.seabios]

_FILLED, _PIECE = 0x80000, 0x8000


class Both:
    """Both adapters, with the same random memory and palette."""

    def __init__(self, qemu: Qemu, folder: Path) -> None:
        self.ours, self.qemu, self._file = VgaBench(), qemu, folder / "screen.ppm"
        random = Random(5)
        self.obey([*PLACED, "outb 0x3c8 0x0"])
        self.obey([f"outb 0x3c9 {random.getrandbits(6):#x}" for _ in range(768)])
        memory = random.randbytes(_FILLED)
        buffer = self.ours.vga.vram.buffer
        assert buffer is not None
        buffer[:_FILLED] = memory
        for at in range(0, _FILLED, _PIECE):
            piece = base64.b64encode(memory[at : at + _PIECE]).decode()
            qemu.qtest(f"b64write {MEMORY_BAR + at:#x} {_PIECE:#x} {piece}")

    def obey(self, commands: list[str]) -> None:
        """Have both obey."""
        self.ours.obey(commands)
        for each in commands:
            self.qemu.qtest(each)

    def dump(self) -> ScreenPicture:
        """Return QEMU's screen."""
        self.qemu.qmp("screendump", filename=str(self._file))
        header, size, _depth, dots = self._file.read_bytes().split(b"\n", 3)
        assert header == b"P6"
        width, height = map(int, size.split())
        return ScreenPicture(width, height, dots)

    def assert_same(self, commands: list[str]) -> None:
        """Have both show a mode, and compare. QEMU draws all anew where the mode was another."""
        self.obey(modes.TEXT_40.commands())
        self.dump()
        self.obey(commands)
        assert self.ours.vga.picture() == self.dump()


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Both]:
    with Qemu("-vga", "std") as qemu:
        yield Both(qemu, tmp_path_factory.mktemp("screen"))


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
    # QEMU's blinks: one of two pictures, one after the other, has it.
    both.obey(modes.TEXT_80.commands())
    for index, value in ((0x0A, 5), (0x0B, 12), (0x0E, place >> 8), (0x0F, place & 0xFF)):
        both.obey([f"outb 0x3d4 {index:#x}", f"outb 0x3d5 {value:#x}"])
    ours = both.ours.vga.picture()
    bare = both.ours.vga.picture(cursor=False)
    assert ours != bare
    seen = set()
    while ours not in seen:  # pytest's timeout ends a wait in vain
        seen.add(both.dump())
        assert seen <= {ours, bare}
        both.obey(["outb 0x3d4 0xb", "outb 0x3d5 0xd", "outb 0x3d5 0xc"])


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
