"""Random port traffic for each old device, as text that QEMU and a bench of ours both run.

A command is a qtest line (``inb 0x60``, ``outw 0x70 0x1234``) or ``line 5 1``: drive interrupt
input 5 of the PIC. An answer is the value read, and which interrupt lines are high after it.
Neither side's clock moves, so every answer is the same in every run.
"""

from __future__ import annotations

import calendar
import random
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from guestmap.base import IrqLine, ManualClock
from guestmap.hw.at_ports import FpuErrorPort, PostPort
from guestmap.hw.debugcon import DebugConsole
from guestmap.hw.device import Space
from guestmap.hw.fdc import Fdc
from guestmap.hw.fdc.commands import COMMANDS, find_command
from guestmap.hw.i8254 import I8254
from guestmap.hw.i8257 import I8257
from guestmap.hw.i8259 import I8259Pair
from guestmap.hw.ide.channel import IdeChannel
from guestmap.hw.mc146818 import Mc146818
from guestmap.hw.pcspk import PcSpeaker
from guestmap.hw.placement import Placeable
from guestmap.hw.port92 import Port92
from guestmap.hw.ps2.i8042 import I8042
from guestmap.hw.serial import Serial16550
from guestmap.machine.placement import MapPlacer
from guestmap.memory import MemoryRegion, MemorySystem
from guestmap.memory.map import UNASSIGNED_IO_OPS
from tests.support.qemu import Qemu

RTC_BASE = "2021-03-04T05:06:07"
RTC_EPOCH_NS = calendar.timegm((2021, 3, 4, 5, 6, 7)) * 10**9

_WIDTHS = {"b": 1, "w": 2, "l": 4}


class Bench:
    """An I/O address space, a clock that stands still, and the interrupt lines in use."""

    def __init__(self) -> None:
        self.memory = MemorySystem()
        self.clock = ManualClock()
        self.io = self.memory.io("io", 65536, UNASSIGNED_IO_OPS)
        self.ports = self.memory.address_space("I/O", self.io)
        self.lines: dict[int, IrqLine] = {}
        self.regions: list[MemoryRegion] = []
        self.drive: Callable[[int, bool], None] = lambda _line, _level: None

    def line(self, number: int) -> IrqLine:
        return self.lines.setdefault(number, IrqLine(name=f"irq{number}"))

    def place(self, *blocks: Placeable) -> None:
        MapPlacer(self.memory).place({Space.IO: self.io}, *blocks)
        for block in blocks:
            self.regions += block.regions

    def put(self, port: int, region: MemoryRegion) -> None:
        self.io.add_subregion(port, region)
        self.regions.append(region)

    def inb(self, port: int) -> int:
        return self.ports.load(port, 1)

    def outb(self, port: int, value: int) -> None:
        self.ports.store(port, 1, value)

    def answer(self, command: str) -> str:
        word, where, *value = command.split()
        reply = ""
        if word == "line":
            self.drive(int(where), value == ["1"])
        elif word[:2] == "in":
            reply = f"{self.ports.load(int(where, 0), _WIDTHS[word[2]]):#06x}"
        else:
            self.ports.store(int(where, 0), _WIDTHS[word[3]], int(value[0], 0))
        return _answer(reply, [n for n, line in self.lines.items() if line.level])


class QemuBench:
    """The same for a QEMU whose machine is stopped."""

    def __init__(self, qemu: Qemu) -> None:
        self._qemu = qemu
        self._high: set[int] = set()
        children = qemu.qmp("qom-list", path="/machine/unattached")
        names = [c["name"] for c in children if c["type"] == "child<isa-i8259>"]
        self._pics = sorted(names, key=lambda name: (len(name), name))
        qemu.qtest("irq_intercept_in /machine/i440fx/ioapic")

    def answer(self, command: str) -> str:
        word, where, *value = command.split()
        if word == "line":
            chip, line = divmod(int(where), 8)
            path = f"/machine/unattached/{self._pics[chip]}"
            command = f"set_irq_in {path} unnamed-gpio-in {line} {value[0]}"
        self._qemu.irqs.clear()
        reply = self._qemu.qtest(command)
        for event in self._qemu.irqs:
            change, number = event.split()
            (self._high.add if change == "raise" else self._high.discard)(int(number))
        return _answer(reply, self._high)


def _answer(reply: str, high: Iterator[int] | list[int] | set[int]) -> str:
    return f"{reply} irq {','.join(map(str, sorted(high)))}".strip()


class Traffic(NamedTuple):
    """A device to put on the bench, and what to do to it."""

    build: Callable[[Bench], None]
    commands: Callable[[random.Random], list[str]]
    qemu_args: tuple[str, ...] = ()


