"""The microvm's parts as objects, at the paths where QEMU 7.2 has them.

Lines between chips are numbered as QEMU comes across them: the transports', the event device's,
the interrupt controller's, the timer's and the clock chip's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from guestmap.machine.boards.microvm import layout
from guestmap.machine.boards.x86.cpu_objects import compose_cpus
from guestmap.machine.tree import Builder, add_region_objects
from guestmap.machine.tree.builder import show_finished
from guestmap.machine.tree.machine_object import add_ram, make_machine, make_sysbus

if TYPE_CHECKING:
    from collections.abc import Iterator

    from guestmap.base import IrqLine
    from guestmap.machine.boards.microvm.board import Microvm
    from guestmap.machine.tree import Adapter, BusObject, MachineTree
    from guestmap.memory import MemoryRegion

_SWITCHES = ("pic", "pit", "rtc")
_AS_THEY_ARE = ("ioapic2", "auto-kernel-cmdline", "isa-serial")
_HOTPLUG_SIZE = 0x18


def compose(board: Microvm, tree: MachineTree) -> None:
    """Put everything that a completely built microvm consists of into its tree."""
    with tree.lock:
        tree.container("/objects")
        machine = make_machine(tree, board.config)
        build = Builder(tree)
        sysbus = make_sysbus(build)
        lines = [*_lines(board)]
        wires = build.irqs(build.unattached, "non-qdev-gpio", len(lines))
        tree.wires |= {id(line): wire for line, wire in zip(lines, wires, strict=True)}
        add_ram(build, machine, board.ram)
        add_region_objects(build.unattached, *_nobodys(board))
        build.put(board.fw_cfg, sysbus, parent=machine, name="fw_cfg")
        compose_cpus(build, board, sysbus, board.vapic, {})
        isa = build.bus(build.device("isabus-bridge", sysbus), "ISA", "isa.0")
        isa.realized = False  # as in QEMU, where nobody does it for this bridge
        _compose_ioapics(build, board, machine, sysbus)
        _compose_virtio(build, board, sysbus)
        _compose_ged(build, board, sysbus)
        _compose_isa(build, board, machine, isa)
        machine.values |= {
            **{name: "auto" if board.config.option(name) else "off" for name in _SWITCHES},
            **{name: board.config.option(name) for name in _AS_THEY_ARE},
            "acpi": "auto" if board.config.acpi else "off",
        }


def _lines(board: Microvm) -> Iterator[IrqLine]:
    yield from board.lines[board.first_virtio_line :][: len(board.transports)]
    if board.ged is not None:
        yield board.lines[layout.GED_LINE]
    if board.pic is not None:
        yield board.pic.intr
    if board.pit is not None:
        yield board.lines[0]
    if board.rtc is not None:
        yield board.lines[layout.RTC_LINE]


def _nobodys(board: Microvm) -> Iterator[MemoryRegion]:
    yield board.system_region
    yield board.io_region
    for each in board.system_region.subregions:
        if each.name in {"ram-below-4g", "ram-above-4g", "isa-bios", "pc.bios"}:
            yield each


def _compose_ioapics(build: Builder, board: Microvm, machine: Adapter, sysbus: BusObject) -> None:
    first, *second = board.ioapics
    build.put(first, sysbus, parent=machine, name="ioapic")
    for each in second:
        build.put(each, sysbus)


def _compose_virtio(build: Builder, board: Microvm, sysbus: BusObject) -> None:
    for number, transport in enumerate(board.transports):
        made = build.put(transport, sysbus)
        build.bus(made, "virtio-mmio-bus", f"virtio-mmio-bus.{number}")


def _compose_ged(build: Builder, board: Microvm, sysbus: BusObject) -> None:
    """Make the event device, with the registers for memory hot-plug that QEMU maps nowhere."""
    if board.ged is not None:
        hidden = board.system.container("memhp container", _HOTPLUG_SIZE)
        board.ged.regions = (*board.ged.regions, hidden)
        build.put(board.ged, sysbus)


def _compose_isa(build: Builder, board: Microvm, machine: Adapter, isa: BusObject) -> None:
    for chip in board.pic.chips if board.pic is not None else ():
        build.put(chip, isa)
    if board.pit is not None:
        build.put(board.pit, isa)
    if board.rtc is not None:
        clock = build.put(board.rtc, isa)
        show_finished(machine)
        machine.values["rtc-time"] = lambda: clock.get("date")
    if board.serial is not None:
        build.adapter(build.tree.container("/chardevs"), "serial0", "chardev-null")
        build.put(board.serial, isa)
