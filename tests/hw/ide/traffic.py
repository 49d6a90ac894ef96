"""Random traffic with IDE drives, that a QEMU and a board of ours both carry out.

An operation is a tuple: ``("in", port, size)``, ``("out", port, size, value)``, ``("put", address,
bytes)`` and ``("get", address, length)`` for memory. What QEMU does a moment later is waited for,
until its status is ours.
"""

from __future__ import annotations

import random
import struct
import time
from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from guestmap.base import ManualClock
from guestmap.hw.counted import Requests
from guestmap.hw.medium import SECTOR
from guestmap.machine.boards import make_board
from guestmap.machine.config import DriveSpec, MachineConfig
from guestmap.machine.options.drive import placed
from tests.support.qemu import Qemu

DISK_SECTORS, DISC_BLOCKS = 2016, 64
COMMAND, CONTROL, MASTER = (0x1F0, 0x170), (0x3F6, 0x376), (0xC000, 0xC008)
TABLE, DATA = 0x10000, 0x20000
_IDE_FUNCTION = 0x80000900
_PATIENCE_S = 1.0
_WIDTHS = {1: "b", 2: "w", 4: "l"}

DISKS = 2
"""Disks, before the disc: of that, QEMU counts answers to packets as bytes that were read."""
COUNTED = (
    "rd_operations", "wr_operations", "flush_operations", "rd_bytes", "wr_bytes",
    "wr_highest_offset", "failed_rd_operations", "failed_wr_operations",
    "failed_flush_operations", "invalid_rd_operations", "invalid_wr_operations",
    "invalid_flush_operations",
)  # fmt: skip

Operation = tuple[Any, ...]


def media(folder: Path, seed: int) -> dict[str, Path]:
    """Make a disk and a disc of random bytes, each twice."""
    rng = random.Random(seed)
    sizes = {"disk": DISK_SECTORS * SECTOR, "disc": DISC_BLOCKS << 11, "second": 100 * SECTOR}
    contents = {name: rng.randbytes(size) for name, size in sizes.items()}
    files = {}
    for name, content in contents.items():
        for whose in ("ours", "qemu"):
            files[f"{whose}-{name}"] = folder / f"{whose}-{name}"
            files[f"{whose}-{name}"].write_bytes(content)
    return files


class OurBench:
    """A board of ours, whose CPU is played."""

    def __init__(self, files: dict[str, Path]) -> None:
        drives = placed([
            DriveSpec(files["ours-disk"]), DriveSpec(files["ours-second"]),
            DriveSpec(files["ours-disc"], media="cdrom"),
        ])  # fmt: skip
        config = MachineConfig(drives=drives, qemu_readonly_rules=True)
        self.board: Any = make_board(config, ManualClock(), epoch_ns=0)
        self._cut: Counter[tuple[int, str]] = Counter()
        self._units = [unit for channel in self.board.isa.ide for unit in channel.units]
        for number, unit in enumerate(self._units[:DISKS]):
            unit._pieces = partial(self._pieces, number, unit._pieces)

    def _pieces(self, number: int, pieces: Any, master: Any, sort: Requests) -> object:
        """Note a transfer whose table is too short: nothing moves, and QEMU counts it as done."""
        unit = self._units[number]
        found = pieces(master, sort)
        if found is None and not unit.state.error:
            name = "rd" if sort is unit.counts.reads else "wr"
            self._cut[number, f"{name}_operations"] += 1
            self._cut[number, f"{name}_bytes"] += unit.state.sectors * SECTOR
        return found

    def counted(self) -> list[dict[str, int]]:
        """Return what QEMU is to have counted of the disks."""
        told = []
        for number, unit in enumerate(self._units[:DISKS]):
            counts = unit.counts
            found = {"wr_highest_offset": counts.highest, "rd_bytes": counts.reads.size,
                     "wr_bytes": counts.writes.size}  # fmt: skip
            sorts = (("rd", counts.reads), ("wr", counts.writes), ("flush", counts.flushes))
            for name, sort in sorts:
                found[f"{name}_operations"] = sort.done
                found[f"failed_{name}_operations"] = sort.failed
                found[f"invalid_{name}_operations"] = sort.invalid
            told.append({name: found[name] + self._cut[number, name] for name in COUNTED})
        return told

    def do(self, operation: Operation) -> object:
        match operation:
            case ("in", port, size):
                return self.board.io.load(port, size)
            case ("out", port, size, value):
                self.board.io.store(port, size, value)
            case ("put", address, data):
                self.board.memory.write(address, data)
            case ("get", address, length):
                return self.board.memory.read(address, length)
        return None

    def forgets_dma(self, operation: Operation) -> bool:
        """Whether a reset takes a command away that waits for the bus master.

        QEMU's bus master carries it out all the same, as soon as it is started.
        """
        match operation:
            case ("out", port, 1, value) if port in CONTROL and value & 4:
                units = self.board.isa.ide[CONTROL.index(port)].units
            case ("out", port, 1, 0x08) if port - 7 in COMMAND:
                units = self.board.isa.ide[COMMAND.index(port - 7)].units
            case _:
                return False
        return any(unit.state.waiting for unit in units)

    def high(self) -> list[int]:
        return [number for number in (14, 15) if self.board.lines[number].level]


