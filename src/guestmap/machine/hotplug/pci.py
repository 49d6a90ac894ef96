"""PCI functions are plugged in: those of the command line, and those that come and go later.

Attach: the bus is asked for the place, the function is made there, and whoever has the bus's slots
tells the guest of one that came while it ran: ACPI's registers, by GPE 1 and the SCI, or the
controller of the bridge that the bus is behind. Detach: the guest is asked; when it lets the slot
go, its functions leave the map, their interrupt wires and the object tree. Refusals and their texts
are QEMU 7.2's (hw/pci/pci.c, hw/acpi/pcihp.c, hw/pci/shpc.c).
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from itertools import count
from typing import TYPE_CHECKING, Any

from guestmap.base import ConfigError, UnsupportedError
from guestmap.base.pattern import pattern
from guestmap.hw.declare import fact
from guestmap.hw.pci.bus import FUNCTIONS, SLOTS
from guestmap.machine.options.device import DeviceSpec
from guestmap.machine.tree import BusObject, DeviceObject, buses, regions_of
from guestmap.machine.tree.builder import Builder
from guestmap.qom import UINT32

if TYPE_CHECKING:
    from collections.abc import Callable

    from guestmap.hw.acpi.pci_hotplug import AcpiPciHotplug
    from guestmap.hw.pci import PciBridge, PciBus, PciFunction
    from guestmap.machine.tree import MachineTree
    from guestmap.qom import Device, JsonValue, Object

_NUMBER = r"([ \t\n\v\f\r]*[+-]?(?:0[xX])?[0-9A-Fa-f]+)"
_ADDR = pattern(rf"{_NUMBER}(?:\.{_NUMBER})?")
_ANYWHERE = -1
_UNNAMED = "pci."
"""What the buses behind bridges without an id are called, with a number behind it."""
_FIRST = ".0"
_NO_ID = "(null)"
"""How QEMU prints the id of a device that has none."""


class PciHotplug:
    """Plugs functions into the buses of one machine; their hot-plug handler.

    Args:
        tree: the machine's objects.
        acpi: the registers by which ACPI tells the guest; None without ACPI.
        load_rom: returns the option ROM of that name.
        connect: gives a new function what the board has for it; may refuse it.
    """

    def __init__(
        self,
        tree: MachineTree,
        acpi: AcpiPciHotplug | None,
        load_rom: Callable[[str], bytes] = lambda _name: b"",
        connect: Callable[[PciFunction[Any]], None] = lambda _function: None,
    ) -> None:
        self._connect = connect
        self._tree = tree
        self._load_rom = load_rom
        self._acpi = acpi
        self._unnamed_buses = 0
        self._leaving: set[PciFunction[Any]] = set()
        self._gone = False

    def complete(self) -> None:
        """Number the buses for ACPI: those that come later are their bridges' alone."""
        if self._acpi is None:
            return
        self._acpi.number_buses()
        for number, bus in enumerate(self._acpi.buses):
            shown = next(each for each in buses(self._tree) if each.hardware is bus)
            shown.add_property(fact("acpi-pcihp-bsel", UINT32, number))

    # -- attach ------------------------------------------------------------------------------------

    def pre_plug(self, device: Device) -> None:
        """Make the function, at its place on its bus.

        Raises:
            ConfigError: there is no such place, or somebody is there.
            UnsupportedError: a property that is not modelled is not as it always is.
        """
        from guestmap.hw.catalog import PLUGGABLE_FUNCTIONS

        shown, bus = _object(device), _bus(device)
        driver = device.type.name
        function = PLUGGABLE_FUNCTIONS[driver]
        devfn = _place(bus, driver, shown.values.pop("addr", _ANYWHERE))
        _refuse_taken(bus, driver, devfn, hotplugged=device.hotplugged)
        choices = {key: value for key, value in shown.values.items() if key in function.CHOICES}
        _refuse_unmodelled(shown, choices)
        rom = self._load_rom(function.ROM_FILE) if function.ROM_FILE else b""
        made = function.plugged(bus, devfn, choices)
        try:
            self._connect(made)
        except ConfigError:
            made.remove()
            raise
        if rom:
            made.add_rom(rom)
        made.label = shown.id or ""
        made.hotpluggable = made.hotpluggable or device.hotplugged
        shown.regions = partial(regions_of, made)
        shown.stand_for(made)
        shown.spec = replace(_spec(shown), properties=_written(shown, devfn, choices), is_json=True)

    def undo_pre_plug(self, device: Device) -> None:
        """Take the function away again."""
        _function(device).remove()

    def plug(self, device: Device) -> None:
        """Tell the guest of a function that came while it ran; show the bus behind a bridge.

        Raises:
            ConfigError: nobody has its slot.
        """
        from guestmap.hw.pci import PciBridge

        function, slots = _function(device), _bus(device).slots
        if slots is not None:
            slots.refuse(function)
            if device.hotplugged:
                slots.tell_plugged(function)
        if isinstance(function, PciBridge):
            self._show_bus(_object(device), function)
        else:
            self._show_parts(_object(device), function)

    def _show_parts(self, shown: DeviceObject, function: PciFunction[Any]) -> None:
        """Make the buses of a function, and put what it consists of on the first of them."""
        build = Builder(self._tree)
        made = [
            build.bus(shown, kind, self._bus_label(shown, kind, label))
            for kind, label in function.TYPE.buses
        ]
        for name, part in function.parts.items():
            build.put(part, made[0], parent=shown, name=name)

    def _bus_label(self, shown: DeviceObject, kind: str, label: str) -> str:
        """Return what a bus is called: by its device's id, or as the next of its kind.

        That is so where the declaration names the first of the kind; another name is fixed.
        """
        if label != f"{kind}{_FIRST}":
            return label
        if shown.id:
            return f"{shown.id}{_FIRST}"
        taken = {each.label for each in buses(self._tree)}
        return next(name for n in count() if (name := f"{kind}.{n}") not in taken)

    def _show_bus(self, bridge: DeviceObject, function: PciBridge) -> None:
        bus = bridge.types.new("PCI")
        assert isinstance(bus, BusObject)
        label = bridge.id or self._free_label(_spec(bridge).bus_number)
        bus.label, bus.hardware = label, function.secondary
        bridge.add_bus(bus.label, bus)
        handler: Object | None = bridge if function.hotplug is not None else None
        if self._acpi is not None and not bridge.hotplugged:
            function.secondary.slots = self._acpi
            handler = bridge.parent_bus.link("hotplug-handler") if bridge.parent_bus else None
        bus.set_link("hotplug-handler", handler)

    def _free_label(self, number: int | None) -> str:
        """Return the label of that number, or the next that no bus has had."""
        if number is not None:
            self._unnamed_buses = max(self._unnamed_buses, number)
            return f"{_UNNAMED}{number}"
        taken = {each.label for each in buses(self._tree)}
        label = f"{_UNNAMED}0"
        while label in taken:
            self._unnamed_buses += 1
            label = f"{_UNNAMED}{self._unnamed_buses}"
        return label

    # -- detach ------------------------------------------------------------------------------------

    def unplug_request(self, device: Device) -> None:
        """Ask the guest to let the function go.

        Raises:
            ConfigError: it was asked already.
        """
        function, slots = _function(device), _bus(device).slots
        if function in self._leaving:
            raise ConfigError(f"Device {device.id} is already in the process of unplug")
        if slots is self._acpi:
            self._leaving.add(function)
        if slots is not None:
            slots.unplug_request(function)

    def unplug(self, device: Device) -> None:
        """Take the function out of the machine."""
        function = _function(device)
        self._leaving.discard(function)
        self._gone = self._gone or not device.hotplugged
        function.remove()

    def spec(self, device: DeviceObject) -> DeviceSpec:
        """Return what would plug the same function in again, in a machine of what there is now.

        A bus that nobody named keeps its number: who is behind it is found by that. Who took the
        first free slot is named its own once somebody before it may have gone.
        """
        spec = _spec(device)
        for bus in device.buses if not device.id else ():
            if bus.name.startswith(_UNNAMED):
                spec = replace(spec, bus_number=int(bus.name.removeprefix(_UNNAMED)))
        if not self._gone:
            return spec
        place: dict[str, JsonValue] = {"addr": _addr(_function(device).devfn)}
        return replace(spec, properties=spec.properties | place)


