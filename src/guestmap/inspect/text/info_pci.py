"""The text of QEMU's ``info pci``: functions, BARs and bridges, as the human monitor tells of them.

It has what query-pci has, but for the objects behind the functions (hw/pci/pci-hmp-cmds.c).
"""

from __future__ import annotations

import re
from dataclasses import replace

from guestmap.base import PeerError
from guestmap.inspect.map.pci_functions import (
    Bridge,
    Function,
    PciBar,
    PciDevices,
    QomDevice,
    Window,
)

_ALL = 1 << 64
_NOWHERE = _ALL - 1
_FUNCTION = re.compile(r"  Bus +(\d+), device +(\d+), function (\d+):")
_CLASS = re.compile(r"    (.+): PCI device ([0-9a-f]{4}):([0-9a-f]{4})")
_BAR = re.compile(
    r"      BAR(\d): (?:(I/O)|(32|64) bit( prefetchable)? memory)"
    r"(?: at 0x([0-9a-f]+) \[0x([0-9a-f]+)\]\.?| \(not mapped\))"  # the latter since 10.0
)
_BUS = re.compile(r"      (secondary|subordinate) bus (\d+)\.")
_WINDOW = re.compile(
    r"      (IO|memory|prefetchable memory) range \[0x([0-9a-f]+), 0x([0-9a-f]+)\]"
)
_ID = re.compile(r'      id "(.*)"')
_KINDS = {"IO": "io", "memory": "memory", "prefetchable memory": "prefetchable"}
_PASSED_OVER = re.compile(r"      (?:PCI subsystem |IRQ |BUS \d|$)|\s*$|\(qemu\)|info pci")


def read_info_pci(text: str, *, source: str, version: str = "") -> PciDevices:
    r"""Read the output of ``info pci``; lines may end in ``\n`` or ``\r\n``.

    Raises:
        PeerError: a line is of no such form; says its number.
    """
    functions: list[Function] = []
    for number, line in enumerate(text.replace("\r\n", "\n").split("\n"), 1):
        if match := _FUNCTION.fullmatch(line):
            bus, slot, function = map(int, match.groups())
            functions.append(
                Function(bus, slot, function, 0, 0, "", (), above=_above(functions, bus))
            )
        elif _PASSED_OVER.match(line):
            continue
        elif functions and (changed := _with_line(functions[-1], line)) is not None:
            functions[-1] = changed
        else:
            raise PeerError(
                f"info pci text, line {number}: expected a function, its class, BARs, bus or id,"
                f" found {line[:120]!r}"
            )
    return PciDevices(source, version, tuple(functions), ())


def _above(functions: list[Function], bus: int) -> int | None:
    """Return the index of the bridge to a bus; bus 0 is a root bus, as is one that has none."""
    bridges = {each.bridge.secondary: i for i, each in enumerate(functions) if each.bridge}
    return bridges.get(bus) if bus else None


def _with_line(function: Function, line: str) -> Function | None:
    """Return a function with what a line says of it; None: it is no such line."""
    if match := _CLASS.fullmatch(line):
        name, vendor, product = match.groups()
        return replace(function, description=name, vendor=int(vendor, 16), product=int(product, 16))
    if match := _BAR.fullmatch(line):
        return replace(function, bars=(*function.bars, _bar(match)))
    bridge = function.bridge or Bridge(0, 0, ())
    if match := _BUS.fullmatch(line):
        which, bus = match[1], int(match[2])
        secondary = bus if which == "secondary" else bridge.secondary
        subordinate = bus if which == "subordinate" else bridge.subordinate
        return replace(function, bridge=Bridge(secondary, subordinate, bridge.windows))
    if match := _WINDOW.fullmatch(line):
        window = Window(_KINDS[match[1]], int(match[2], 16), int(match[3], 16))  # type: ignore[arg-type]
        return replace(function, bridge=replace(bridge, windows=(*bridge.windows, window)))
    if match := _ID.fullmatch(line):
        path = f"/machine/peripheral/{match[1]}"
        return replace(function, device=QomDevice(path, "", ()) if match[1] else None)
    return None


def _bar(match: re.Match[str]) -> PciBar:
    number, ports, bits, prefetch, first, last = match.groups()
    start = _NOWHERE if first is None else int(first, 16)
    # Of one that is nowhere it is told by older QEMUs, where the sum wraps.
    size = 0 if last is None else (int(last, 16) - start) % _ALL + 1
    return PciBar(
        int(number), "io" if ports else "memory", size, None if start == _NOWHERE else start,
        prefetch=bool(prefetch), mem_type_64=bits == "64",
    )  # fmt: skip
