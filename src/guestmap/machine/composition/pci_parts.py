"""The functions on the PCI buses: those of the chipset, and those that the user added."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from itertools import count
from typing import TYPE_CHECKING, NamedTuple

from guestmap.hw.declare import fact
from guestmap.hw.pci import PciBridge, PciDevice, PciTestDevice
from guestmap.hw.pci import registers as reg
from guestmap.hw.smbus import SPD_ADDRESSES
from guestmap.machine.boards.pc_i440fx.devices import free_bus_name
from guestmap.machine.composition.hardware import pci_regions
from guestmap.machine.composition.objects import BusObject
from guestmap.qom import UINT32

if TYPE_CHECKING:
    from guestmap.hw.pci import PciBus
    from guestmap.machine.boards.pc_i440fx.board import Pc
    from guestmap.machine.composition.builder import Builder
    from guestmap.machine.composition.objects import DeviceObject, Value
    from guestmap.qom import Object

_SCI, _SMI = 10, 27
_PM_BASE, _SMBUS_BASE = 0x40, 0x90
_PORT_MASK = 0xFFC0
_ROOT = "pci.0"
_NAMED, _UNNAMED = "/machine/peripheral", "/machine/peripheral-anon"
_DRIVERS = frozenset({"pci-bridge", "pci-testdev"})


def compose_function(
    build: Builder,
    device: PciDevice,
    bus: BusObject,
    values: Mapping[str, Value] | None = None,
    *,
    name: str = "",
    parent: Object | None = None,
) -> DeviceObject:
    """Make the object of a PCI function.

    Args:
        build: the tools.
        device: the function; its name is the type's.
        bus: what it sits on.
        values: what else differs from the type's table.
        name: in the parent.
        parent: what it belongs to; by default it is numbered in ``/machine/unattached``.
    """
    slot, function = device.devfn >> 3, device.devfn & 7
    return build.device(
        device.name, bus, device, partial(pci_regions, device), parent=parent, name=name,
        lazy=parent is not None, values={
            "addr": device.devfn,
            "legacy-addr": f"{slot:02x}.{function:x}",
            "multifunction": bool(device.config.data[reg.HEADER_TYPE] & reg.HEADER_MULTIFUNCTION),
            **(values or {}),
        },
    )  # fmt: skip


def compose_chipset(build: Builder, pc: Pc, host: DeviceObject) -> tuple[BusObject, BusObject]:
    """Make the host bridge's function and the south bridge; return the PCI and the ISA bus."""
    root = host.children[_ROOT]
    assert isinstance(root, BusObject)
    compose_function(build, pc.i440fx, root)
    south = compose_function(build, pc.piix3, root)
    return root, build.bus(south, "ISA", "isa.0")


def compose_disks(build: Builder, pc: Pc, root: BusObject) -> None:
    """Make the disk controller."""
    disks = compose_function(build, pc.ide, root)
    for channel in ("ide.0", "ide.1"):
        build.bus(disks, "IDE", channel)


def compose_power(build: Builder, pc: Pc, root: BusObject) -> DeviceObject | None:
    """Make the power management, with the SMBus, and let it plug into the PCI bus."""
    chip = pc.pm
    if chip is None:
        return None
    pm = compose_function(build, chip, root, {
        "smb_io_base": lambda: chip.config.read(_SMBUS_BASE, 4) & _PORT_MASK,
        "smm-enabled": pc.config.smm,
        "pm_io_base": lambda: chip.config.read(_PM_BASE, 4) & _PORT_MASK,
        "cpu-hotplug-legacy": lambda: len(chip.cpu_hotplug.regions) == 1,
        "smi-irq[0]": build.wires[_SMI],
        "unnamed-gpio-out[0]": build.wires[_SCI],
    })  # fmt: skip
    smbus = build.bus(pm, "i2c-bus", "i2c")
    for address in SPD_ADDRESSES:
        build.device("smbus-eeprom", smbus, values={"address": address})
    root.set_link("hotplug-handler", pm)
    return pm


class _Slot(NamedTuple):
    """A bus, and the functions on it that have no object yet."""

    bus: PciBus
    shown: BusObject
    waiting: Iterator[PciDevice]

    @classmethod
    def of(cls, bus: PciBus, shown: BusObject) -> _Slot:
        devices = bus.devices.values()
        return cls(bus, shown, iter([each for each in devices if each.name in _DRIVERS]))


def compose_plugged(build: Builder, pc: Pc, root: BusObject, pm: DeviceObject | None) -> None:
    """Make the functions that the configuration adds, and the buses behind bridges."""
    buses = {_ROOT: _Slot.of(pc.bus, root)}
    tree, unnamed = build.tree, count()
    for spec in pc.config.devices:
        identity = spec.id
        number = next(unnamed) if identity is None else None
        if spec.driver not in _DRIVERS:
            continue
        home = buses[str(spec.properties.get("bus", _ROOT))]
        device = next(home.waiting)
        made = compose_function(
            build, device, home.shown, _settings(device),
            name=identity or tree.name_anonymous(number),
            parent=tree.container(_NAMED if identity else _UNNAMED),
        )  # fmt: skip
        made.id = identity
        if isinstance(device, PciBridge):
            label = identity or free_bus_name(buses)
            bus = build.bus(made, "PCI", label)
            bus.set_link("hotplug-handler", pm)
            buses[label] = _Slot.of(device.secondary, bus)
    if pc.pm is not None:
        for each in buses.values():
            number = pc.pm.pci_hotplug.number_of(each.bus)
            each.shown.add_property(fact("acpi-pcihp-bsel", UINT32, number))


def _settings(device: PciDevice) -> Mapping[str, Value]:
    if isinstance(device, PciBridge):
        return {"chassis_nr": _chassis(device)}
    if isinstance(device, PciTestDevice):
        return {"membar": next((bar.size for bar in device.bars if bar.slot == 2), 0)}
    return {}


def _chassis(bridge: PciBridge) -> int:
    """Return a bridge's chassis number, from its capability (PCI-to-PCI Bridge 1.2, 13.1)."""
    data = bridge.config.data
    at = data[reg.CAPABILITY_LIST]
    while at and data[at] != reg.CAPABILITY_SLOT_ID:
        at = data[at + 1]
    return data[at + 3] if at else 0
