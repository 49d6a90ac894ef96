"""Asking a machine for its PCI functions: query-pci, and the objects that own memory regions."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from guestmap.base import PeerError
from guestmap.inspect.map.pci_functions import (
    Bridge,
    DeviceRegion,
    Function,
    PciBar,
    PciDevices,
    QomDevice,
    Window,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from guestmap.qmp.client.monitor import Monitor

_ROOT = "/machine"
_MOST_OBJECTS = 20_000
_CHILD = re.compile(r"child<(.*)>")
_REGION, _LEAVES = "memory-region", {"irq", "memory-region"}
_NUMBERED = re.compile(r"\[\d+\]$")
_OF_FUNCTIONS = {"addr", "multifunction", "parent_bus"}
"""Properties that every PCI function has, and no other device has all of."""


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


class _Property(msgspec.Struct):
    name: str
    type: str


def read_pci(monitor: Monitor) -> PciDevices:
    """Ask for every PCI function, and for the devices that own memory regions.

    Raises:
        PeerError: the answers are not what QMP promises, or the machine has gone.
    """
    (buses,) = _shaped(monitor, "query-pci", list[_RootBus], [{}])
    devices = list(_devices(monitor))
    functions: list[Function] = []
    for bus in buses:
        _add(functions, bus.devices, None, devices)
    _add_unnumbered(functions, devices)
    found = {each.device.path for each in functions if each.device}
    others = tuple(each for each in devices if each.path not in found)
    return PciDevices(monitor.source, monitor.version(), tuple(functions), others)


def _shaped(
    monitor: Monitor, command: str, shape: Any, many: Sequence[Mapping[str, object]]
) -> Any:
    """Return the answers to a command with each of several arguments."""
    try:
        return msgspec.convert(list(monitor.query_each(command, many)), list[shape])
    except msgspec.ValidationError as error:
        raise PeerError(
            f"{monitor.source}: what {command} returned is not what QMP promises: {error}"
        ) from error


def _properties(monitor: Monitor, shape: Any, paths: Sequence[str], name: str) -> Any:
    return _shaped(monitor, "qom-get", shape, [{"path": p, "property": name} for p in paths])


def _devices(monitor: Monitor) -> Iterator[QomDevice]:
    """Yield the objects below /machine that own memory regions, or are PCI functions."""
    level, seen = [(_ROOT, "")], 0
    while level:
        seen += len(level)
        if seen > _MOST_OBJECTS:
            raise PeerError(f"{monitor.source}: more than {_MOST_OBJECTS} objects below {_ROOT}")
        answers = _shaped(monitor, "qom-list", list[_Property], [{"path": p} for p, _ in level])
        below = []
        for (path, kind), properties in zip(level, answers, strict=True):
            kinds = {each.name: each.type for each in properties}
            children = {n: m[1] for n, told in kinds.items() if (m := _CHILD.fullmatch(told))}
            below += [(f"{path}/{n}", k) for n, k in children.items() if k not in _LEAVES]
            regions = sorted(f"{path}/{n}" for n, k in children.items() if k == _REGION)
            is_function = kinds.keys() >= _OF_FUNCTIONS
            if is_function or (regions and "realized" in kinds):
                yield _device(monitor, path, kind, regions, is_function=is_function)
        level = below


def _device(
    monitor: Monitor, path: str, kind: str, regions: list[str], *, is_function: bool
) -> QomDevice:
    told = zip(
        regions, _properties(monitor, int, regions, "size"),
        _properties(monitor, int, regions, "addr"),
        _properties(monitor, str, regions, "container"), strict=True,
    )  # fmt: skip
    found = tuple(
        DeviceRegion(_NUMBERED.sub("", name.rsplit("/", 1)[-1]), name, size, addr, container)
        for name, size, addr, container in told
    )
    if not is_function:
        return QomDevice(path, kind, found)
    (devfn,) = _properties(monitor, int, [path], "addr")
    (bus,) = _properties(monitor, str, [path], "parent_bus")
    return QomDevice(path, kind, found, devfn, bus)


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
        named = (e for e in devices if e.path == f"{_ROOT}/peripheral/{told.qdev_id}")
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
