"""What sits at fixed ports, on the ISA bus of the south bridge."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from guestmap.machine.boards.pc_i440fx.tree.host import gates

if TYPE_CHECKING:
    from guestmap.machine.boards.pc_i440fx.board import Pc
    from guestmap.machine.tree.builder import Builder
    from guestmap.machine.tree.objects import BusObject, DeviceObject

_A20 = "a20[0]"


def compose_dma_and_pic(build: Builder, pc: Pc, isa: BusObject) -> None:
    """Make both DMA controllers, and the interrupt controllers."""
    for chip in (*pc.isa.dma, *pc.pic.chips):
        build.put(chip, isa)


def compose_timers(build: Builder, pc: Pc, isa: BusObject) -> DeviceObject:
    """Make the clock chip, which is returned, the timer and the speaker."""
    clock = build.put(pc.isa.rtc, isa)
    build.put(pc.isa.pit, isa)
    build.put(pc.isa.speaker, isa)
    return clock


def compose_ports(build: Builder, pc: Pc, isa: BusObject) -> None:
    """Make the serial and the parallel port, where they are there."""
    for port in (pc.isa.serial, pc.isa.parallel):
        if port is not None:
            _backend(build, str(port.settings["chardev"]))
            build.put(port, isa)


def _backend(build: Builder, name: str) -> None:
    build.adapter(build.tree.container("/chardevs"), name, "chardev-null")


def compose_controllers(build: Builder, pc: Pc, isa: BusObject, sysbus: BusObject) -> None:
    """Make the floppy controller with its drives, the keyboard controller and the small ports."""
    floppies = build.put(pc.isa.floppy, isa).buses[0]
    for drive in pc.isa.floppy.drives:
        if drive is not None:
            build.put(drive, cast("BusObject", floppies))
    of_keyboard, of_port_92 = gates(build, pc)
    keyboard = build.put(pc.isa.keyboard, isa, part_bus=sysbus)
    keyboard.values[_A20] = of_keyboard
    build.put(pc.isa.vmport, isa)
    build.put(pc.isa.vmmouse, isa)
    build.put(pc.isa.port92, isa).values[_A20] = of_port_92


def compose_drives(build: Builder, pc: Pc, function: DeviceObject) -> None:
    """Make the drives, on the buses of the IDE function."""
    for bus, channel in zip(function.buses, pc.isa.ide, strict=True):
        cast("BusObject", bus).hardware = channel
        for unit in channel.units:
            if unit.is_there:
                build.put(unit, cast("BusObject", bus))


def compose_debugcon(build: Builder, pc: Pc, isa: BusObject) -> None:
    """Make the firmware's debug console, where there is one: a device that the user named."""
    console = pc.isa.debugcon
    if console is not None:
        name = str(console.settings["chardev"])
        _backend(build, name)
        home = build.tree.container("/machine/peripheral")
        build.put(console, isa, parent=home, name=name, identity=name)
