"""The functions on the PCI buses: those of the chipset, and those that the user added."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from typing import TYPE_CHECKING, Any, NamedTuple

from guestmap.hw.catalog import PLUGGABLE_FUNCTIONS
from guestmap.hw.declare import fact
from guestmap.hw.pci import PciBridge, PciFunction
from guestmap.machine.boards.pc_i440fx.devices import free_bus_name
from guestmap.machine.tree.objects import BusObject
from guestmap.qom import UINT32

if TYPE_CHECKING:
    from guestmap.hw.pci import PciBus
    from guestmap.machine.boards.pc_i440fx.board import Pc
    from guestmap.machine.tree.builder import Builder
    from guestmap.machine.tree.objects import DeviceObject

_SMI = 27
_ROOT = "pci.0"
_NAMED, _UNNAMED = "/machine/peripheral", "/machine/peripheral-anon"


def compose_chipset(build: Builder, pc: Pc, host: DeviceObject) -> tuple[BusObject, BusObject]:
    """Make the host bridge's function and the south bridge; return the PCI and the ISA bus."""
    root = _bus_of(host)
    build.put(pc.i440fx, root)
    return root, _bus_of(build.put(pc.piix3, root))


def _bus_of(device: DeviceObject) -> BusObject:
    bus = device.buses[0]
    assert isinstance(bus, BusObject)
    return bus


def compose_power(build: Builder, pc: Pc, root: BusObject) -> DeviceObject | None:
    """Make the power management, with the SMBus, and let it plug into the PCI bus."""
    chip = pc.pm
    if chip is None:
        return None
    pm = build.put(chip, root)
    pm.values["smi-irq[0]"] = build.wires[_SMI]
    for eeprom in chip.eeproms:
        build.put(eeprom, _bus_of(pm))
    root.set_link("hotplug-handler", pm)
    return pm


class _Slot(NamedTuple):
    """A bus, and the functions on it that have no object yet."""

    bus: PciBus
    shown: BusObject
    waiting: Iterator[PciFunction[Any]]

    @classmethod
    def of(cls, bus: PciBus, shown: BusObject) -> _Slot:
        devices = bus.devices.values()
        return cls(bus, shown, iter([each for each in devices if each.name in PLUGGABLE_FUNCTIONS]))


def compose_plugged(build: Builder, pc: Pc, root: BusObject, pm: DeviceObject | None) -> None:
    """Make the functions that the configuration adds, and the buses behind bridges."""
    buses = {_ROOT: _Slot.of(pc.bus, root)}
    tree, unnamed = build.tree, count()
    for spec in pc.config.devices:
        identity = spec.id
        number = next(unnamed) if identity is None else None
        if spec.driver not in PLUGGABLE_FUNCTIONS:
            continue
        home = buses[str(spec.properties.get("bus", _ROOT))]
        device = next(home.waiting)
        made = build.put(
            device, home.shown,
            name=identity or tree.name_anonymous(number),
            parent=tree.container(_NAMED if identity else _UNNAMED),
            identity=identity, lazy=True,
        )  # fmt: skip
        made.spec, device.label = spec, identity or ""
        if isinstance(device, PciBridge):
            label = identity or free_bus_name(buses)
            bus = build.bus(made, "PCI", label)
            bus.set_link("hotplug-handler", pm)
            buses[label] = _Slot.of(device.secondary, bus)
    for each in buses.values():
        each.shown.hardware = each.bus
    if pc.pm is not None:
        for each in buses.values():
            number = pc.pm.pci_hotplug.number_of(each.bus)
            each.shown.add_property(fact("acpi-pcihp-bsel", UINT32, number))
