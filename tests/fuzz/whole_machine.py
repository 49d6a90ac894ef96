"""A machine with every device that it can have, its BARs set as firmware does."""

from __future__ import annotations

from typing import TYPE_CHECKING

from guestmap.base import MIB, ConfigError, ManualClock
from guestmap.firmware.option_roms import load_rom
from guestmap.hw.e1000.device import E1000
from guestmap.machine import DeviceSpec, MachineConfig, Pc
from guestmap.machine.options.drive import DriveSpec

if TYPE_CHECKING:
    from collections.abc import Iterator

    from guestmap.memory import AddressSpace

_DEVICES = ("VGA", "pci-testdev", "pci-bridge,chassis_nr=1")
_IO_BARS, _MEMORY_BARS = 0xC000, 0xE000_0000
_ADDRESS, _DATA = 0xCF8, 0xCFC
_COMMAND, _HEADER, _FIRST_BAR = 0x04, 0x0C, 0x10
_BARS = {0: 6, 1: 2}
"""How many BARs a function has, by its type of header."""


def whole_machine(display: str) -> Pc:
    """Return a PC that its firmware has set up as far as its PCI functions answer.

    Args:
        display: the adapter that the board has.
    """
    machine = Pc(
        MachineConfig(
            ram_size=MIB, smm=True, debugcon=True, serial=True, vga=display, slots=2,
            max_ram=256 * MIB, drives=(DriveSpec(media="cdrom"), DriveSpec(interface="floppy")),
            devices=tuple(map(DeviceSpec.parse, _devices())), options={"usb": True},
        ),
        ManualClock(),
    )  # fmt: skip
    _set_bars(machine.io)
    return machine


def _devices() -> tuple[str, ...]:
    """Return what is plugged in: a network card only where its option ROM is installed."""
    try:
        load_rom(E1000.ROM_FILE, None)
    except ConfigError:
        return _DEVICES
    return (_DEVICES[0], "e1000", *_DEVICES[1:])


def places(space: AddressSpace) -> list[tuple[int, int]]:
    """Return start and size of whatever answers there and is no memory."""
    return [(each.start, each.size) for each in space.view if not each.reads_directly]


def _set_bars(io: AddressSpace) -> None:
    next_io, next_memory = _IO_BARS, _MEMORY_BARS
    for place in _functions(io):
        is_upper = False
        count = _BARS[_config(io, place | _HEADER) >> 16 & 0x7F]
        for bar in range(place | _FIRST_BAR, (place | _FIRST_BAR) + 4 * count, 4):
            _config(io, bar, 0 if is_upper else 0xFFFF_FFFF)
            told = _config(io, bar)
            is_upper = not told & 1 and told & 6 == 4
            size = -(told & (~3 if told & 1 else ~15)) & 0xFFFF_FFFF
            if told & 1:
                next_io += -next_io % size
                _config(io, bar, next_io)
                next_io += size
            elif size:
                next_memory += -next_memory % size
                _config(io, bar, next_memory)
                next_memory += size
        _config(io, place | _COMMAND, 7)


def _functions(io: AddressSpace) -> Iterator[int]:
    for place in range(0x8000_0000, 0x8001_0000, 0x100):
        if _config(io, place) & 0xFFFF != 0xFFFF:
            yield place


def _config(io: AddressSpace, place: int, value: int | None = None) -> int:
    io.store(_ADDRESS, 4, place)
    if value is not None:
        io.store(_DATA, 4, value)
    return io.load(_DATA, 4)
