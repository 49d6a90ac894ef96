"""A machine of many PCI functions from nothing: made, and mapped one by one."""

from __future__ import annotations

import math
import time

from benchmarks.pci import MASTER, MEMORY, Layout, Machine
from benchmarks.qemu import PROGRAM, QtestQemu
from benchmarks.table import Row

COUNTS = (100, 1000, 10_000)
QEMU_LIMIT = 1000


def rows() -> list[Row]:
    """Return the time to make the machine and map each function in a commit of its own."""
    measured = []
    for count in COUNTS:
        layout = Layout(count)
        ours = _ours(layout)
        theirs = _qemu(layout) if PROGRAM and count <= QEMU_LIMIT else None
        each = f"{ours / count * 1e6:.0f} us each, {ours / (count * math.log2(count)) * 1e6:.1f} us"
        measured.append(Row(f"{count} devices", ours, theirs, f"{each} / n log n"))
    return measured


def _ours(layout: Layout) -> float:
    start = time.perf_counter()
    machine = Machine(layout)
    machine.write(layout.set_up(MEMORY | MASTER))
    return time.perf_counter() - start


def _qemu(layout: Layout) -> float:
    start = time.perf_counter()
    with QtestQemu("-m", "128M", *layout.qemu_arguments()) as qemu:
        writes = [f"outl {port:#x} {value:#x}" for port, value in layout.set_up(MEMORY | MASTER)]
        for first in range(0, len(writes), 500):
            qemu.seconds_each(writes[first : first + 500], rounds=1)
        return time.perf_counter() - start
