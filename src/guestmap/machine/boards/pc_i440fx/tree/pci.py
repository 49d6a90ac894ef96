"""The functions of the chipset, and the buses that they make."""

from __future__ import annotations

from typing import TYPE_CHECKING

from guestmap.machine.tree.objects import BusObject

if TYPE_CHECKING:
    from guestmap.machine.boards.pc_i440fx.board import Pc
    from guestmap.machine.tree.builder import Builder
    from guestmap.machine.tree.objects import DeviceObject


def compose_chipset(build: Builder, pc: Pc, host: DeviceObject) -> tuple[BusObject, BusObject]:
    """Make the host bridge's function and the south bridge; return the PCI and the ISA bus."""
    root = _bus_of(host)
    root.hardware = pc.bus
    build.put(pc.i440fx, root)
    return root, _bus_of(build.put(pc.piix3, root))


def _bus_of(device: DeviceObject) -> BusObject:
    bus = device.buses[0]
    assert isinstance(bus, BusObject)
    return bus


def compose_usb(build: Builder, pc: Pc, root: BusObject) -> DeviceObject | None:
    """Make the USB controller; None without one."""
    return None if pc.usb is None else build.put(pc.usb, root)


def compose_power(build: Builder, pc: Pc, root: BusObject) -> DeviceObject | None:
    """Make the power management, with the SMBus, and let it plug into the PCI bus."""
    chip = pc.pm
    if chip is None:
        return None
    pm = build.put(chip, root)
    pm.values["smi-irq[0]"] = build.wires[-1]
    for eeprom in chip.eeproms:
        build.put(eeprom, _bus_of(pm))
    root.set_link("hotplug-handler", pm)
    return pm
