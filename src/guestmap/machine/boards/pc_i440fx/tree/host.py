"""The system bus, the lines between chips, and the host bridge."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from guestmap.base import GIB
from guestmap.firmware.acpi.config import PCI_HOLE64_BYTES
from guestmap.hw.apic import ioapic
from guestmap.hw.pci.windows import prefetch_window
from guestmap.machine.tree.machine_object import make_sysbus

if TYPE_CHECKING:
    from collections.abc import Iterator

    from guestmap.base.irq import IrqLine
    from guestmap.hw.i440fx import I440FX
    from guestmap.hw.pci import PciFunction
    from guestmap.machine.boards.pc_i440fx.board import Pc
    from guestmap.machine.tree.builder import Builder
    from guestmap.machine.tree.objects import Adapter, BusObject, DeviceObject
    from guestmap.memory import MemoryRegion
    from guestmap.qom import Object

_CLOCK, _TIMER, _KEYBOARD, _MOUSE, _SCI = 8, 0, 1, 12, 9
"""Global lines that chips are connected to as they are made, in that order."""
_GATES = 2
"""Lines of the A20 gate: of the keyboard controller, and of port 92h."""


def compose_sysbus(build: Builder, pc: Pc) -> BusObject:
    """Make the system bus and the lines between chips."""
    sysbus = make_sysbus(build)
    before, after = _lines(pc)
    has_smi = pc.pm is not None
    number = len(before) + _GATES + len(after) + has_smi
    build.wires = build.irqs(build.unattached, "non-qdev-gpio", number)
    for line, wire in zip(before, build.wires, strict=False):
        build.tree.wires[id(line)] = wire
    for line, wire in zip(after, build.wires[len(before) + _GATES :], strict=False):
        build.tree.wires[id(line)] = wire
    return sysbus


def gates(build: Builder, pc: Pc) -> list[Object]:
    """Return the lines of the A20 gate: of the keyboard controller, and of port 92h."""
    first = len(_lines(pc)[0])
    return build.wires[first : first + _GATES]


def _lines(pc: Pc) -> tuple[list[IrqLine], list[IrqLine]]:
    """Return the lines that are there before those of the A20 gate, and after.

    An HPET is connected to all that are global; without, each is made for the chip that has it.
    """
    if pc.hpet_block:
        return [pc.pic.intr, *pc.lines], []
    early = [pc.lines[number] for number in (_CLOCK, _TIMER, _KEYBOARD, _MOUSE)]
    return [pc.pic.intr, *early], [pc.lines[_SCI]] if pc.pm is not None else []


def compose_host(build: Builder, pc: Pc, machine: Adapter, sysbus: BusObject) -> DeviceObject:
    """Make the configuration channel and the host bridge, and return the bridge."""
    build.put(pc.fw_cfg, sysbus, parent=machine, name="fw_cfg")
    mechanism = pc.config_mechanism
    mechanism.regions = (*mechanism.regions, *_attribute_map(pc.i440fx))
    host = build.put(mechanism, sysbus, parent=machine, name="i440fx")
    host.values |= {
        "pci-hole-start": pc.layout.below,
        "pci-hole-end": ioapic.ADDRESS,
        "pci-hole64-start": lambda: _high_hole(pc)[0],
        "pci-hole64-end": lambda: _high_hole(pc)[1],
    }
    return host


def _attribute_map(chip: I440FX) -> Iterator[MemoryRegion]:
    """Yield the windows of the host bridge's attribute map, which belong to the host."""
    for segment in chip.segments:
        pci, rom, write_only, ram = segment.aliases
        yield from (ram, rom, pci, write_only)


def _high_hole(pc: Pc) -> tuple[int, int]:
    """Return where PCI has its addresses above 4 GiB: the first, and the one after the last.

    It lies behind everything that is or may be memory, and takes in what firmware has placed.
    """
    windows = [window for device in pc.bus.devices.values() for window in _high_windows(device)]
    start = min((first for first, _ in windows), default=pc.acpi.pci_hole64[0])
    end = -(-(start + PCI_HOLE64_BYTES) // GIB) * GIB
    return start, max([end, *(last for _, last in windows)])


def _high_windows(device: PciFunction[Any]) -> Iterator[tuple[int, int]]:
    """Yield first address, and the one after the last, of a function's windows above 4 GiB."""
    for bar in device.bars:
        if bar.address is not None and not bar.is_io and bar.address + bar.size > 4 * GIB:
            yield max(bar.address, 4 * GIB), bar.address + bar.size
    from guestmap.hw.pci import PciBridge

    if isinstance(device, PciBridge):
        first, size = prefetch_window(device.config)
        if first + size > 4 * GIB:
            yield max(first, 4 * GIB), first + size
