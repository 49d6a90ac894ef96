"""What sits at fixed ports, on the ISA bus of the south bridge."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING

from guestmap.hw.debugcon import DebugConsole
from guestmap.hw.misc_ports import VmPort
from guestmap.machine.composition.hardware import HasPorts, port_regions
from guestmap.machine.composition.objects import DeviceObject, Value

if TYPE_CHECKING:
    from guestmap.hw.i8259 import I8259
    from guestmap.machine.boards.pc_i440fx.board import Pc
    from guestmap.machine.composition.builder import Builder
    from guestmap.machine.composition.objects import BusObject

_TO_CPU, _KEYBOARD, _MOUSE = 0, 2, 13
_A20_OF_KEYBOARD, _A20_OF_PORT_92 = 25, 26
_DEBUGCON = "debugcon"
_SERIAL = "serial0"
_OUT, _IN = "unnamed-gpio-out[0]", "unnamed-gpio-in"


def compose_dma(build: Builder, pc: Pc, isa: BusObject) -> None:
    """Make both DMA controllers."""
    settings: tuple[Mapping[str, Value], ...] = (
        {"pageh-base": -1},
        {"pageh-base": -1, "base": 0xC0, "page-base": 0x88, "dshift": 1},
    )
    for chip, values in zip(pc.isa.dma, settings, strict=True):
        _at_ports(build, "i8257", isa, chip, values)


def _at_ports(
    build: Builder, kind: str, isa: BusObject, chip: HasPorts, values: Mapping[str, Value]
) -> DeviceObject:
    return build.device(kind, isa, chip, partial(port_regions, chip), values=values)


def compose_pic(build: Builder, pc: Pc, isa: BusObject) -> None:
    """Make the interrupt controllers; the second one's output is an input of the first."""
    first = _pic(build, isa, pc.pic.master, {
        "master": True, "iobase": 0x20, "elcr_addr": 0x4D0, "elcr_mask": 0xF8,
        _OUT: build.wires[_TO_CPU],
    })  # fmt: skip
    _pic(build, isa, pc.pic.slave, {
        "iobase": 0xA0, "elcr_addr": 0x4D1, "elcr_mask": 0xDE, _OUT: first.children[f"{_IN}[2]"],
    })  # fmt: skip


def _pic(build: Builder, isa: BusObject, chip: I8259, values: Mapping[str, Value]) -> DeviceObject:
    made = build.device(
        "isa-i8259", isa, chip, lambda: (chip.region, chip.elcr_region), values=values
    )
    build.irqs(made, _IN, 8)
    return made


def compose_timers(build: Builder, pc: Pc, isa: BusObject, hpet: DeviceObject) -> DeviceObject:
    """Make the clock chip, which is returned, the timer and the speaker."""
    parts = pc.isa
    build.tree.wires |= {
        id(pc.hpet.pit_input): hpet.children[f"{_IN}[0]"],
        id(pc.hpet.rtc_input): hpet.children[f"{_IN}[1]"],
    }
    clock = build.put(parts.rtc, isa)
    timer = build.put(parts.pit, isa)
    hpet.values[_OUT] = timer.children[f"{_IN}[0]"]
    _at_ports(build, "isa-pcspk", isa, parts.speaker, {"pit": timer})
    return clock


def compose_serial(build: Builder, pc: Pc, isa: BusObject) -> None:
    """Make the serial port, where there is one."""
    chip = pc.isa.serial
    if chip is None:
        return
    build.adapter(build.tree.container("/chardevs"), _SERIAL, "chardev-null")
    build.put(chip, isa)


def compose_controllers(build: Builder, pc: Pc, isa: BusObject, sysbus: BusObject) -> None:
    """Make the floppy and keyboard controllers and the small ports."""
    floppy = _at_ports(build, "isa-fdc", isa, pc.isa.floppy, {})
    build.bus(floppy, "floppy-bus", "floppy-bus.0")
    keyboard = _keyboard(build, pc, isa, sysbus)
    ports = next(each for each in pc.isa.all if isinstance(each, VmPort))
    _at_ports(build, "vmport", isa, ports, {})
    build.device("vmmouse", isa, values={"i8042": keyboard})
    _at_ports(build, "port92", isa, pc.isa.port92, {"a20[0]": build.wires[_A20_OF_PORT_92]})


def _keyboard(build: Builder, pc: Pc, isa: BusObject, sysbus: BusObject) -> DeviceObject:
    chip = pc.isa.keyboard
    made = _at_ports(build, "i8042", isa, chip, {
        "a20[0]": build.wires[_A20_OF_KEYBOARD],
        "unnamed-gpio-out[0]": build.wires[_KEYBOARD],
        "unnamed-gpio-out[1]": build.wires[_MOUSE],
    })  # fmt: skip
    for name, kind, device in (
        ("kbd", "ps2-kbd", chip.keyboard),
        ("mouse", "ps2-mouse", chip.mouse),
    ):
        wire = build.irqs(made, f"ps2-{name}-input-irq", 1)[0]
        build.device(kind, sysbus, device, parent=made, name=f"ps2{name}", values={_OUT: wire})
    return made


def compose_debugcon(build: Builder, pc: Pc, isa: BusObject) -> None:
    """Make the firmware's debug console, where there is one: a device that the user named."""
    for each in pc.isa.all:
        if not isinstance(each, DebugConsole):
            continue
        port, _ = each.regions[0]
        build.adapter(build.tree.container("/chardevs"), _DEBUGCON, "chardev-null")
        build.device(
            "isa-debugcon", isa, each, partial(port_regions, each),
            parent=build.tree.container("/machine/peripheral"),
            name=_DEBUGCON, identity=_DEBUGCON, values={"iobase": port, "chardev": _DEBUGCON},
        )  # fmt: skip
