"""What a guest that knows nothing might do to the PCI side of a PC, as qtest command lines."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator

from guestmap.memory import FlatRange
from tests.support.chipset import CONFIG_ADDRESS, CONFIG_DATA, HOST, IDE, ISA, PM, Chipset

_LETTERS = {1: "b", 2: "w", 4: "l"}
_INTERESTING = [0, 1, 7, 0xFF, 0xFFFF, 0xFFFF_FFFF, 0x100, 0xE000_0000, 0xFEBF_0000, 0xC000,
                0x1000, 0xFFFF_F000, 0x8000_0000, 0xA0000, 0xC0000, 0xFA, 0xCE]  # fmt: skip
_REGISTERS = {
    HOST: [0x04, 0x58, 0x59, 0x5A, 0x5C, 0x5E, 0x5F, 0x60, 0x70, 0x72],
    ISA: [0x04, 0x60, 0x61],
    IDE: [0x04, 0x20, 0x21],
    PM: [0x04, 0x3C, 0x40, 0x41, 0x5B, 0x80, 0x90, 0x91, 0xD0, 0xD2],
}
_ANY_REGISTERS = [0x04, 0x04, 0x05, 0x06, 0x0C, 0x10, 0x14, 0x18, 0x1C, 0x20, 0x24, 0x28, 0x2C,
                  0x30, 0x3C, 0x3E, 0x42, 0x44, 0x4E]  # fmt: skip
_BUS_NUMBERS = [0x01_01_00, 0x02_02_00, 0x03_01_00, 0x03_03_00, 0x03_02_01]
DEVICES = {
    "pci-testdev-mmio", "pci-testdev-portio", "shpc-mmio", "piix-bmdma", "bmdma", "acpi-evt",
    "acpi-cnt", "acpi-tmr", "acpi-gpe0", "acpi-pci-hotplug", "acpi-cpu-hotplug", "apm-io",
    "pci-conf-idx", "piix3-reset-control",
}  # fmt: skip
_OFFSETS = {
    "pci-testdev-mmio": [0, 0, 4, 8, 12, 0x800, 0x801, 0x802],
    "pci-testdev-portio": [0, 0, 4, 8, 12, 0x83, 0x84, 0x85],
    "shpc-mmio": [0x14, 0x14, 0x14, 0x15, 0x16, 0x18, 0x20, 0x22],
}
_HARMLESS = {
    # Bits that would stop the machine: sleep enable, reset request.
    "acpi-evt": ~0x2020_2020,
    "acpi-cnt": ~0x2020_2020,
    "acpi-tmr": ~0x2020_2020,
    "pci-conf-idx": ~0x0404_0404,
    "piix3-reset-control": ~0x0404_0404,
}


def traffic(board: Chipset, rng: random.Random, count: int) -> Iterator[str]:
    """Yield ``count`` steps' commands, looking at where devices are now to hit them."""
    for _ in range(count):
        what = rng.random()
        if what < 0.7:
            yield from _configuration(board, rng)
        elif what < 0.98:
            yield from _device(board, rng)
        else:
            yield "system_reset"


def run(board: Chipset, command: str) -> int | None:
    """Do a command to the board; return what a read answers."""
    if command == "system_reset":
        board.reset()
        return None
    verb, *numbers = command.split()
    address, *values = (int(number, 0) for number in numbers)
    size = {"b": 1, "w": 2, "l": 4}[verb[-1]]
    space = board.io if verb.startswith(("in", "out")) else board.system
    if values:
        space.store(address, size, values[0])
        return None
    return int.from_bytes(space.read(address, size), "little")


def _value(rng: random.Random, size: int) -> int:
    value = rng.choice([*_INTERESTING, rng.getrandbits(32), rng.getrandbits(8)])
    return value & ((1 << 8 * size) - 1)


def _functions(board: Chipset) -> list[int]:
    return [bus.number << 8 | devfn for bus in board.bus.walk() for devfn in bus.devices]


