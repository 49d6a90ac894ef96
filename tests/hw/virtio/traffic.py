"""What a driver does to a virtio device, right or wrong, as lines of the qtest protocol."""

from __future__ import annotations

import random
import struct

PORTS, WINDOW, RING, PAGES = 0xC000, 0xE000_0000, 0x10_0000, 0x20_0000
CONFIG = 0x80002000
PLACED = (
    f"outl 0xcf8 {CONFIG | 0x10:#x}", f"outl 0xcfc {PORTS:#x}",
    f"outl 0xcf8 {CONFIG | 0x20:#x}", f"outl 0xcfc {WINDOW:#x}",
    f"outl 0xcf8 {CONFIG | 4:#x}", "outw 0xcfc 0x7",
)  # fmt: skip
"""A function in slot 4 gets its windows, and masters the bus."""
_COMMON, _ISR, _DEVICE, _NOTIFY = (WINDOW + 0x1000 * number for number in range(4))
_EVENT_INDEX, _VERSION_1, _ON_EMPTY = 1 << 29, 1 << 32, 1 << 24
_QUEUES = 3
_TABLE, _AVAIL, _USED, _SPAN = 0x0000, 0x0800, 0x1000, 0x4000


def commands(rng: random.Random, count: int) -> list[str]:
    """Return about ``count`` things that a driver does."""
    kinds = (_legacy, _common, _common, _ring, _ring, _ring, _kick, _look, _look, _window, _setup)
    return [line for _ in range(count) for line in rng.choice(kinds)(rng)]


def _legacy(rng: random.Random) -> list[str]:
    at, width = rng.choice((0, 4, 8, 12, 14, 16, 18, 18, 19, *range(20, 36), 37)), rng.choice("bwl")
    if rng.random() < 0.6:
        return [f"in{width} {PORTS + at:#x}"]
    values = {
        4: rng.choice((_EVENT_INDEX, 0, _ON_EMPTY, 1 << 30, rng.getrandbits(32))),
        8: rng.choice((0, *((RING + _SPAN * number) >> 12 for number in range(_QUEUES)))),
        14: rng.randrange(4), 16: rng.randrange(4),
        18: rng.choice((0, 1, 3, 7, 7, 0x0B, 0x0F, 0x8F)),
    }  # fmt: skip
    if at in (0, 12, 19):
        return []
    wide = {4: "l", 8: "l", 14: "w", 16: "w", 18: "b"}.get(at, width)
    size = {"b": 1, "w": 2, "l": 4}[wide]
    value = values.get(at, rng.getrandbits(8 * size))
    return [f"out{wide} {PORTS + at:#x} {value:#x}"]


def _common(rng: random.Random) -> list[str]:
    at = rng.choice((0, 4, 8, 12, 16, 18, 20, 20, 21, 22, 24, 26, 28, 30, *range(32, 64, 4), 58))
    if rng.random() < 0.5:
        return [f"read{rng.choice('bwl')} {_COMMON + at:#x}"]
    number = rng.randrange(_QUEUES)
    parts = {32: _TABLE, 40: _AVAIL, 48: _USED}
    values = {
        0: rng.randrange(3), 8: rng.randrange(3), 20: rng.choice((0, 1, 3, 0x0B, 0x0F, 0x0F)),
        12: rng.choice((1, 0, _EVENT_INDEX, rng.getrandbits(32))), 22: rng.randrange(4),
        28: rng.choice((1, 1, 1, 1, 0)),
        58: rng.choice((1, 1, 0)),
        **{at: RING + _SPAN * number + part for at, part in parts.items()},
    }  # fmt: skip
    if at == 24:  # a queue that is there must not grow: QEMU 7.2 would end
        size = rng.choice((0, 1, 2, 8, 8, 128, 1024, 1025, 0xFFFF))
        return [f"writeb {_COMMON + 20:#x} 0x0", f"writew {_COMMON + 24:#x} {size:#x}"]
    if at in (36, 44, 52):
        values[at] = 0
    if at not in values:
        return []
    wide = "l" if at in (0, 8, 12) or 32 <= at < 56 else "b" if at == 20 else "w"
    return [f"write{wide} {_COMMON + at:#x} {values[at]:#x}"]


def _setup(rng: random.Random) -> list[str]:
    """Set a device up as a modern driver does."""
    features = rng.choice((0, 0, _EVENT_INDEX, _ON_EMPTY, _EVENT_INDEX | _ON_EMPTY)) | 0x12
    lines = [f"writeb {_COMMON + 20:#x} {value:#x}" for value in (0, 3)]
    for half, value in enumerate((features, rng.choice((1, 1, 1, 0)))):
        lines += [f"writel {_COMMON + 8:#x} {half}", f"writel {_COMMON + 12:#x} {value:#x}"]
    lines.append(f"writeb {_COMMON + 20:#x} 0xb")
    for number in range(_QUEUES):
        lines += [f"writew {_COMMON + 22:#x} {number}", f"writew {_COMMON + 24:#x} 0x8"]
        for at, part in ((32, _TABLE), (40, _AVAIL), (48, _USED)):
            lines += [f"writel {_COMMON + at:#x} {RING + _SPAN * number + part:#x}"]
            lines += [f"writel {_COMMON + at + 4:#x} 0x0"]
        lines += [f"memset {RING + _SPAN * number:#x} {_SPAN:#x} 0x0"]
        lines += [f"writew {_COMMON + 28:#x} 0x1"]
    return [*lines, f"writeb {_COMMON + 20:#x} 0xf"]


