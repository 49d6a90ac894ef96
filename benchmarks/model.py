"""The model: a PAM write as the map grows, a move in a large container, rendering everything."""

from __future__ import annotations

import statistics
import time
import timeit
from collections.abc import Callable

from benchmarks import older
from benchmarks.qemu import PROGRAM, QtestQemu
from benchmarks.table import Row, median_seconds
from guestmap.hw.i440fx import I440FX
from guestmap.hw.pci import PciBus
from guestmap.machine.placement import MapPlacer
from guestmap.memory import MemorySystem

RANGES = (8, 250, 4000)
REGIONS = (100, 1000, 10_000)
MOVES = (10, 1000, 100_000)


def _system_with(ranges: int) -> tuple[MemorySystem, I440FX]:
    memory = MemorySystem()
    system = memory.container("system", 1 << 64)
    ram = memory.ram("pc.ram", 128 << 20)
    system.add_subregion(0, memory.alias("ram-below-4g", ram, 0, 128 << 20))
    pci = memory.container("pci", 1 << 64)
    system.add_subregion(0, pci, -1)
    bus = PciBus(MapPlacer(memory), pci, memory.container("io", 65536), system)
    bridge = I440FX(bus, system, ram)
    memory.address_space("memory", system)
    with memory.transaction():
        for i in range(ranges - 2):
            system.add_subregion((1 << 32) + (i << 21), memory.ram("dimm", 1 << 20, backed=False))
    return memory, bridge


def pam_rows() -> list[Row]:
    """One PAM write, commit included; QEMU's is a qtest configuration write of the same byte."""
    rows = []
    for ranges in RANGES:
        _memory, bridge = _system_with(ranges)
        values = [0x30, 0x10]

        def write(bridge: I440FX = bridge, values: list[int] = values) -> None:
            values.reverse()
            bridge.config_write(0x59, values[0], 1)

        if PROGRAM and ranges <= 250:
            ours, peer = _in_turns(write, ranges - 8)
            rows.append(Row(f"PAM write, {ranges} ranges", ours, peer, "median of 15; aim: 0.9"))
        else:
            note = "QEMU takes no more than 255 DIMMs"
            rows.append(Row(f"PAM write, {ranges} ranges", median_seconds(write, 1000), None, note))
    return rows


def _in_turns(write: Callable[[], None], dimms: int) -> tuple[float, float]:
    """Return the medians of 15 rounds, in each of which both take turns; a round's is its best."""
    ours, theirs = [], []
    for _ in range(15):
        ours.append(min(timeit.repeat(write, number=1, repeat=200)))
        theirs.append(_qemu_pam(dimms, rounds=5))
    return statistics.median(ours), statistics.median(theirs)


def move_rows() -> list[Row]:
    """One region moves in a container of many, as a BAR does; beside a container of ten."""
    rows: list[Row] = []
    for count in MOVES:
        memory = MemorySystem()
        system, pci = memory.container("system", 1 << 64), memory.container("pci", 1 << 64)
        system.add_subregion(0, pci, -1)
        memory.address_space("memory", system)
        devices = [memory.io("device", 0x1000, None) for _ in range(count)]
        with memory.transaction():
            for i, device in enumerate(devices):
                pci.add_subregion(i * 0x2000, device, 1)
        moving = devices[count // 2]
        times = []
        for _ in range(300):
            start = time.process_time()
            moving.set_address(moving.addr + 0x1000)
            moving.set_address(moving.addr - 0x1000)
            times.append((time.process_time() - start) / 2)
        ours = statistics.median(times)
        rows.append(
            Row(f"a move among {count:,} regions", ours, rows[0].ours if rows else ours, "aim: 1.5")
        )
    return rows


def _qemu_pam(dimms: int, rounds: int) -> float:
    slots = ["-m", f"128M,slots={max(1, dimms)},maxmem=4G"] if dimms > 0 else ["-m", "128M"]
    with QtestQemu(*slots) as qemu:
        for i in range(dimms):
            qemu.qmp("object-add", **{"qom-type": "memory-backend-ram", "id": f"m{i}",
                                      "size": 2 << 20})  # fmt: skip
            qemu.qmp("device_add", driver="pc-dimm", id=f"d{i}", memdev=f"m{i}")
        select = "outl 0xcf8 0x80000058"
        noop = qemu.seconds_each([select, "outb 0xcfc 0x0"] * 50, rounds)
        write = qemu.seconds_each(
            [select, "outb 0xcfd 0x30", select, "outb 0xcfd 0x10"] * 50, rounds
        )
        return 2 * (write - noop)


_RENDER = """
import statistics, sys, time
from guestmap.memory import FlatView, MemorySystem
try:
    from guestmap.memory.map.flat_range import simplify
    from guestmap.memory.map.render import render
except ImportError:
    from guestmap.memory.flatview import simplify
    from guestmap.memory.render import render
count = int(sys.argv[1])
memory = MemorySystem()
system = memory.container("system", 1 << 64)
with memory.transaction():
    for i in range(count):
        system.add_subregion(i * 0x1000, memory.io("dev", 0x1800, None), i % 4)
times = []
for _ in range(15):
    start = time.process_time()
    FlatView.of(system, simplify(render(system)))
    times.append(time.process_time() - start)
print(statistics.median(times))
"""


def render_rows() -> list[Row]:
    """A full rendering of a container of many regions, every fourth one above its neighbour."""
    rows = []
    with older.sources() as then:
        for count in REGIONS:
            seconds = older.seconds(_RENDER, older.ROOT / "src", str(count))
            peer = older.seconds(_RENDER, then, str(count)) if then else None
            each = f"{seconds / count * 1e6:.1f} us each; aim: 0.6"
            rows.append(Row(f"full render, {count} regions", seconds, peer, each))
    return rows