def _object(device: Device) -> DeviceObject:
    assert isinstance(device, DeviceObject), "only functions have this handler"
    return device


def _spec(device: DeviceObject) -> DeviceSpec:
    assert device.spec is not None, "a user wanted it"
    return device.spec


def _function(device: Device) -> PciFunction[Any]:
    function: PciFunction[Any] = _object(device).hardware
    return function


def _bus(device: Device) -> PciBus:
    bus = device.parent_bus
    assert isinstance(bus, BusObject), "functions sit on a bus"
    hardware: PciBus = bus.hardware
    return hardware


def _place(bus: PciBus, driver: str, addr: Any) -> int:
    """Return slot << 3 | function: what ``addr`` says, or the first free slot."""
    if addr == _ANYWHERE:
        free = next((slot << 3 for slot in range(SLOTS) if slot << 3 not in bus.devices), None)
        if free is None:
            raise ConfigError(
                f"PCI: no slot/function available for {driver}, all in use or reserved"
            )
        return free
    if isinstance(addr, int):
        return addr
    match = _ADDR.fullmatch(addr)
    slot, function = (int(each or "0", 16) for each in match.groups()) if match else (-1, -1)
    if slot not in range(SLOTS) or function not in range(FUNCTIONS):
        raise ConfigError(f"Property '{driver}.addr' doesn't take value '{addr}'")
    return slot << 3 | function


def _refuse_taken(bus: PciBus, driver: str, devfn: int, *, hotplugged: bool) -> None:
    if not 0 <= devfn < SLOTS * FUNCTIONS:
        raise ConfigError(f"Property '{driver}.addr' doesn't take value '{devfn}'")
    slot = f"PCI: slot {devfn >> 3} function"
    present, first = bus.devices.get(devfn), bus.devices.get(devfn & ~7)
    if present is not None:
        who = f"{present.name},id={present.label or _NO_ID}"
        raise ConfigError(f"{slot} {devfn & 7} not available for {driver}, in use by {who}")
    if first is not None and hotplugged:
        raise ConfigError(
            f"{slot} 0 already occupied by {first.name}, new func {driver} cannot be exposed to"
            " guest."
        )


def _refuse_unmodelled(shown: DeviceObject, choices: dict[str, Any]) -> None:
    for name, value in shown.values.items():
        prop = shown.find_property(name)
        if name not in choices and value != prop.default:
            raise UnsupportedError(
                f"device {shown.type.name}: property {name} is not modelled: leave it out"
            )


def _addr(devfn: int) -> str:
    return f"{devfn >> 3:x}.{devfn & 7}"


def _written(shown: DeviceObject, devfn: int, choices: dict[str, Any]) -> dict[str, JsonValue]:
    """Return the properties by which the same function can be made again."""
    bus = shown.parent_bus
    assert isinstance(bus, BusObject)
    where = {"bus": bus.label, "addr": _addr(devfn)}
    return ({"id": shown.id} if shown.id else {}) | where | choices