class QemuIdeBench:
    """A QEMU whose CPU is stopped."""

    def __init__(self, qemu: Qemu) -> None:
        self._qemu = qemu
        self._high: set[int] = set()
        qemu.qtest("irq_intercept_in /machine/i440fx/ioapic")

    def do(self, operation: Operation) -> object:
        match operation:
            case ("in", port, size):
                return int(self._ask(f"in{_WIDTHS[size]} {port:#x}"), 0)
            case ("out", port, size, value):
                self._ask(f"out{_WIDTHS[size]} {port:#x} {value:#x}")
            case ("put", address, data):
                self._ask(f"write {address:#x} {len(data):#x} 0x{data.hex()}")
            case ("get", address, length):
                return bytes.fromhex(self._ask(f"read {address:#x} {length:#x}")[2:])
        return None

    def high(self) -> list[int]:
        return sorted(self._high & {14, 15})

    def _ask(self, line: str) -> str:
        self._qemu.irqs.clear()
        reply = self._qemu.qtest(line)
        for event in self._qemu.irqs:
            change, number = event.split()
            (self._high.add if change == "raise" else self._high.discard)(int(number))
        return reply

    def wait_for(self, ours: OurBench) -> None:
        """Wait until each channel's status, and its bus master's, is what ours is."""
        until = time.monotonic() + _PATIENCE_S
        for port in (*CONTROL, *(each + 2 for each in MASTER)):
            wanted = ours.do(("in", port, 1))
            while self.do(("in", port, 1)) != wanted and time.monotonic() < until:
                pass
        for _ in range(200):
            if self.high() == ours.high():
                return
            self.do(("in", CONTROL[0], 1))


def qemu_args(files: dict[str, Path]) -> list[str]:
    return [
        "-drive", f"file={files['qemu-disk']},if=ide,format=raw,index=0",
        "-drive", f"file={files['qemu-second']},if=ide,format=raw,index=1",
        "-drive", f"file={files['qemu-disc']},if=ide,format=raw,index=2,media=cdrom",
    ]  # fmt: skip


def set_up() -> Iterator[Operation]:
    """Place the bus masters, and let them master the bus."""
    for register, value in ((0x20, MASTER[0] | 1), (0x04, 5)):
        yield "out", 0xCF8, 4, _IDE_FUNCTION | register
        yield "out", 0xCFC, 4, value


_DISK_COMMANDS = (
    0x00, 0x06, 0x10, 0x20, 0x20, 0x21, 0x24, 0x25, 0x25, 0x27, 0x29, 0x30, 0x30, 0x34, 0x35, 0x39,
    0x3C, 0x40, 0x41, 0x42, 0x70, 0x90, 0x91, 0x94, 0x98, 0xC4, 0xC5, 0xC6, 0xC8, 0xC8, 0xCA, 0xCA,
    0xE0, 0xE1, 0xE5, 0xE7, 0xEA, 0xEC, 0xEF, 0xF8, 0x08, 0xA0, 0xA1, 0x77, 0xFF,
)  # fmt: skip
_DISC_COMMANDS = (0xA0,) * 8 + (0xA1, 0xEC, 0x08, 0x90, 0x00, 0x20, 0xE7, 0x30, 0xC8)
_LIKELY = {
    1: (0, 0, 1, 2, 3, 0x82, 0x66), 2: (0, 1, 2, 3, 8, 16, 0x0C, 0x21, 0x42, 0x45),
    3: (0, 1, 2, 40), 4: (0, 0, 1, 7), 5: (0, 0, 0, 8), 6: (0xE0, 0xF0, 0xA0, 0xB0, 0xE1, 0x40),
}  # fmt: skip


