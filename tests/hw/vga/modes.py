"""Video modes as the IBM manuals' tables have them, as qtest lines, and random ones near them."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from random import Random

_WIDE = (0x5F, 0x4F, 0x50, 0x82, 0x54, 0x80, 0xBF, 0x1F)
_NARROW = (0x2D, 0x27, 0x28, 0x90, 0x2B, 0x80, 0xBF, 0x1F)
_EGA = (0, 1, 2, 3, 4, 5, 0x14, 7, 0x38, 0x39, 0x3A, 0x3B, 0x3C, 0x3D, 0x3E, 0x3F)
_CGA = (0, 0x13, 0x15, 0x17, 2, 4, 6, 7, 0x10, 0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17)
_HIDDEN_CURSOR = (0x2D, 0x0E)


class Mode(NamedTuple):
    """Registers of one mode."""

    misc: int
    sequencer: tuple[int, ...]
    crtc: tuple[int, ...]
    graphics: tuple[int, ...]
    attribute: tuple[int, ...]

    def commands(self) -> list[str]:
        """Return the writes that set it."""
        lines = [f"outb 0x3c2 {self.misc:#x}"]
        lines += _indexed(0x3C4, self.sequencer)
        lines += ["outb 0x3d4 0x11", "outb 0x3d5 0x0", *_indexed(0x3D4, self.crtc)]
        lines += [*_indexed(0x3CE, self.graphics), "inb 0x3da"]
        for index, value in enumerate(self.attribute):
            lines += [f"outb 0x3c0 {index:#x}", f"outb 0x3c0 {value:#x}"]
        return [*lines, "outb 0x3c0 0x20"]

    def varied(self, random: Random) -> Mode:
        """Return one of which some registers that decide about the picture are others."""
        near = {
            ("crtc", 0x17): range(256), ("crtc", 9): (0xC1, 0x41, 0x40, 0xC0, 0x4F, 0x80, 0x83),
            ("crtc", 0x13): range(256), ("crtc", 0x0C): range(64), ("crtc", 0x18): range(256),
            ("graphics", 5): (0, 0x20, 0x30, 0x40, 0x60), ("sequencer", 1): (0, 1, 8, 9),
            ("attribute", 0x10): range(256), ("attribute", 0x12): range(256),
            ("attribute", 0x14): range(256), ("sequencer", 3): range(256),
        }  # fmt: skip
        changed = {name: list(getattr(self, name)) for name in self._fields[1:]}
        for (name, index), values in near.items():
            if random.random() < 0.35:
                changed[name][index] = random.choice(values)
        return Mode(self.misc, *(tuple(changed[name]) for name in self._fields[1:]))


def _indexed(port: int, values: tuple[int, ...]) -> list[str]:
    return [
        line
        for index, value in enumerate(values)
        for line in (f"outb {port:#x} {index:#x}", f"outb {port + 1:#x} {value:#x}")
    ]


def _crtc(first: tuple[int, ...], scan: int, *last: int) -> tuple[int, ...]:
    return (*first, 0, scan, *_HIDDEN_CURSOR, 0, 0, 0, 0, *last)


TEXT_80 = Mode(
    0x67, (3, 0, 3, 0, 2), _crtc(_WIDE, 0x4F, 0x9C, 0x8E, 0x8F, 0x28, 0x1F, 0x96, 0xB9, 0xA3, 0xFF),
    (0, 0, 0, 0, 0, 0x10, 0x0E, 0, 0xFF), (*_EGA, 0x0C, 0, 0x0F, 8, 0),
)  # fmt: skip
TEXT_40 = Mode(
    0x67, (3, 8, 3, 0, 2),
    _crtc(_NARROW, 0x4F, 0x9C, 0x8E, 0x8F, 0x14, 0x1F, 0x96, 0xB9, 0xA3, 0xFF),
    (0, 0, 0, 0, 0, 0x10, 0x0E, 0, 0xFF), (*_EGA, 0x0C, 0, 0x0F, 8, 0),
)  # fmt: skip
GRAPHICS = {
    "320x200, 4 colours": Mode(
        0x63, (3, 9, 3, 0, 2),
        _crtc(_NARROW, 0xC1, 0x9C, 0x8E, 0x8F, 0x14, 0, 0x96, 0xB9, 0xA2, 0xFF),
        (0, 0, 0, 0, 0, 0x30, 0x0F, 0, 0xFF), (*_CGA, 1, 0, 3, 0, 0),
    ),
    "640x200, 2 colours": Mode(
        0x63, (3, 1, 1, 0, 6),
        _crtc(_WIDE, 0xC1, 0x9C, 0x8E, 0x8F, 0x28, 0, 0x96, 0xB9, 0xC2, 0xFF),
        (0, 0, 0, 0, 0, 0, 0x0D, 0, 0xFF), (0, *(0x17,) * 15, 1, 0, 1, 0, 0),
    ),
    "320x200, 16 colours": Mode(
        0x63, (3, 9, 0x0F, 0, 6),
        _crtc(_NARROW, 0xC0, 0x9C, 0x8E, 0x8F, 0x14, 0, 0x96, 0xB9, 0xE3, 0xFF),
        (0, 0, 0, 0, 0, 0, 5, 0x0F, 0xFF), (*_EGA, 1, 0, 0x0F, 0, 0),
    ),
    "640x480, 16 colours": Mode(
        0xE3, (3, 1, 0x0F, 0, 6),
        _crtc((*_WIDE[:6], 0x0B, 0x3E), 0x40, 0xEA, 0x8C, 0xDF, 0x28, 0, 0xE7, 4, 0xE3, 0xFF),
        (0, 0, 0, 0, 0, 0, 5, 0x0F, 0xFF), (*_EGA, 1, 0, 0x0F, 0, 0),
    ),
    "320x200, 256 colours": Mode(
        0x63, (3, 1, 0x0F, 0, 0x0E),
        _crtc(_WIDE, 0x41, 0x9C, 0x8E, 0x8F, 0x28, 0x40, 0x96, 0xB9, 0xA3, 0xFF),
        (0, 0, 0, 0, 0, 0x40, 5, 0x0F, 0xFF), (*range(16), 0x41, 0, 0x0F, 0, 0),
    ),
}  # fmt: skip


def frame_buffer(width: int, height: int, depth: int, **more: int) -> list[str]:
    """Return the writes of Bochs' registers that show a frame buffer; its memory stays."""
    numbers = {"virtual_width": 6, "left": 8, "top": 9}
    writes = [(4, 0), (1, width), (2, height), (3, depth), (4, 0x81)]
    writes += [(numbers[name], value) for name, value in more.items()]
    lines = [
        line for index, value in writes for line in (f"outw 0x1ce {index}", f"outw 0x1cf {value}")
    ]
    return [*lines, "inb 0x3da", "outb 0x3c0 0x20"]
