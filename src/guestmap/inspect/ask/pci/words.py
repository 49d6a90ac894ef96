"""PCI functions, and regions that are in no tree, in sentences."""

from __future__ import annotations

from typing import TYPE_CHECKING

from guestmap.base import format_size

if TYPE_CHECKING:
    from collections.abc import Iterator

    from guestmap.inspect.ask.pci.listing import BarUse, FunctionUse, PciListing
    from guestmap.inspect.ask.pci.unmapped import Unmapped
    from guestmap.inspect.map.pci_functions import PciBar, Window

_DECODING = {"memory": "memory decoding", "io": "I/O decoding"}


def pci_sentences(told: PciListing) -> Iterator[str]:
    """Yield a line for each function, and below it one for each BAR and window."""
    if not told.functions:
        yield "No PCI functions."
    for each in told.functions:
        yield _heading(each)
        for use in each.bars:
            yield f"  {_bar(use.bar)}: {_state(use)}"
        if each.buses is not None:
            if each.buses[0] == 0:
                yield "  bridge without a bus number yet: it passes nothing on"
                continue
            yield f"  bridge to buses {each.buses[0]:#04x}-{each.buses[1]:#04x}"
            for window in each.windows:
                yield f"  {window_words(window)}"


def _heading(each: FunctionUse) -> str:
    named = ", ".join(word for word in (each.name, each.driver) if word)
    behind = f", behind {each.behind}" if each.behind else ""
    if each.vendor == 0:  # QMP tells nothing of it
        return f"{each.address} ({named}){behind}: the bridge has no bus number yet"
    product = f"{each.vendor:04x}:{each.product:04x}"
    return f"{each.address} {each.description}{f' ({named})' if named else ''}, {product}{behind}"


def _bar(bar: PciBar) -> str:
    kind = "memory" if bar.type == "memory" else "I/O"
    more = [*(["64 bits"] if bar.mem_type_64 else []), *(["prefetchable"] if bar.prefetch else [])]
    size = [format_size(bar.size)] if bar.size else []
    return ", ".join([f"{bar.title}: {kind}", *more, *size])


def _state(use: BarUse) -> str:
    who = " or ".join(use.regions) or "a region that is not known"
    if use.bar.address is None:
        return f"{who}; not mapped: {_undecoded(use.bar)}"
    place = f"{use.bar.address:#x}-{use.bar.address + use.bar.size - 1:#x}"
    if use.state == "seen":
        return f"{place} {who}"
    if use.state == "elsewhere":
        return f"{place} {who}; but {use.answers} answers there"
    if use.state == "unknown" and use.answers:
        return f"{place} {use.answers} answers there"
    if use.state == "unseen":
        return f"{place} {who}; but nobody answers there"
    return f"{place} {who}"


def _undecoded(bar: PciBar) -> str:
    return f"no address yet, or {_DECODING[bar.type]} is off"


def window_words(window: Window) -> str:
    """Say what a bridge passes on."""
    kind = {"io": "I/O", "memory": "memory", "prefetchable": "prefetchable memory"}[window.kind]
    if not window.is_open:
        return f"{kind} window: closed"
    return f"{kind} window: {window.base:#x}-{window.limit:#x}"


def unmapped_sentences(found: list[Unmapped], *, in_tree: bool = False) -> Iterator[str]:
    """Say of each region what it is, and why it stands in no tree, or in none that is reached."""
    place = "is in no tree that accesses reach" if in_tree else "exists and stands in no tree"
    for each in found:
        device = f"device {each.device.name} ({each.device.driver})"
        yield (
            f"{each.region.name} ({format_size(each.region.size)}) {place}:"
            f" it is of {device}{_where(each)}"
        )
        yield f"  {_because(each)}"


def _where(each: Unmapped) -> str:
    inside = f", inside {', '.join(each.inside)}" if each.inside else ""
    if each.function is None:
        return inside
    bars = " or ".join(bar.title for bar in (each.bar, *each.bars) if bar is not None)
    return f"{inside}, {bars + ' of ' if bars else ''}{each.function.address}"


def _because(each: Unmapped) -> str:
    bar, bridge = each.bar, each.bridge
    if each.reason == "not-decoded" and bar is not None:
        return (
            f"{bar.title} is not mapped: the guest has not given it an address, or has"
            f" {_DECODING[bar.type]} off in the function's command register (QEMU tells both alike)"
        )
    above = f"bridge {bridge.title}" if bridge is not None else "the bridge in front of it"
    if each.reason == "no-bus":
        return f"{above} has no bus number yet: no firmware has reached what is behind it"
    if bar is not None and bar.address is not None:
        place = f"{bar.address:#x}-{bar.address + bar.size - 1:#x}"
        if each.reason == "window-closed":
            return f"{bar.title} decodes {place}, and {above} has its window closed"
        if each.reason == "window-elsewhere" and each.window is not None:
            words = window_words(each.window)
            return f"{bar.title} decodes {place}, and {above} passes that not on: its {words}"
        if each.reason == "not-passed":
            off = _DECODING[bar.type]
            return f"{bar.title} decodes {place}, and {above} passes nothing on: is its {off} off?"
    if each.reason == "held":
        return f"{each.inside[-1]}, which it lies in, is in no tree either"
    return "nothing has given it a place in the map"
