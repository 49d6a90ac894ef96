"""Memory held by many regions and many address spaces, as Python's allocator counts it."""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Callable
from typing import NamedTuple

from rich.console import Console
from rich.table import Table

from guestmap.memory import MemoryRegion, MemoryRegionOps, MemorySystem

COUNT = 10_000


class Footprint(NamedTuple):
    """Bytes that one thing of a kind takes, among 10,000 of them."""

    what: str
    each: float


def rows() -> list[Footprint]:
    """Return what regions and address spaces cost, each kind on top of the ones before."""
    memory = MemorySystem()
    system = memory.container("system", 1 << 64)
    memory.address_space("memory", system)
    ops = MemoryRegionOps()
    regions: list[MemoryRegion] = []
    boxes: list[MemoryRegion] = []

    def make_regions() -> None:
        regions.extend(memory.io("bar", 0x1000, ops) for _ in range(COUNT))

    def map_regions() -> None:
        with memory.transaction():
            for number, region in enumerate(regions):
                system.add_subregion(number * 0x2000, region)

    def make_boxes() -> None:
        for _ in range(COUNT):
            box = memory.container("bus master container", 1 << 64)
            box.add_subregion(0, memory.alias("bus master", system, 0, 1 << 64))
            boxes.append(box)

    def make_spaces() -> None:
        with memory.transaction():
            for box in boxes:
                memory.address_space("bus master", box)

    return [
        Footprint("an I/O region", _bytes(make_regions)),
        Footprint("its place in the map: index, flat range", _bytes(map_regions)),
        Footprint("container and alias of a bus master", _bytes(make_boxes)),
        Footprint("its address space, sharing the view", _bytes(make_spaces)),
    ]


def _bytes(make: Callable[[], None]) -> float:
    gc.collect()
    tracemalloc.start()
    try:
        make()
        gc.collect()
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    return held / COUNT


def show(footprints: list[Footprint], console: Console) -> None:
    """Print bytes."""
    table = Table(title=f"Memory held, {COUNT} of each", title_justify="left", title_style="bold")
    table.add_column("")
    table.add_column("bytes each", justify="right")
    for each in footprints:
        table.add_row(each.what, f"{each.each:.0f}")
    console.print(table)
