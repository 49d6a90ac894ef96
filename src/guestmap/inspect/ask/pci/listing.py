"""PCI functions beside the map: what each BAR decodes, and who answers there."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from guestmap.inspect.ask.spaces import view_of
from guestmap.inspect.map.pci_functions import Function, PciBar, PciDevices, Window
from guestmap.inspect.map.report import Report

if TYPE_CHECKING:
    from guestmap.inspect.map.snapshot import RangeInfo, Snapshot

State = Literal["unmapped", "seen", "elsewhere", "unseen", "unknown"]
"""Of a BAR: it decodes nothing; its region answers at its address; another region answers there;
nobody does; the region is not known, or the view is not told."""

SPACES = {"memory": "memory", "io": "I/O"}
"""Which address space a type of BAR decodes in."""


@dataclass(frozen=True, slots=True)
class BarUse(Report):
    """A BAR, the regions that may be behind it, and who answers at its address."""

    bar: PciBar
    regions: tuple[str, ...]
    state: State
    answers: str | None


@dataclass(frozen=True, slots=True)
class FunctionUse(Report):
    """A function with the use of its BARs; ``device`` is its object's path, ``name`` for people."""

    address: str
    name: str
    device: str | None
    driver: str | None
    description: str
    vendor: int
    product: int
    bars: tuple[BarUse, ...]
    buses: tuple[int, int] | None
    windows: tuple[Window, ...]
    behind: str | None


@dataclass(frozen=True, slots=True)
class PciListing(Report):
    """All functions of a machine."""

    source: str
    version: str
    functions: tuple[FunctionUse, ...]


def listing(pci: PciDevices, snapshot: Snapshot) -> PciListing:
    """Return what every BAR and bridge decodes, held to the map of the same machine."""
    views: dict[str, tuple[RangeInfo, ...]] = {}
    for space in SPACES.values():
        known = {user.name for view in snapshot.views for user in view.users}
        if space in known | {each.name for each in snapshot.address_spaces}:
            views[space] = view_of(snapshot, space)
    uses = tuple(_use(each, pci, views) for each in pci.functions)
    return PciListing(pci.source, pci.version, uses)


def _use(each: Function, pci: PciDevices, views: dict[str, tuple[RangeInfo, ...]]) -> FunctionUse:
    bars = tuple(_bar_use(each, bar, views.get(SPACES[bar.type])) for bar in each.bars)
    above = None if each.above is None else pci.functions[each.above].address
    bridge = each.bridge
    return FunctionUse(
        each.address,
        each.device.name if each.device else "",
        each.device.path if each.device else None,
        each.device.driver if each.device else None,
        each.description, each.vendor, each.product, bars,
        (bridge.secondary, bridge.subordinate) if bridge else None,
        bridge.windows if bridge else (),
        above,
    )  # fmt: skip


def _bar_use(function: Function, bar: PciBar, view: tuple[RangeInfo, ...] | None) -> BarUse:
    regions = function.regions_of(bar)
    names = tuple(each.name for each in regions)
    if bar.address is None:
        return BarUse(bar, names, "unmapped", None)
    if view is None:
        return BarUse(bar, names, "unknown", None)
    if not regions:
        there = answering(view, bar.address, bar.size)
        return BarUse(bar, names, "unknown", there[0].name if there else None)
    own = {each.name for each in function.device.regions} if function.device else set()
    found = answering(view, bar.address, bar.size)
    if not found:
        return BarUse(bar, names, "unseen", None)
    ours = next((each for each in found if each.name in own), None)
    if ours is not None:
        return BarUse(bar, names, "seen", ours.name)
    return BarUse(bar, names, "elsewhere", found[0].name)


def answering(view: tuple[RangeInfo, ...], start: int, size: int) -> list[RangeInfo]:
    """Return the ranges of a view that answer somewhere in ``size`` bytes from ``start`` on."""
    index = max(bisect_right([each.start for each in view], start) - 1, 0)
    found = []
    for each in view[index:]:
        if each.start >= start + size:
            break
        if each.start + each.size > start:
            found.append(each)
    return found
