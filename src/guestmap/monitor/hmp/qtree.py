"""``info qtree``: the devices by the buses that they sit on, with their settings."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from guestmap.hw.declare import DeclaredType
from guestmap.hw.pci import PciFunction
from guestmap.hw.pci import registers as reg
from guestmap.monitor.commands.pci import CLASS_NAMES
from guestmap.monitor.hmp.numbers import size_text
from guestmap.qom import Bus

if TYPE_CHECKING:
    from guestmap.memory import MemoryRegion
    from guestmap.monitor.hmp.arguments import Values
    from guestmap.monitor.hmp.command import HmpContext
    from guestmap.qom import Device, JsonValue, Property

_SYSTEM_BUS = "/machine/unattached/sysbus"
_INDENT = "  "
_LINES = (
    "ps2-mouse-input-irq", "ps2-kbd-input-irq", "smi-irq", "", "sysbus-irq", "a20",
)  # fmt: skip
"""Names of groups of interrupt lines, in the order in which QEMU shows those of one device."""
_ADDRESSES = 1 << 64


def info_qtree(context: HmpContext, _values: Values) -> str:
    """Show the system bus and everything on it."""
    bus = context.board.tree.resolve(_SYSTEM_BUS, "bus")
    assert isinstance(bus, Bus)
    lines = _Writer(context.board.system_region).bus(bus, "")
    return "".join(f"{line}\n" for line in lines)


class _Writer:
    def __init__(self, system: MemoryRegion) -> None:
        self.system = system

    def bus(self, bus: Bus, indent: str) -> Iterator[str]:
        yield f"{indent}bus: {getattr(bus, 'label', bus.name)}"
        yield f"{indent}  type {bus.type.name}"
        for device in reversed(bus.devices):
            yield from self.device(device, indent + _INDENT)

    def device(self, device: Device, indent: str) -> Iterator[str]:
        yield f'{indent}dev: {device.type.name}, id "{device.id or ""}"'
        indent += _INDENT
        yield from (f"{indent}{line}" for line in _wires(device))
        yield from (f"{indent}{line}" for line in _settings(device))
        yield from (f"{indent}{line}" for line in self._on_the_bus(device))
        for bus in reversed(device.buses):
            yield from self.bus(bus, indent)

    def _on_the_bus(self, device: Device) -> Iterator[str]:
        """Say what a bus knows of its device."""
        hardware = getattr(device, "hardware", None)
        if isinstance(hardware, PciFunction):
            yield from _function(hardware)
        elif device.parent_bus is not None and device.parent_bus.type.name == "System":
            for child in device.children.values():
                region = getattr(child, "region", None)
                if region is None or region.container is not self.system or region.alias:
                    continue
                yield f"mmio {region.addr:016x}/{region.size:016x}"


def _wires(device: Device) -> Iterator[str]:
    """Count the interrupt lines that go in and out, by group."""
    inputs: dict[str, int] = {}
    outputs: dict[str, int] = {}
    for prop in device.properties():
        name, bracket, _ = prop.name.partition("[")
        if not bracket or prop.type.name not in {"child<irq>", "link<irq>"}:
            continue
        counts = inputs if prop.type.name == "child<irq>" else outputs
        group = "" if name in {"unnamed-gpio-in", "unnamed-gpio-out"} else name
        counts[group] = counts.get(group, 0) + 1
    for group in sorted(inputs.keys() | outputs.keys(), key=_place):
        if group in inputs:
            yield f'gpio-in "{group}" {inputs[group]}'
        if group in outputs:
            yield f'gpio-out "{group}" {outputs[group]}'


def _place(group: str) -> tuple[int, str]:
    return (_LINES.index(group) if group in _LINES else len(_LINES)), group


def _settings(device: Device) -> Iterator[str]:
    """Show what was chosen when the device was made: its type's own choices first."""
    name: str | None = device.type.name
    while name is not None and name != "device":
        kind = device.types.get(name)
        for each in kind.settings if isinstance(kind, DeclaredType) else ():
            yield f"{each} = {_setting(device, each)}"
        name = kind.parent


def _setting(device: Device, name: str) -> str:
    legacy = f"legacy-{name}"  # for people, where the plain value is a number with parts
    if device.has_property(legacy):
        return str(device.get(legacy))
    return _shown(device.find_property(name), device.get(name))


def _shown(prop: Property, value: JsonValue) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        if prop.type.name == "size":
            return f"{value} ({size_text(value)})"
        return f"{value} ({value % _ADDRESSES:#x})"
    return "<null>" if value is None else f'"{value}"'


def _function(device: PciFunction[Any]) -> Iterator[str]:
    config = device.config
    number = config.read(reg.CLASS, 2)
    name = CLASS_NAMES.get(number, f"Class {number:04x}")
    yield (
        f"class {name}, addr {device.bus.number:02x}:{device.devfn >> 3:02x}.{device.devfn & 7:x},"
        f" pci id {config.read(reg.VENDOR_ID, 2):04x}:{config.read(reg.DEVICE_ID, 2):04x}"
        f" (sub {config.read(reg.SUBSYSTEM_VENDOR_ID, 2):04x}"
        f":{config.read(reg.SUBSYSTEM_ID, 2):04x})"
    )
    for bar in sorted(device.bars, key=lambda each: each.slot):
        first = (_ADDRESSES - 1) if bar.address is None else bar.address
        kind = "i/o" if bar.is_io else "mem"
        yield f"bar {bar.slot}: {kind} at {first:#x} [{(first + bar.size - 1) % _ADDRESSES:#x}]"
