"""Asking a machine for its PCI functions: query-pci, and the objects that own memory regions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import msgspec

from guestmap.inspect.ask.pci.objects import ROOT, devices_of, shaped
from guestmap.inspect.map.pci_functions import Bridge, Function, PciBar, PciDevices, Window

if TYPE_CHECKING:
    from collections.abc import Sequence

    from guestmap.inspect.map.pci_functions import QomDevice
    from guestmap.qmp.client.monitor import Monitor


class _Region(msgspec.Struct):
    bar: int
    type: Literal["memory", "io"]
    size: int
    address: int
    prefetch: bool = False
    mem_type_64: bool = False


class _Range(msgspec.Struct):
    base: int
    limit: int


class _Bus(msgspec.Struct):
    secondary: int
    subordinate: int
    io_range: _Range
    memory_range: _Range
    prefetchable_range: _Range


class _Bridge(msgspec.Struct):
    bus: _Bus
    devices: list[_Device] = []


class _Class(msgspec.Struct):
    number: int = msgspec.field(name="class")
    desc: str = ""


class _Id(msgspec.Struct):
    vendor: int
    device: int


class _Device(msgspec.Struct):
    bus: int
    slot: int
    function: int
    class_info: _Class
    id: _Id
    qdev_id: str
    regions: list[_Region]
    pci_bridge: _Bridge | None = None


class _RootBus(msgspec.Struct):
    bus: int
    devices: list[_Device]


def read_pci(monitor: Monitor) -> PciDevices:
    """Ask for every PCI function, and for the devices that own memory regions.

    Raises:
        PeerError: the answers are not what QMP promises, or the machine has gone.
    """
    (buses,) = shaped(monitor, "query-pci", list[_RootBus], [{}])
    devices = devices_of(monitor)
    functions: list[Function] = []
    for bus in buses:
        _add(functions, bus.devices, None, devices)
    _add_unnumbered(functions, devices)
    found = {each.device.path for each in functions if each.device}
    others = tuple(each for each in devices if each.path not in found)
    return PciDevices(monitor.source, monitor.version(), tuple(functions), others)


def _add(
    functions: list[Function],
    told: Sequence[_Device],
    above: int | None,
    devices: Sequence[QomDevice],
) -> None:
    """Add the functions of a bus, each with what is behind it."""
    for each in told:
        bridge = _bridge(each.pci_bridge) if each.pci_bridge else None
        functions.append(
            Function(
                each.bus, each.slot, each.function, each.id.vendor, each.id.device,
                each.class_info.desc or f"class {each.class_info.number:04x}",
                tuple(map(_bar, each.regions)), bridge, above,
                _found(each, functions, above, devices),
            )
        )  # fmt: skip
        if each.pci_bridge:
            _add(functions, each.pci_bridge.devices, len(functions) - 1, devices)


def _bar(told: _Region) -> PciBar:
    address = None if told.address < 0 else told.address
    return PciBar(told.bar, told.type, told.size, address, told.prefetch, told.mem_type_64)


def _bridge(told: _Bridge) -> Bridge:
    bus = told.bus
    windows = (
        Window("io", bus.io_range.base, bus.io_range.limit),
        Window("memory", bus.memory_range.base, bus.memory_range.limit),
        Window("prefetchable", bus.prefetchable_range.base, bus.prefetchable_range.limit),
    )
    return Bridge(bus.secondary, bus.subordinate, windows)


def _found(
    told: _Device, functions: Sequence[Function], above: int | None, devices: Sequence[QomDevice]
) -> QomDevice | None:
    """Return the object that is a function: that of its id, else of its slot on its bus."""
    if told.qdev_id:
        named = (e for e in devices if e.path == f"{ROOT}/peripheral/{told.qdev_id}")
        if (device := next(named, None)) is not None:
            return device
    taken = {each.device.path for each in functions if each.device}
    front = functions[above].device if above is not None else None
    for each in devices:
        bridge = _bridge_of(each, devices)
        is_there = bridge is front if above is not None else bridge is None
        if is_there and each.path not in taken and _place(each) == (told.slot, told.function):
            return each
    return None


def _place(device: QomDevice) -> tuple[int, int] | None:
    return None if device.devfn is None else (device.devfn >> 3 & 0x1F, device.devfn & 7)


def _bridge_of(device: QomDevice, devices: Sequence[QomDevice]) -> QomDevice | None:
    """Return the bridge that a device is behind: the bus is a child of its object."""
    owner = device.bus.rpartition("/")[0]
    return next((e for e in devices if e.path == owner and e.devfn is not None), None)


def _add_unnumbered(functions: list[Function], devices: Sequence[QomDevice]) -> None:
    """Add the functions behind bridges whose bus has no number: query-pci does not reach them."""
    known = {each.device.path: index for index, each in enumerate(functions) if each.device}
    missing = [each for each in devices if _place(each) and each.path not in known]
    for each in missing:
        bridge, place = _bridge_of(each, devices), _place(each)
        if bridge is not None and place is not None:
            above = known.get(bridge.path)
            known[each.path] = len(functions)
            functions.append(Function(None, *place, 0, 0, "", (), None, above, each))
