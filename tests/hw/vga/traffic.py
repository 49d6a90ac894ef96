"""Random traffic for a VGA, as text that QEMU and ours both run.

A command is a qtest line; an answer is what was read, and after some writes the rows of the map
that the windows of the VGA make.
"""

from __future__ import annotations

import random

PORTS = (
    0x3B4, 0x3B5, 0x3BA, *range(0x3C0, 0x3D0), 0x3D4, 0x3D5, 0x3DA,
)  # fmt: skip
DISPI_INDEX, DISPI_DATA = 0x1CE, (0x1CF, 0x1D0)
MEMORY_BAR, MMIO_BAR = 0xE000_0000, 0xE100_0000
MEMORY_SIZE = 16 << 20
_WINDOW = 0xA0000
_WIDTHS = {"b": 1, "w": 2, "l": 4}
_LIKELY = {
    0x3C4: (0, 1, 2, 3, 4, 7), 0x3C5: (0x0F, 0x08, 0x0E, 0x06, 0x02, 0x01, 0x04),
    0x3CE: tuple(range(9)), 0x3CF: (0, 1, 2, 3, 4, 5, 8, 0x0C, 0x10, 0x40, 0x05, 0x0B, 0xFF),
    0x3C2: (0x00, 0x01, 0x67, 0x63), 0x3D4: (0, 1, 7, 0x11), 0x3D5: (0x80, 0x00, 0x0E),
}  # fmt: skip
_SIZES = (0, 1, 7, 8, 9, 320, 640, 641, 1024, 1280, 4000, 16000, 16001, 0xFFFF)
_DEPTHS = (0, 4, 8, 15, 16, 24, 32, 33)
_ENABLE = (0, 1, 0x41, 0x81, 0xC1, 0x03, 0x21, 0x61)


def commands(rng: random.Random, count: int) -> list[str]:
    """Return random accesses to ports, display registers, windows and both BARs."""
    kinds = (_port, _port, _port, _indexed, _dispi, _window, _window, _bar, _mmio)
    return [line for _ in range(count) for line in rng.choice(kinds)(rng)]


def _port(rng: random.Random) -> list[str]:
    port = rng.choice(PORTS)
    width = "b" if rng.random() < 0.9 else rng.choice("wl")
    if rng.random() < 0.5:
        return [f"in{width} {port:#x}"]
    value = rng.getrandbits(8 * _WIDTHS[width])
    if port in _LIKELY and rng.random() < 0.7:
        value = rng.choice(_LIKELY[port])
    return [f"out{width} {port:#x} {value:#x}"]


def _indexed(rng: random.Random) -> list[str]:
    """Choose one of the registers that decide about the windows, and write it."""
    index, data, register = rng.choice(
        [(0x3C4, 0x3C5, 2), (0x3C4, 0x3C5, 4), (0x3CE, 0x3CF, 5), (0x3CE, 0x3CF, 6)]
    )
    value = rng.choice(_LIKELY[data]) if rng.random() < 0.7 else rng.getrandbits(8)
    return [f"outb {index:#x} {register:#x}", f"outb {data:#x} {value:#x}"]


def _dispi(rng: random.Random) -> list[str]:
    index, data = rng.randrange(13), rng.choice(DISPI_DATA)
    if rng.random() < 0.4:
        return [f"outw {DISPI_INDEX:#x} {index:#x}", f"inw {data:#x}", f"inw {DISPI_INDEX:#x}"]
    values = {3: _DEPTHS, 4: _ENABLE}.get(index, _SIZES)
    value = rng.choice(values) if rng.random() < 0.9 else rng.getrandbits(16)
    return [f"outw {DISPI_INDEX:#x} {index:#x}", f"outw {data:#x} {value:#x}"]


def _window(rng: random.Random) -> list[str]:
    at = _WINDOW + (rng.randrange(0x20000) & ~3 if rng.random() < 0.5 else rng.randrange(64))
    width = rng.choice("bbwl")
    if rng.random() < 0.5:
        return [f"read{width} {at:#x}"]
    return [f"write{width} {at:#x} {rng.getrandbits(8 * _WIDTHS[width]):#x}"]


def _bar(rng: random.Random) -> list[str]:
    at = MEMORY_BAR + rng.choice((rng.randrange(64), rng.randrange(0x80000), rng.randrange(4))) * 4
    if rng.random() < 0.7:
        return [f"readl {at:#x}"]
    return [f"writel {at:#x} {rng.getrandbits(32):#x}"]


def _mmio(rng: random.Random) -> list[str]:
    at = MMIO_BAR + rng.choice((0x400, 0x410, 0x500, 0x600)) + rng.randrange(0x18)
    width = rng.choice("bw")
    if width == "w":
        at &= ~1
    if rng.random() < 0.6:
        return [f"read{width} {at:#x}"]
    return [f"write{width} {at:#x} {rng.getrandbits(8 * _WIDTHS[width]):#x}"]
