"""PCI functions come and go while the machine runs.

Attach: the bus is asked for the place, the function is made there, and ACPI's registers tell the
guest, by GPE 1 and the SCI. Detach: the guest is asked; when it ejects the slot, its functions
leave the map, their interrupt wires and the object tree. Refusals and their texts are QEMU 7.2's
(hw/pci/pci.c, hw/acpi/pcihp.c).
"""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING, Any

from guestmap.base import ConfigError
from guestmap.hw.catalog import PLUGGABLE_FUNCTIONS
from guestmap.hw.pci.bus import FUNCTIONS, SLOTS
from guestmap.machine.options.device import DeviceSpec
from guestmap.machine.tree import BusObject, DeviceObject, regions_of

if TYPE_CHECKING:
    from guestmap.hw.acpi.pci_hotplug import AcpiPciHotplug
    from guestmap.hw.pci import PciBus, PciFunction
    from guestmap.qom import Device, JsonValue

_ADDR = re.compile(r"([0-9A-Fa-f]{1,2})(?:\.([0-7]))?")
_ANYWHERE = -1
_NO_ID = "(null)"
"""How QEMU prints the id of a device that has none."""


class PciHotplug:
    """Plugs functions into the buses of one machine; their hot-plug handler.

    Args:
        controller: the guest's registers.
    """

    def __init__(self, controller: AcpiPciHotplug) -> None:
        self._controller = controller
        self._leaving: set[PciFunction[Any]] = set()

    def pre_plug(self, device: Device) -> None:
        """Make the function, at its place on its bus.

        Raises:
            ConfigError: there is no such place, or somebody is there.
        """
        shown, bus = _object(device), _bus(device)
        driver = device.type.name
        function = PLUGGABLE_FUNCTIONS[driver]
        devfn = _place(bus, driver, shown.values.pop("addr", _ANYWHERE))
        _refuse_taken(bus, driver, devfn)
        choices = {key: value for key, value in shown.values.items() if key in function.CHOICES}
        made = function.plugged(bus, devfn, choices)
        made.label = shown.id or ""
        shown.regions = partial(regions_of, made)
        shown.stand_for(made)
        shown.spec = DeviceSpec(driver, _written(shown, devfn, choices), is_json=True)

    def undo_pre_plug(self, device: Device) -> None:
        """Take the function away again."""
        _function(device).remove()

    def plug(self, device: Device) -> None:
        """Tell the guest of a function that came while it ran."""
        if device.hotplugged:
            self._controller.tell_plugged(_function(device))

    def unplug_request(self, device: Device) -> None:
        """Ask the guest to let the function go.

        Raises:
            ConfigError: it was asked already.
        """
        function = _function(device)
        if function in self._leaving:
            raise ConfigError(f"Device {device.id} is already in the process of unplug")
        self._leaving.add(function)
        self._controller.unplug_request(function)

    def unplug(self, device: Device) -> None:
        """Take the function out of the machine."""
        function = _function(device)
        self._leaving.discard(function)
        function.remove()


def _object(device: Device) -> DeviceObject:
    assert isinstance(device, DeviceObject), "only functions have this handler"
    return device


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
    if match is None or int(match[1], 16) >= SLOTS:
        raise ConfigError(f"Property '{driver}.addr' doesn't take value '{addr}'")
    return int(match[1], 16) << 3 | int(match[2] or "0")


def _refuse_taken(bus: PciBus, driver: str, devfn: int) -> None:
    if not 0 <= devfn < SLOTS * FUNCTIONS:
        raise ConfigError(f"Property '{driver}.addr' doesn't take value '{devfn}'")
    slot = f"PCI: slot {devfn >> 3} function"
    present, first = bus.devices.get(devfn), bus.devices.get(devfn & ~7)
    if present is not None:
        who = f"{present.name},id={present.label or _NO_ID}"
        raise ConfigError(f"{slot} {devfn & 7} not available for {driver}, in use by {who}")
    if first is not None:
        raise ConfigError(
            f"{slot} 0 already occupied by {first.name}, new func {driver} cannot be exposed to"
            " guest."
        )


def _written(shown: DeviceObject, devfn: int, choices: dict[str, Any]) -> dict[str, JsonValue]:
    """Return the properties by which the same function can be made again."""
    bus = shown.parent_bus
    assert isinstance(bus, BusObject)
    where = {"bus": bus.label, "addr": f"{devfn >> 3:x}.{devfn & 7}"}
    return ({"id": shown.id} if shown.id else {}) | where | choices
