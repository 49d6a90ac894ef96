"""``query-pci``: every function, its BARs as the firmware set them, and what is behind bridges."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from guestmap.hw.pci import PciBus, PciFunction
from guestmap.hw.pci import registers as reg
from guestmap.hw.pci.bar import Bar
from guestmap.monitor.command import Arguments, Context, MonitorCommand
from guestmap.qmp import BOOL, INT, STR, Array, Command, Later, Member, Struct, Type

_UNMAPPED = -1

CLASS_NAMES: Mapping[int, str] = MappingProxyType(
    {
        0x0101: "IDE controller",
        0x0200: "Ethernet controller",
        0x0300: "VGA controller",
        0x0600: "Host bridge",
        0x0601: "ISA bridge",
        0x0604: "PCI bridge",
        0x0680: "Bridge",
        0x0C03: "USB controller",
    }
)
"""What QEMU calls the classes of functions that a machine here can have."""


def pci_buses(root: PciBus, ids: Mapping[int, str]) -> list[dict[str, Any]]:
    """Return what ``query-pci`` does: one entry for each root bus, and a PC has one.

    Args:
        root: the bus behind the host bridge.
        ids: the ids that devices were given, by ``id()`` of the function.
    """
    return [{"bus": root.number, "devices": _functions(root, ids)}]


def _functions(bus: PciBus, ids: Mapping[int, str]) -> list[dict[str, Any]]:
    return [_function(bus.devices[devfn], ids) for devfn in sorted(bus.devices)]


def _function(device: PciFunction[Any], ids: Mapping[int, str]) -> dict[str, Any]:
    config = device.config
    pin = config.data[reg.INTERRUPT_PIN]
    info: dict[str, Any] = {
        "irq_pin": pin,
        "bus": device.bus.number,
        "qdev_id": ids.get(id(device), ""),
        "slot": device.devfn >> 3,
        "class_info": _class_info(config.read(reg.CLASS, 2)),
        "id": _identity(device),
        "function": device.devfn & 7,
        "regions": [_window(bar) for bar in sorted(device.bars, key=lambda each: each.slot)],
    }
    if pin:
        info["irq"] = config.data[reg.INTERRUPT_LINE]
    if _header(device) == reg.HEADER_BRIDGE:
        info["pci_bridge"] = _bridge(device, ids)
    return info


def _header(device: PciFunction[Any]) -> int:
    return device.config.data[reg.HEADER_TYPE] & ~reg.HEADER_MULTIFUNCTION


def _class_info(number: int) -> dict[str, Any]:
    name = CLASS_NAMES.get(number)
    return {"class": number} if name is None else {"class": number, "desc": name}


def _identity(device: PciFunction[Any]) -> dict[str, int]:
    config = device.config
    numbers = {"device": config.read(reg.DEVICE_ID, 2), "vendor": config.read(reg.VENDOR_ID, 2)}
    if _header(device) == reg.HEADER_NORMAL:
        numbers["subsystem"] = config.read(reg.SUBSYSTEM_ID, 2)
        numbers["subsystem-vendor"] = config.read(reg.SUBSYSTEM_VENDOR_ID, 2)
    return numbers


def _window(bar: Bar) -> dict[str, Any]:
    window: dict[str, Any] = {
        "bar": bar.slot,
        "type": "io" if bar.is_io else "memory",
        "address": _UNMAPPED if bar.address is None else bar.address,
        "size": bar.size,
    }
    if not bar.is_io:
        window["prefetch"] = bool(bar.kind & reg.BAR_PREFETCH)
        window["mem_type_64"] = bar.is_64bit
    return window


def _bridge(device: PciFunction[Any], ids: Mapping[int, str]) -> dict[str, Any]:
    config = device.config
    secondary = config.data[reg.SECONDARY_BUS]
    info: dict[str, Any] = {
        "bus": {
            "number": device.bus.number,
            "secondary": secondary,
            "subordinate": config.data[reg.SUBORDINATE_BUS],
            "io_range": _io_range(device),
            "memory_range": _memory_range(device, reg.MEMORY_BASE, reg.MEMORY_LIMIT),
            "prefetchable_range": _prefetchable_range(device),
        }
    }
    if secondary:
        bus = device.bus.root.find(secondary)
        if bus is not None:
            info["devices"] = _functions(bus, ids)
    return info


def _io_range(device: PciFunction[Any]) -> dict[str, int]:
    data = device.config.data
    return {
        "base": (data[reg.IO_BASE] & 0xF0) << 8,
        "limit": (data[reg.IO_LIMIT] & 0xF0) << 8 | 0xFFF,
    }


def _memory_range(device: PciFunction[Any], base: int, limit: int) -> dict[str, int]:
    config = device.config
    return {
        "base": (config.read(base, 2) & 0xFFF0) << 16,
        "limit": (config.read(limit, 2) & 0xFFF0) << 16 | 0xF_FFFF,
    }


def _prefetchable_range(device: PciFunction[Any]) -> dict[str, int]:
    config = device.config
    window = _memory_range(device, reg.PREFETCH_BASE, reg.PREFETCH_LIMIT)
    if config.read(reg.PREFETCH_BASE, 2) & reg.PREFETCH_64BIT:
        window["base"] |= config.read(reg.PREFETCH_BASE_UPPER, 4) << 32
        window["limit"] |= config.read(reg.PREFETCH_LIMIT_UPPER, 4) << 32
    return window


def _query_pci(context: Context, _arguments: Arguments) -> list[dict[str, Any]]:
    bus = context.vm.board.bus
    if bus is None:
        return []
    devices = context.vm.board.tree.devices.items()
    ids = {hardware: device.id for hardware, device in devices if device.id}
    return pci_buses(bus, ids)


def _range(name: str) -> Member:
    return Member(name, Struct("PciMemoryRange", (Member("base", INT), Member("limit", INT))))


def _device_info() -> Type:
    return _DEVICE_INFO


_DEVICES = Array(Later(_device_info))
_BUS_INFO = Struct(
    "PciBusInfo",
    (
        Member("number", INT),
        Member("secondary", INT),
        Member("subordinate", INT),
        _range("io_range"),
        _range("memory_range"),
        _range("prefetchable_range"),
    ),
)
_BRIDGE_INFO = Struct(
    "PciBridgeInfo", (Member("bus", _BUS_INFO), Member("devices", _DEVICES, optional=True))
)
_CLASS_INFO = Struct("PciDeviceClass", (Member("desc", STR, optional=True), Member("class", INT)))
_ID_INFO = Struct(
    "PciDeviceId",
    (
        Member("device", INT),
        Member("vendor", INT),
        Member("subsystem", INT, optional=True),
        Member("subsystem-vendor", INT, optional=True),
    ),
)
_REGION_INFO = Struct(
    "PciMemoryRegion",
    (
        Member("bar", INT),
        Member("type", STR),
        Member("address", INT),
        Member("size", INT),
        Member("prefetch", BOOL, optional=True),
        Member("mem_type_64", BOOL, optional=True),
    ),
)
_DEVICE_INFO = Struct(
    "PciDeviceInfo",
    (
        Member("bus", INT),
        Member("slot", INT),
        Member("function", INT),
        Member("class_info", _CLASS_INFO),
        Member("id", _ID_INFO),
        Member("irq", INT, optional=True),
        Member("irq_pin", INT),
        Member("qdev_id", STR),
        Member("pci_bridge", _BRIDGE_INFO, optional=True),
        Member("regions", Array(_REGION_INFO)),
    ),
)
_PCI_INFO = Struct("PciInfo", (Member("bus", INT), Member("devices", _DEVICES)))

COMMANDS = (MonitorCommand(Command("query-pci", None, Array(_PCI_INFO)), _query_pci),)