def _accesses(
    rng: random.Random,
    ports: Sequence[int],
    count: int,
    likely: Callable[[int], Sequence[int]] = lambda _port: (),
    *,
    wide: float = 0.1,
) -> list[str]:
    """Return random accesses; half of the writes to a port with ``likely`` values write one."""
    commands = []
    for _ in range(count):
        port = rng.choice(ports)
        width = "b" if rng.random() >= wide else rng.choice("wl")
        if rng.random() < 0.5:
            commands.append(f"in{width} {port:#x}")
            continue
        value = rng.getrandbits(8 * _WIDTHS[width])
        if (values := likely(port)) and rng.random() < 0.5:
            value = rng.choice(values)
        commands.append(f"out{width} {port:#x} {value:#x}")
    return commands


def _build_pic(bench: Bench) -> None:
    pair = I8259Pair()
    bench.place(*pair.chips)
    # Straight to the chip: a line in QEMU tells its receiver of every write, ours of changes only.
    bench.drive = lambda line, level: (pair.slave if line >= 8 else pair.master).set_line(
        line & 7, level
    )


def _pic(rng: random.Random) -> list[str]:
    def likely(port: int) -> Sequence[int]:
        if port & 1:
            return (0x00, 0xFF, 0x01, 0x03)
        return (0x11, 0x20, 0xA0, 0x60, 0x0A, 0x0B, 0x0C, 0x00, 0x68, 0x48)

    commands = []
    for command in _accesses(rng, (0x20, 0x21, 0xA0, 0xA1, 0x4D0, 0x4D1), 400, likely):
        commands.append(command)
        line = rng.choice((0, 1, *range(3, 16)))
        if rng.random() < 0.5:
            commands.append(f"line {line} {rng.randrange(2)}")
    return commands


def _build_pit(bench: Bench) -> None:
    pit = I8254(bench.clock, bench.line(0))
    bench.place(pit, PcSpeaker(pit))


def _pit(rng: random.Random) -> list[str]:
    controls = (0x36, 0x34, 0x30, 0x12, 0xB0, 0xE2, 0xC2, 0xD2, 0x00, 0x80)
    return _accesses(rng, (0x40, 0x41, 0x42, 0x43, 0x61), 500, lambda _port: controls)


def _build_rtc(bench: Bench) -> None:
    bench.place(Mc146818(bench.clock, bench.line(8), epoch_ns=RTC_EPOCH_NS))


def _rtc(rng: random.Random) -> list[str]:
    """Dates stay in this century: what QEMU counts in 64-bit nanoseconds ends in 2262."""
    commands = []
    for _ in range(500):
        index = rng.choice((*range(14), *range(14), 0x32, 0x37, 0x40, 0x4F))
        commands.append(f"outb 0x70 {index | rng.choice((0, 0x80)):#x}")
        for _ in range(rng.randrange(3)):
            value = rng.choice((0x00, 0x82, 0x02, 0x12, 0x21, 0x26, 0x59, rng.getrandbits(8)))
            if index == 9:
                value = 0x20 | value % 10
            elif index == 11:
                value &= 0xFB  # BCD, so that the century stays what it is
            if index not in (0x32, 0x37) and rng.random() < 0.5:
                commands.append(f"outb 0x71 {value:#x}")
            commands.append(f"in{rng.choice('bbbw')} {rng.choice((0x70, 0x71, 0x71)):#x}")
    return commands


def _build_i8042(bench: Bench) -> None:
    bench.place(I8042(bench.line(1), bench.line(12)))


def _i8042(rng: random.Random) -> list[str]:
    commands = []
    controls = (0x20, 0x60, 0xC0, 0xD0, 0xD1, 0xD2, 0xD3, 0xD4, 0xD4, 0xA7, 0xA8, 0xA9, 0xAA, 0xAB,
                0xAD, 0xAE, 0xDD, 0xDF)  # fmt: skip
    data = (0xFF, 0xF2, 0xF0, 0, 1, 2, 3, 0xED, 0xEE, 0xF4, 0xF5, 0xF6, 0x47, 0x03, 0x65, 0xF3,
            0xC8, 0x64, 0x50, 0xE6, 0xE7, 0xE8, 0xE9, 0xEA, 0xEB, 0xEC)  # fmt: skip
    pending = 0
    for _ in range(600):
        choice = rng.random()
        if choice < 0.5:
            commands.append(f"inb {rng.choice((0x60, 0x60, 0x64)):#x}")
        elif choice < 0.75:
            # F0h and above may pulse the reset line.
            value = rng.choice((*controls, rng.randrange(0xF0)))
            pending = value if value in (0x60, 0xD1, 0xD2, 0xD3, 0xD4) else pending
            commands.append(f"outb 0x64 {value:#x}")
        else:
            value = rng.choice((*data, rng.getrandbits(8)))
            if pending == 0xD1:
                value |= 1  # bit 0 is the reset line
            pending = 0
            commands.append(f"outb 0x60 {value:#x}")
    return commands


