"""An adapter of ours and QEMU's, with the same memory and palette: do they show the same?"""

from __future__ import annotations

import base64
from random import Random
from typing import TYPE_CHECKING, Any

from guestmap.hw.vga.screen import ScreenPicture
from tests.hw.vga import modes
from tests.hw.vga.traffic import MEMORY_BAR

if TYPE_CHECKING:
    from pathlib import Path

    from tests.hw.vga.benches import AdapterBench
    from tests.support.qemu import Qemu

_FILLED, _PIECE = 0x80000, 0x8000


class Both:
    """Both adapters, with the same random memory and palette."""

    def __init__(
        self, ours: AdapterBench[Any], qemu: Qemu, folder: Path, placed: tuple[str, ...]
    ) -> None:
        self.ours, self.qemu, self._file = ours, qemu, folder / "screen.ppm"
        random = Random(5)
        self.obey([*placed, "outb 0x3c8 0x0"])
        self.obey([f"outb 0x3c9 {random.getrandbits(6):#x}" for _ in range(768)])
        self.fill(0, random.randbytes(_FILLED))

    def fill(self, first: int, content: bytes) -> None:
        """Fill the memory from an offset on; its window shows the memory itself."""
        self.ours.vga.memory[first : first + len(content)] = content
        for at in range(0, len(content), _PIECE):
            piece = content[at : at + _PIECE]
            encoded = base64.b64encode(piece).decode()
            self.qemu.qtest(f"b64write {MEMORY_BAR + first + at:#x} {len(piece):#x} {encoded}")

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
