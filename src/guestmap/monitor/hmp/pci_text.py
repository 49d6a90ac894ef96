"""``info pci``, from the values that ``query-pci`` returns."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

QmpObject = Mapping[str, Any]

_ADDRESSES = 1 << 64


def pci_text(buses: Iterable[QmpObject]) -> str:
    """Return the functions of all buses, those behind a bridge after it."""
    lines = [line for bus in buses for device in bus["devices"] for line in _function(device)]
    return "".join(f"{line}\n" for line in lines)


def _function(device: QmpObject) -> Iterable[str]:
    identity, kind = device["id"], device["class_info"]
    yield f"  Bus {device['bus']:2}, device {device['slot']:3}, function {device['function']}:"
    name = kind.get("desc") or f"Class {kind['class']:04d}"
    yield f"    {name}: PCI device {identity['vendor']:04x}:{identity['device']:04x}"
    if "subsystem" in identity and "subsystem-vendor" in identity:
        yield (
            f"      PCI subsystem {identity['subsystem-vendor']:04x}:{identity['subsystem']:04x}"
        )
    if "irq" in device:
        yield f"      IRQ {device['irq']}, pin {chr(ord('A') + device['irq_pin'] - 1)}"
    bridge = device.get("pci_bridge")
    if bridge is not None:
        yield from _bridge(bridge["bus"])
    for region in device["regions"]:
        yield _window(region)
    yield f'      id "{device["qdev_id"]}"'
    if bridge is not None:
        for behind in bridge.get("devices", ()):
            yield from _function(behind)


def _bridge(bus: QmpObject) -> Iterable[str]:
    yield f"      BUS {bus['number']}."
    yield f"      secondary bus {bus['secondary']}."
    yield f"      subordinate bus {bus['subordinate']}."
    for name, key, digits in (
        ("IO", "io_range", 4),
        ("memory", "memory_range", 8),
        ("prefetchable memory", "prefetchable_range", 8),
    ):
        low, high = bus[key]["base"], bus[key]["limit"]
        yield f"      {name} range [0x{low:0{digits}x}, 0x{high:0{digits}x}]"


def _window(region: QmpObject) -> str:
    first = region["address"] % _ADDRESSES
    last = (first + region["size"] - 1) % _ADDRESSES
    if region["type"] == "io":
        return f"      BAR{region['bar']}: I/O at 0x{first:04x} [0x{last:04x}]."
    bits = 64 if region["mem_type_64"] else 32
    kind = " prefetchable" if region["prefetch"] else ""
    return f"      BAR{region['bar']}: {bits} bit{kind} memory at 0x{first:08x} [0x{last:08x}]."