def _build_dma(bench: Bench) -> None:
    space = bench.memory.address_space("memory", bench.memory.container("system", 1 << 32))
    bench.place(I8257(space), I8257(space, second=True))


def _dma(rng: random.Random) -> list[str]:
    pages = (0x81, 0x82, 0x83, 0x87, 0x89, 0x8A, 0x8B, 0x8F)
    return _accesses(rng, (*range(16), *range(0xC0, 0xE0), *pages), 700)


def _build_serial(bench: Bench) -> None:
    bench.place(Serial16550(bench.clock, bench.line(4)))


def _serial(rng: random.Random) -> list[str]:
    likely = {
        0x3F8: (0x55, 0x01), 0x3F9: (0x0F, 0x02, 0x01, 0x05), 0x3FA: (0x00, 0x01, 0x07, 0xC7),
        0x3FB: (0x03, 0x83), 0x3FC: (0x10, 0x1F, 0x0B, 0x00),
    }  # fmt: skip
    return _accesses(rng, range(0x3F8, 0x400), 600, lambda port: likely.get(port, ()))


def _build_ide(bench: Bench) -> None:
    for line, command, control in ((14, 0x1F0, 0x3F6), (15, 0x170, 0x376)):
        bench.place(IdeChannel(bench.line(line), command, control))


def _ide(rng: random.Random) -> list[str]:
    """No software reset: QEMU's raises the interrupt a moment later."""
    ports = (*range(0x1F0, 0x1F8), *range(0x170, 0x178), 0x1F7, 0x177)
    commands = _accesses(rng, ports, 300, wide=0.3)
    for _ in range(60):
        port, value = rng.choice((0x3F6, 0x376)), rng.getrandbits(8) & ~4
        commands.insert(rng.randrange(len(commands)), f"outb {port:#x} {value:#x}")
        commands.insert(rng.randrange(len(commands)), f"inb {port:#x}")
    return commands


def _build_fdc(bench: Bench) -> None:
    bench.place(Fdc(bench.clock, bench.line(6)))


def _fdc(rng: random.Random) -> list[str]:
    commands: list[str] = []
    registers = (0x3F1, 0x3F2, 0x3F3, 0x3F4, 0x3F7)
    while len(commands) < 2500:
        if rng.random() < 0.1:
            commands += _accesses(rng, registers, 4, lambda _port: (0x0C, 0x04, 0x1C, 0x2D, 0x00))
        if rng.random() < 0.15:
            commands += ["outb 0x3f2 0x0", f"outb 0x3f2 {rng.choice((0x0C, 0x0D, 0x04, 0x3C)):#x}"]
        code = rng.choice((*(c.value for c in COMMANDS), rng.getrandbits(8)))
        command = find_command(code)
        if command.name == "read_id":
            continue  # ends when a sector passes by, and here no time does
        commands.append(f"outb 0x3f5 {code:#x}")
        high = rng.choice((6, 256))
        for _ in range(command.parameters):
            commands.append(f"outb 0x3f5 {rng.randrange(high):#x}")
        for _ in range(rng.choice((0, 1, 7, 10, 15, 15))):
            commands += ["inb 0x3f4", "inb 0x3f5"]
        if rng.random() < 0.5:
            commands += ["outb 0x3f5 0x8", "inb 0x3f5", "inb 0x3f4", "inb 0x3f5", "inb 0x3f2"]
    return commands


def _build_small(bench: Bench) -> None:
    bench.place(
        PostPort(),
        FpuErrorPort(bench.line(13)),
        DebugConsole(lambda _byte: None),
        Port92(),
    )


def _small(rng: random.Random) -> list[str]:
    """Bytes at 80h and 92h only: wider ones reach their neighbours; bit 0 of 92h resets."""
    commands = _accesses(rng, (0x402, 0xF0, 0x401), 100, wide=0.4)
    for command in _accesses(rng, (0x80, 0x92), 60, wide=0):
        word, port, *value = command.split()
        commands.append(f"{word} {port} {int(value[0], 0) & 0xFE:#x}" if value else command)
    return commands


TRAFFIC = {
    "pic": Traffic(_build_pic, _pic),
    "pit": Traffic(_build_pit, _pit),
    "rtc": Traffic(_build_rtc, _rtc, ("-rtc", f"base={RTC_BASE},clock=vm")),
    "i8042": Traffic(_build_i8042, _i8042),
    "dma": Traffic(_build_dma, _dma),
    "serial": Traffic(_build_serial, _serial, ("-serial", "null")),
    "ide": Traffic(_build_ide, _ide),
    "fdc": Traffic(_build_fdc, _fdc),
    "small": Traffic(
        _build_small,
        _small,
        ("-chardev", "null,id=log", "-device", "isa-debugcon,iobase=0x402,chardev=log"),
    ),
}
