"""Attaching to a running QEMU: its whole map as a snapshot, beside its own ``info mtree -f``."""

from __future__ import annotations

import tempfile
from pathlib import Path

from benchmarks.qemu import PROGRAM, QtestQemu
from benchmarks.table import Row, best_of
from guestmap.inspect.sources.live import attach
from guestmap.inspect.sources.live.watching import Watcher

DIMMS = (0, 250)
REPEATS = 30


def rows() -> list[Row]:
    """Connect, shake hands, read trees, views and RAM blocks, conclude, let go; and one look."""
    if PROGRAM is None:
        return []
    return [row for dimms in DIMMS for row in _rows(dimms)]


def _rows(dimms: int) -> list[Row]:
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "qmp")
        extra = ["-qmp", f"unix:{path},server=on,wait=off", "-vga", "std"]
        extra += ["-device", "nec-usb-xhci"]
        extra += ["-m", f"128M,slots={max(1, dimms)},maxmem=8G"]
        for i in range(dimms):
            extra += ["-object", f"memory-backend-ram,id=m{i},size=2M"]
            extra += ["-device", f"pc-dimm,memdev=m{i}"]
        with QtestQemu(*extra) as qemu:
            arguments = {"command-line": "info mtree -f"}

            def peer() -> None:
                qemu.qmp("human-monitor-command", **arguments)

            def whole() -> None:
                with attach(path) as machine:
                    machine.snapshot()

            def first_view() -> None:
                with attach(path) as machine:
                    machine.snapshot(trees=False)

            view, by_view = best_of(first_view, peer, 1, rounds=REPEATS)
            ours, by_whole = best_of(whole, peer, 1, rounds=REPEATS)
            with attach(path) as machine:
                regions = len(machine.snapshot().regions)
                watcher = Watcher(machine)
                look, by_look = best_of(watcher.look, peer, 1, rounds=REPEATS)
    return [
        Row(f"attach and first view, {regions} regions", view, by_view, "aim: under 100 ms"),
        Row(
            f"attach and whole map, {regions} regions",
            ours,
            by_whole,
            "with trees, concluded; aim: 15 times",
        ),
        Row(f"one look of watch, {regions} regions", look, by_look, "two questions"),
    ]
