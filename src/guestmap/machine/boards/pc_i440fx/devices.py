"""The devices that ``-device`` can add, by QEMU's driver names."""

from __future__ import annotations

from collections.abc import Container
from typing import Any

from guestmap.base import ConfigError, UnsupportedError
from guestmap.hw.catalog import PLUGGABLE_FUNCTIONS
from guestmap.hw.pci import PciBridge, PciBus, PciFunction
from guestmap.machine.config import DeviceSpec
from guestmap.machine.ram import blamed_on

_SLOTS = 32


def add_device(spec: DeviceSpec, buses: dict[str, PciBus]) -> PciFunction[Any]:
    """Make a device and plug it in; a bridge adds its bus to ``buses``.

    Raises:
        UnsupportedError: there is no such device here; names it.
        ConfigError: a property is unknown or its value impossible.
    """
    properties = spec.text()
    bus_name = properties.pop("bus", "pci.0")
    if bus_name not in buses:
        raise ConfigError(f"-device {spec.driver}: Bus '{bus_name}' not found")
    bus = buses[bus_name]
    devfn = _devfn(spec, properties.pop("addr", None), bus)
    identity = properties.pop("id", None)
    function = PLUGGABLE_FUNCTIONS.get(spec.driver)
    if function is None:
        raise UnsupportedError(f"device {spec.driver} is not modelled")
    choices = {}
    for each in function.choices():
        if each.name in properties:
            with blamed_on(f"-device {spec.driver}"):
                choices[each.name] = each.type.check_text(each.name, properties.pop(each.name))
    _no_more(spec, properties)
    device = function.plugged(bus, devfn, choices)
    if isinstance(device, PciBridge):
        buses[identity or free_bus_name(buses)] = device.secondary
    return device


def free_bus_name(taken: Container[str]) -> str:
    """Return the name of the bus behind a bridge without an id: ``pci.1`` or the next free."""
    number = 1
    while f"pci.{number}" in taken:
        number += 1
    return f"pci.{number}"


def _no_more(spec: DeviceSpec, properties: dict[str, str]) -> None:
    if properties:
        raise UnsupportedError(
            f"-device {spec.driver}: property {next(iter(properties))} is not modelled"
        )


def _devfn(spec: DeviceSpec, addr: str | None, bus: PciBus) -> int:
    """Return slot << 3 | function: ``addr`` (hexadecimal, ``slot[.function]``) or a free slot."""
    if addr is None:
        return bus.free_slot()
    slot_text, _, function_text = addr.partition(".")
    try:
        slot, function = int(slot_text, 16), int(function_text or "0", 16)
    except ValueError:
        slot = function = -1
    if not (0 <= slot < _SLOTS and 0 <= function < 8):
        raise ConfigError(
            f"-device {spec.driver}: addr={addr} is not SLOT[.FUNCTION] in hexadecimal"
        )
    return slot << 3 | function
