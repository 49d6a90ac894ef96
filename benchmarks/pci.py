"""A machine full of PCI functions: the same configuration writes for QEMU and for guestmap."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from guestmap.base import MIB
from guestmap.hw.device import Space
from guestmap.hw.i440fx import I440FX
from guestmap.hw.pci import ConfigMechanism, PciBridge, PciBus, PciTestDevice
from guestmap.machine.placement import MapPlacer
from guestmap.memory import AddressSpace, MemorySystem
from guestmap.memory.map import UNASSIGNED_IO_OPS

MEMORY, MASTER = 2, 4
"""Bits of the command register: answer memory accesses, and make some."""

_ADDRESS, _DATA = 0xCF8, 0xCFC
_BASE, _WINDOW, _APART = 0xD000_0000, 2 * MIB, 0x2000
_FIRST_SLOT, _PER_BUS = 2, 29 * 8
"""Functions on one bus; the root bus has bridges, too."""


class Function(NamedTuple):
    """Where a function is.

    Attributes:
        bus: its number; the root bus is 0.
        devfn: slot << 3 | function.
        bar: the address of its 4 KiB of memory; as many bytes after it are free.
    """

    bus: int
    devfn: int
    bar: int


class Layout:
    """Bridges on the root bus, and functions behind them and beside them.

    Args:
        functions: how many there are.
        overlapping: open every bridge's window over the addresses of all of them.
    """

    def __init__(self, functions: int, *, overlapping: bool = False) -> None:
        self._overlapping = overlapping
        buses = 0
        while (1 + buses) * _PER_BUS - buses < functions:
            buses += 1
        slots = [_FIRST_SLOT * 8 + n for n in range(_PER_BUS)]
        self.bridges = slots[:buses]
        places = [(0, devfn) for devfn in slots[buses:]]
        places += [(bus, devfn) for bus in range(1, buses + 1) for devfn in slots]
        self.functions = [
            Function(bus, devfn, _BASE + bus * _WINDOW + (devfn - slots[0]) * _APART)
            for bus, devfn in places[:functions]
        ]

    def set_up(self, command: int) -> Iterator[tuple[int, int]]:
        """Yield port and value of the writes that open windows and map every function.

        Args:
            command: what to write into the command registers.
        """
        for number, devfn in enumerate(self.bridges, 1):
            first = last = number
            if self._overlapping:
                first, last = 0, len(self.bridges)
            window = (_BASE + first * _WINDOW) >> 16
            end = (_BASE + (last + 1) * _WINDOW - 1) >> 16
            yield from write(0, devfn, 0x18, number << 8 | number << 16)
            yield from write(0, devfn, 0x20, window & 0xFFF0 | (end & 0xFFF0) << 16)
            yield from write(0, devfn, 0x04, MEMORY | MASTER)
        for function in self.functions:
            yield from write(function.bus, function.devfn, 0x10, function.bar)
            yield from write(function.bus, function.devfn, 0x04, command)

    def moves(self) -> list[tuple[int, int]]:
        """Return the writes that move one function's memory away, and back."""
        bus, devfn, bar = self.functions[len(self.functions) // 2]
        return [*write(bus, devfn, 0x10, bar + 0x1000), *write(bus, devfn, 0x10, bar)]

    def qemu_arguments(self) -> list[str]:
        """Return the ``-device`` options of the same machine."""
        arguments: list[str] = []
        for number, devfn in enumerate(self.bridges, 1):
            place = f"addr={devfn >> 3:x}.{devfn & 7}"
            bridge = f"pci-bridge,id=b{number},chassis_nr={number},shpc=off,multifunction=on"
            arguments += ["-device", f"{bridge},{place}"]
        for bus, devfn, _ in self.functions:
            place = f"bus={f'b{bus}' if bus else 'pci.0'},addr={devfn >> 3:x}.{devfn & 7}"
            arguments += ["-device", f"pci-testdev,multifunction=on,{place}"]
        return arguments


def write(bus: int, devfn: int, register: int, value: int) -> list[tuple[int, int]]:
    """Return a configuration write as writes of 4 bytes to ports."""
    return [(_ADDRESS, 1 << 31 | bus << 16 | devfn << 8 | register), (_DATA, value)]


class Machine:
    """Guestmap's machine with that layout, nothing mapped yet.

    Attributes:
        memory: its memory system.
        io: the ports.
    """

    def __init__(self, layout: Layout) -> None:
        self.memory = memory = MemorySystem()
        system = memory.container("system", 1 << 64)
        io = memory.io("io", 0x10000, UNASSIGNED_IO_OPS)
        pci = memory.container("pci", 1 << 64)
        ram = memory.ram("pc.ram", 128 * MIB)
        system.add_subregion(0, memory.alias("ram-below-4g", ram, 0, ram.size))
        system.add_subregion(0, pci, -1)
        self.space: AddressSpace = memory.address_space("memory", system)
        self.io: AddressSpace = memory.address_space("I/O", io)
        placer = MapPlacer(memory)
        root = PciBus(placer, pci, io, system)
        I440FX(root, system, ram)
        placer.place({Space.IO: io}, ConfigMechanism(root))
        root.ready = True
        buses = [root]
        for number, devfn in enumerate(layout.bridges, 1):
            bridge = PciBridge(root, devfn, chassis=number, shpc=False, multifunction=True)
            buses.append(bridge.secondary)
        for bus, devfn, _ in layout.functions:
            PciTestDevice(buses[bus], devfn, multifunction=True)

    def write(self, writes: Iterator[tuple[int, int]] | list[tuple[int, int]]) -> None:
        """Write to ports."""
        for port, value in writes:
            self.io.store(port, 4, value)
