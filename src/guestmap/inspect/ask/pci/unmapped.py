"""Why a region that a machine has stands in no tree of its map."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from guestmap.inspect.map.pci_functions import (
    DeviceRegion,
    Function,
    PciBar,
    PciDevices,
    QomDevice,
    Window,
)
from guestmap.inspect.map.report import Report

if TYPE_CHECKING:
    from collections.abc import Iterator

Reason = Literal["not-decoded", "no-bus", "window-closed", "window-elsewhere", "not-passed", "held",
                 "unplaced"]  # fmt: skip
"""The BAR decodes nothing; the bridge in front has no bus number, so nobody has reached the
function; the bridge's window is closed, or open somewhere else; the window holds it, and the bridge
does not pass it on (decoding is off there, or in front of it); the region lies in another that
is in no tree; nothing has given it a place."""


@dataclass(frozen=True, slots=True)
class Unmapped(Report):
    """A region that exists and is in no tree.

    Attributes:
        inside: names of the regions of the same device that it lies in, the outermost last.
        function, bar: what decodes it, where that is known.
        bars: others that it could as well be behind.
        bridge, window: what is in the way, where that is a bridge.
    """

    region: DeviceRegion
    device: QomDevice
    inside: tuple[str, ...]
    function: Function | None
    bar: PciBar | None
    bars: tuple[PciBar, ...]
    reason: Reason
    bridge: Function | None = None
    window: Window | None = None


def why_unmapped(pci: PciDevices, name: str) -> list[Unmapped]:
    """Return each region of this name that a device owns, and why the map does not have it."""
    return [
        _why(pci, function, device, region)
        for function, device in _owners(pci)
        for region in device.regions
        if name in (region.name, region.path)
    ]


def _owners(pci: PciDevices) -> Iterator[tuple[Function | None, QomDevice]]:
    for function in pci.functions:
        if function.device is not None:
            yield function, function.device
    for device in pci.others:
        yield None, device


def _why(
    pci: PciDevices, function: Function | None, device: QomDevice, region: DeviceRegion
) -> Unmapped:
    by_path = {each.path: each for each in device.regions}
    outermost, inside = region, list[str]()
    while outermost.container in by_path and len(inside) < len(by_path):
        outermost = by_path[outermost.container]
        inside.append(outermost.name)
    if function is None:
        reason: Reason = "held" if inside else "unplaced"
        return Unmapped(region, device, tuple(inside), None, None, (), reason)
    bars = tuple(bar for bar in function.bars if outermost in function.regions_of(bar))
    bar = bars[0] if bars else None
    reason, bridge, window = _in_the_way(pci, function, bar)
    return Unmapped(region, device, tuple(inside), function, bar, bars[1:], reason, bridge, window)


def _in_the_way(
    pci: PciDevices, function: Function, bar: PciBar | None
) -> tuple[Reason, Function | None, Window | None]:
    if function.bus is None:
        above = None if function.above is None else pci.functions[function.above]
        return "no-bus", above, None
    if bar is None:
        return "unplaced", None, None
    if bar.address is None:
        return "not-decoded", None, None
    above_index, nearest = function.above, None
    while above_index is not None:
        bridge = pci.functions[above_index]
        nearest = nearest or bridge
        windows = _windows(bridge, bar)
        if not any(each.holds(bar.address, bar.size) for each in windows):
            own = windows[0] if windows else None
            is_open = own is not None and own.is_open
            return "window-elsewhere" if is_open else "window-closed", bridge, own
        above_index = bridge.above
    return ("not-passed", nearest, None) if nearest else ("unplaced", None, None)


def _windows(bridge: Function, bar: PciBar) -> list[Window]:
    """Return the windows through which a BAR can be reached, that of its own kind first."""
    if bridge.bridge is None:
        return []
    kinds = {"io": ["io"], "memory": ["memory", "prefetchable"]}[bar.type]
    if bar.prefetch:
        kinds.reverse()
    found = (each for each in bridge.bridge.windows if each.kind in kinds)
    return sorted(found, key=lambda each: kinds.index(each.kind))