def _ring(rng: random.Random) -> list[str]:
    """Put descriptors into a table and make some of them available."""
    base = RING + _SPAN * rng.randrange(_QUEUES)
    lines = []
    for index in range(8):
        flags = rng.choice((0, 0, 0, 1, 1, 2, 3, 4))
        length = rng.choice((4, 8, 16, 20, 32, 100, 0)) if rng.random() < 0.1 else 20
        address = PAGES + 0x100 * index
        if flags == 4:
            address, length = base + 0x20, rng.choice((32, 48, 20, 0))
        following = rng.choice((index + 1 & 7, rng.randrange(10)))
        entry = struct.pack("<QIHH", address, length, flags, following)
        lines += [f"write {base + 16 * index:#x} 16 0x{entry.hex()}"]
    avail = rng.choice((_AVAIL, 0x800))
    for index in range(8):
        head = rng.randrange(8) if rng.random() < 0.97 else rng.randrange(300)
        lines += [f"writew {base + avail + 4 + 2 * index:#x} {head:#x}"]
    lines += [f"writew {base + avail:#x} {rng.choice((0, 0, 0, 1)):#x}"]
    lines += [f"writew {base + avail + 4 + 16:#x} {rng.randrange(6):#x}"]
    return [*lines, f"writew {base + avail + 2:#x} {rng.randrange(8):#x}"]


def _kick(rng: random.Random) -> list[str]:
    """Fill what is given, and say so."""
    lines = [f"write {PAGES + 0x100 * rng.randrange(8):#x} 20 0x{_content(rng).hex()}"]
    number = rng.randrange(4)
    if rng.random() < 0.3:
        return [*lines, f"outw {PORTS + 16:#x} {number:#x}"]
    return [*lines, f"writew {_NOTIFY + 4 * number:#x} {number:#x}"]


def _content(rng: random.Random) -> bytes:
    pages = [rng.choice((0x300, 0x301, 0xFFFFFFFF, 0xF0, rng.getrandbits(32))) for _ in range(5)]
    statistics = struct.pack("<HQHQ", rng.randrange(12), rng.getrandbits(64), 5, 1 << 27)
    return rng.choice((struct.pack("<5I", *pages), statistics))


def _look(rng: random.Random) -> list[str]:
    number = rng.randrange(_QUEUES)
    used = RING + _SPAN * number + _USED
    return rng.choice(
        (
            [f"readl {used:#x}", *(f"readl {used + 4 + 4 * at:#x}" for at in range(17))],
            [f"readb {_ISR + rng.randrange(8):#x}"],
            [f"outl 0xcf8 {CONFIG | 4:#x}", "inw 0xcfe"],
            [f"read{rng.choice('bwl')} {_DEVICE + rng.randrange(18):#x}"],
            [f"writel {_DEVICE + rng.choice((4, 12)):#x} {rng.getrandbits(8):#x}"],
            [f"writeb {_DEVICE + rng.choice((4, 12)):#x} {rng.getrandbits(8):#x}"],
            [f"readl {_NOTIFY + 4 * number:#x}"],
            [f"inb {PORTS + 19:#x}"],
        )
    )


def _window(rng: random.Random) -> list[str]:
    """Reach a structure through configuration space."""
    if rng.random() < 0.2:  # mastering goes and comes
        return [f"outl 0xcf8 {CONFIG | 4:#x}", f"outw 0xcfc {rng.choice((3, 7, 7)):#x}"]
    at = rng.choice((0, 4, 18, 20, 21, 22, 24, 0x2000, 0x2004, 0x3000, 0x4000))
    length = rng.choice((1, 2, 4, 4, 0, 3, 8))
    lines = [f"outl 0xcf8 {CONFIG | 0x8C:#x}", f"outl 0xcfc {at:#x}"]
    lines += [f"outl 0xcf8 {CONFIG | 0x90:#x}", f"outl 0xcfc {length:#x}"]
    return [*lines, f"outl 0xcf8 {CONFIG | 0x94:#x}", f"in{rng.choice('bwl')} 0xcfc"]


def anything(rng: random.Random) -> str:
    """Return a write of any value to any register."""
    at = WINDOW + 0x1000 * rng.randrange(4) + rng.choice((rng.randrange(64), rng.randrange(0x1000)))
    width, size = rng.choice((("b", 1), ("w", 2), ("l", 4)))
    value = rng.choice((0, 1, WINDOW, rng.getrandbits(32), 0xFFFF_FFFF)) & (1 << 8 * size) - 1
    return f"write{width} {at:#x} {value:#x}"