def _configuration(board: Chipset, rng: random.Random) -> Iterator[str]:
    bdf = rng.choice([*_functions(board), rng.choice([0x28, 0x110, 0x200])])
    device = board.bus.devices.get(bdf)
    if device is not None and device.name == "pci-bridge" and rng.random() < 0.3:
        yield f"outl {CONFIG_ADDRESS:#x} {1 << 31 | bdf << 8 | 0x18:#x}"
        yield f"outl {CONFIG_DATA:#x} {rng.choice(_BUS_NUMBERS):#x}"
        return
    known = _REGISTERS.get(bdf, _ANY_REGISTERS)
    register = rng.choice([*known, rng.randrange(256)])
    low = rng.choice([0, 0, 0, 0, 1, 2, 3])
    yield f"outl {CONFIG_ADDRESS:#x} {1 << 31 | bdf << 8 | register & 0xFC | low:#x}"
    size = rng.choice([1, 2, 4])
    port = CONFIG_DATA + rng.choice([register & 3, rng.randrange(4)])
    if rng.random() < 0.7:
        yield f"out{_LETTERS[size]} {port:#x} {_value(rng, size):#x}"
    yield f"in{_LETTERS[size]} {port:#x}"


def _device(board: Chipset, rng: random.Random) -> Iterator[str]:
    found: dict[str, list[tuple[bool, FlatRange]]] = {}
    for is_io, space in ((True, board.io), (False, board.system)):
        for piece in space.view.ranges:
            if piece.region.name in DEVICES:
                found.setdefault(piece.region.name, []).append((is_io, piece))
    name = rng.choice(sorted(found))
    is_io, piece = rng.choice(found[name])
    usual = [0, rng.randrange(piece.size), rng.randrange(min(piece.size, 16))]
    offset = rng.choice(_OFFSETS.get(name, usual) + usual) % piece.size
    size = rng.choice([1, 2, 4])
    address = piece.start + offset
    beyond = offset + size > piece.size
    if is_io and beyond and (address < 0x600 or address + size > 0x10000):
        return  # the neighbours are devices that this board lacks
    value = _value(rng, size) & _HARMLESS.get(name, -1)
    if name == "apm-io":
        value = rng.choice([0xF0, 0xF1, 0x10])
    elif name == "acpi-pci-hotplug" and offset < 0x10:
        value = 0
    elif name == "shpc-mmio" and offset == 0x14:
        value = rng.choice([0x01, 0x02, 0x03, 0x0C, 0x0F, 0x40, 0x41, 0x48, rng.getrandbits(8)])
        size = 2
        value |= rng.randrange(8) << 8
    letter = _LETTERS[size]
    if rng.random() < 0.6:
        yield f"{'out' if is_io else 'write'}{letter} {address:#x} {value:#x}"
    yield f"{'in' if is_io else 'read'}{letter} {address:#x}"


def our_flat_view(board: Chipset, name: str) -> list[str]:
    """Return the lines of a view with the ranges of these devices."""
    space = board.io if name == "I/O" else board.system
    return [
        f"{r.start:x}-{r.end - 1:x} {r.region.name} {r.offset_in_region:x}"
        for r in space.view.ranges
        if r.region.name in DEVICES
    ]


def qemu_flat_view(text: str, name: str) -> list[str]:
    """Return the same lines from the text of ``info mtree -f``."""
    block = next(part for part in text.split("FlatView #") if f'AS "{name}"' in part)
    lines = re.findall(
        r"^\s+([0-9a-f]+)-([0-9a-f]+) \(.*?\): (\S+)(?: @([0-9a-f]+))?", block, re.MULTILINE
    )
    return [
        f"{int(start, 16):x}-{int(end, 16):x} {region} {int(offset or '0', 16):x}"
        for start, end, region, offset in lines
        if region in DEVICES
    ]