def packets(rng: random.Random) -> bytes:
    """Return a command packet that means something, mostly."""
    block, count = rng.choice((0, 1, 5, 63, 64, 70)), rng.choice((0, 1, 2, 3))
    room = rng.choice((8, 20, 36, 255))
    return rng.choice((
        bytes(12), bytes((3, 0, 0, 0, room, 0)), bytes((0x12, 0, 0, 0, room, 0)),
        bytes((0x1B, 0, 0, 0, 0, 0)), bytes((0x1E, 0, 0, 0, 0)), bytes((0x25,)),
        struct.pack(">BBIBHB", 0x28, 0, block, 0, count, 0),
        struct.pack(">BBIIBB", 0xA8, 0, block, count, 0, 0),
        struct.pack(">BBIBHB", 0x2B, 0, block, 0, 0, 0),
        bytes((0x43, rng.choice((0, 2)), 0, 0, 0, 0, rng.choice((0, 1, 0xAA)), 0, room, 0)),
        bytes((0x43, 0, 0, 0, 0, 0, 0, 0, room, 0x40)),
        bytes((0x4A, 1, 0, 0, 0x10, 0, 0, 0, room, 0)), bytes((0x51, 0, 0, 0, 0, 0, 0, 0, room, 0)),
        bytes((0xBD, 0, 0, 0, 0, 0, 0, 0, 0, room)), bytes((0xFE, 1, 2)),
    )).ljust(12, b"\0")  # fmt: skip


def operations(rng: random.Random, count: int) -> Iterator[Operation]:
    """Yield operations; after each, a caller looks what became of it."""
    for _ in range(count):
        channel = rng.choice((0, 0, 1))
        base, control, master = COMMAND[channel], CONTROL[channel], MASTER[channel]
        match rng.randrange(12):
            case 0 | 1 | 2 | 3:
                register = rng.randrange(1, 7)
                value = rng.choice((*_LIKELY[register], *_LIKELY[register], rng.getrandbits(8)))
                yield "out", base + register, 1, value
            case 4 | 5:
                yield "in", base + rng.randrange(8), 1
            case 6 | 7:
                code = rng.choice(_DISC_COMMANDS if channel else _DISK_COMMANDS)
                if code == 0xA0 and channel:
                    yield from _packet(rng, base)
                else:
                    # Anew each time: in QEMU half of a 48-bit command's count outlives it.
                    # And 91h gets a count that a track may have.
                    count = rng.choice((1, 17, 63) if code == 0x91 else _LIKELY[2])
                    yield "out", base + 2, 1, count
                    yield "out", base + 7, 1, code
            case 8 | 9:
                yield from _data(rng, base)
            case 10:
                yield from _dma(rng, master)
            case 11:
                if rng.random() < 0.3:
                    yield "out", control, 1, rng.choice((0, 0, 2, 0x80, 4, 6))
                yield "in", control, 1


def _packet(rng: random.Random, base: int) -> Iterator[Operation]:
    yield "out", base + 6, 1, rng.choice((0xA0, 0xA0, 0xA0, 0xB0))
    yield "out", base + 1, 1, rng.choice((0, 0, 1))
    for register, value in ((4, rng.choice((0, 8, 11, 0xFE))), (5, rng.choice((1, 8, 0xFF)))):
        yield "out", base + register, 1, value
    yield "out", base + 7, 1, 0xA0
    for (word,) in struct.iter_unpack("<H", packets(rng)):
        yield "out", base, 2, word


def _data(rng: random.Random, base: int) -> Iterator[Operation]:
    count, size = rng.choice((1, 6, 256, 256, 300)), rng.choice((2, 2, 2, 4))
    way = rng.choice(("in", "out"))
    for _ in range(count * 2 // size):
        yield ("in", base, size) if way == "in" else ("out", base, size, rng.getrandbits(8 * size))


def _dma(rng: random.Random, master: int) -> Iterator[Operation]:
    left, entries = rng.choice((512, 1024, 4096, 8192, 16384)), []
    while left > 0:
        length = min(left, rng.choice((512, 1024, 2048, 6, 16384)))
        left -= length
        entries.append(struct.pack("<II", DATA + rng.randrange(0x8000) * 2, length))
    last = bytearray(entries[-1])
    last[7] |= 0x80
    yield "put", TABLE, b"".join([*entries[:-1], last])
    yield "out", master + 4, 4, TABLE
    yield "out", master + 2, 1, rng.choice((0x06, 0x66, 0))
    yield "out", master, 1, rng.choice((9, 1, 8, 0))
    yield "in", master, 1
    yield "get", DATA, 0x1000
