"""Random traffic for a Cirrus VGA, as text that QEMU and ours both run."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from random import Random

MEMORY_BAR, MMIO_BAR = 0xE000_0000, 0xE300_0000
MEMORY_SIZE = 4 << 20
PLACED = (
    "outl 0xcf8 0x80001010", f"outl 0xcfc {MEMORY_BAR:#x}", "outl 0xcf8 0x80001014",
    f"outl 0xcfc {MMIO_BAR:#x}", "outl 0xcf8 0x80001004", "outw 0xcfc 0x3",
)  # fmt: skip
"""Commands that let the windows be seen."""
_PORTS = (0x3B4, 0x3B5, 0x3BA, *range(0x3C0, 0x3D0), 0x3D4, 0x3D5, 0x3DA)
_WIDTHS = {"b": 1, "w": 2, "l": 4}
ROPS = (
    0,
    5,
    6,
    9,
    0x0B,
    0x0D,
    0x0D,
    0x0E,
    0x50,
    0x59,
    0x6D,
    0x90,
    0x95,
    0xAD,
    0xD0,
    0xD6,
    0xDA,
    1,
)
_DECIDE = {
    0x3C4: ((7, (0, 1, 1, 3, 5, 7, 9)), (0x17, (0, 4, 0x44, 0x40)), (2, (15, 1, 6)),
            (4, (2, 6, 14)), (0x12, (0, 1, 2, 3, 5, 7))),
    0x3CE: ((5, (0, 0x40, 4, 5, 1, 0x10)), (6, (1, 5, 0xC)), (9, (0, 1, 0x10, 0xFF)),
            (10, (0, 8, 0xE0)), (11, (0, 0, 1, 2, 4, 0x14, 0x20, 0x21, 5, 0x25))),
}  # fmt: skip


def commands(rng: Random, count: int) -> list[str]:
    """Return random accesses to ports, windows, BARs and the blitter."""
    kinds = (_port, _port, _decide, _decide, _extended, _window, _window, _bar, _mmio, blit, blit)
    return [line for _ in range(count) for line in rng.choice(kinds)(rng)]


def _access(rng: Random, at: int, widths: str = "bbwl") -> list[str]:
    width = rng.choice(widths)
    if rng.random() < 0.5:
        return [f"read{width} {at:#x}"]
    return [f"write{width} {at:#x} {rng.getrandbits(8 * _WIDTHS[width]):#x}"]


def _port(rng: Random) -> list[str]:
    port = rng.choice(_PORTS)
    width = "b" if rng.random() < 0.9 else rng.choice("wl")
    if rng.random() < 0.5:
        return [f"in{width} {port:#x}"]
    return [f"out{width} {port:#x} {rng.getrandbits(8 * _WIDTHS[width]):#x}"]


def _decide(rng: Random) -> list[str]:
    """Write one of the registers that decide about the windows."""
    port = rng.choice((0x3C4, 0x3CE))
    index, values = rng.choice(_DECIDE[port])
    return [f"outb {port:#x} {index:#x}", f"outb {port + 1:#x} {rng.choice(values):#x}"]


def _extended(rng: Random) -> list[str]:
    """Write or read a register of any index."""
    port = rng.choice((0x3C4, 0x3CE, 0x3D4))
    index = rng.randrange(0x40) if rng.random() < 0.9 else rng.getrandbits(8)
    if port == 0x3CE and index in (0x2A, 0x31):
        index = 0x33
    lines = [f"outb {port:#x} {index:#x}", f"inb {port + 1:#x}"]
    return (
        lines if rng.random() < 0.5 else [lines[0], f"outb {port + 1:#x} {rng.getrandbits(8):#x}"]
    )


def _window(rng: Random) -> list[str]:
    base = rng.choice((0xA0000, 0xA8000, 0xB8000))
    return _access(rng, base + rng.choice((rng.randrange(64), rng.randrange(0x7FF0))) & ~3)


def _bar(rng: Random) -> list[str]:
    offset = rng.choice((0, 0, 0, 16 << 20, MEMORY_SIZE - 0x100))
    reach = 0x100 if offset else rng.choice((0x100, 0x4000, MEMORY_SIZE))
    return _access(rng, MEMORY_BAR + offset + rng.randrange(reach) & ~3)


def _mmio(rng: Random) -> list[str]:
    at = MMIO_BAR + rng.choice((rng.randrange(0x30), 0x100 + rng.randrange(0x3F)))
    return _access(rng, at, "b")


def blit(rng: Random, rop: int | None = None) -> list[str]:
    """Return a transfer of the blitter, what the CPU gives it, and reads of what it has made."""
    pixel = rng.choice((0, 0x10, 0x20, 0x30))
    mode = rng.choice(
        (0, 0, 1, 4, 5, 8, 9, 0x40, 0x44, 0x48, 0x80, 0x84, 0x88, 0x8C, 0xC0, 0xC4, 0xC8)
    )
    width, height = rng.randrange(1, 70), rng.randrange(1, 9)
    to = rng.randrange(0x400, 0x2000)
    source = rng.choice((0x4000 + rng.randrange(0x1000), to + rng.randrange(-40, 40)))
    if mode & 0xC0:
        source = 0x4000 + rng.randrange(0x1000)
    pitch = rng.choice((width, 80, 100, 128, 20))
    values = [
        (0x20, width - 1, 2), (0x22, height - 1, 2), (0x24, pitch, 2),
        (0x26, rng.choice((pitch, 96)), 2), (0x28, to, 3), (0x2C, source, 3),
        (0x2F, rng.choice((0, 0, rng.randrange(8))), 1),
        (0x30, mode | pixel, 1), (0x32, rng.choice(ROPS) if rop is None else rop, 1),
        (0x33, rng.choice((0, 0, 1, 2, 4)), 1), (0x34, rng.choice((0, rng.getrandbits(16))), 2),
        *((index, rng.getrandbits(8), 1) for index in (0, 1, *range(0x10, 0x16))),
    ]  # fmt: skip
    lines = _started(values)
    if mode & 4:
        window = rng.choice((MEMORY_BAR + (16 << 20), MEMORY_BAR))
        lines += [
            f"writel {window + 4 * at:#x} {rng.getrandbits(32):#x}"
            for at in range(rng.choice((20, 80, 170)))
        ]
        lines += ["inb 0x3cf"]
    lines += [f"readl {MEMORY_BAR + rng.randrange(0x2100) & ~3:#x}" for _ in range(6)]
    return lines if rng.random() < 0.8 else [*lines, "outb 0x3cf 0x4", "outb 0x3cf 0x0"]


def dragged(rng: Random, rop: int) -> list[str]:
    """Return a transfer of lines that come from themselves, and reads of what it has made."""
    mode, pixel = rng.choice((0, 1, 8, 9)), rng.choice((0, 0x10))
    width, height = rng.randrange(2, 300), rng.randrange(1, 4)
    distance = rng.choice((1, 2, rng.randrange(1, 12), rng.randrange(1, width)))
    to = rng.randrange(0x800, 0x2000)
    source = to + (distance if mode & 1 else -distance)
    values = [
        (0x20, width - 1, 2), (0x22, height - 1, 2), (0x24, 320, 2), (0x26, 320, 2), (0x28, to, 3),
        (0x2C, source, 3), (0x2F, 0, 1), (0x30, mode | pixel, 1), (0x32, rop, 1), (0x33, 0, 1),
        (0x34, rng.choice((0, 0xFFFF, rng.getrandbits(16))), 2),
    ]  # fmt: skip
    begin = to - width if mode & 1 else to
    return _started(values) + [
        f"readl {MEMORY_BAR + at & ~3:#x}" for at in range(begin, begin + width + 4, 4)
    ]


def patterned(rng: Random, rop: int) -> list[str]:
    """Return a transfer that fills the memory with a pattern from the midst of it, and reads."""
    width, to = rng.randrange(1, 400), rng.randrange(0x800, 0x2000)
    values = [
        (0x20, width - 1, 2), (0x22, rng.randrange(3), 2), (0x24, rng.choice((1, width, 64)), 2),
        (0x28, to, 3), (0x2C, to + rng.randrange(-300, width), 3), (0x2F, rng.randrange(32), 1),
        (0x30, 0x40 | rng.choice((0, 0x10, 0x20, 0x30)), 1), (0x32, rop, 1), (0x33, 0, 1),
    ]  # fmt: skip
    return _started(values) + [
        f"readl {MEMORY_BAR + at & ~3:#x}" for at in range(to, to + 3 * width, 4)
    ]


def _started(values: list[tuple[int, int, int]]) -> list[str]:
    """Return the writes of registers, each with its size, that describe a transfer and begin it."""
    lines = [
        line
        for first, value, size in values
        for at in range(size)
        for line in (f"outb 0x3ce {first + at:#x}", f"outb 0x3cf {value >> 8 * at & 0xFF:#x}")
    ]
    return [*lines, "outb 0x3ce 0x31", "outb 0x3cf 0x0", "outb 0x3cf 0x2", "inb 0x3cf"]
