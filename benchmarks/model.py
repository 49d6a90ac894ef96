"""The model: what a PAM write costs as the map grows, and what rendering everything costs."""

from __future__ import annotations

from benchmarks.qemu import PROGRAM, QtestQemu
from benchmarks.table import Row, median_seconds
from guestmap.hw.i440fx import I440FX
from guestmap.hw.pci import PciBus
from guestmap.memory import FlatView, MemorySystem
from guestmap.memory.map import render
from guestmap.memory.map.flat_range import simplify

RANGES = (8, 250, 4000)
REGIONS = (100, 1000, 10_000)


def _system_with(ranges: int) -> tuple[MemorySystem, I440FX]:
    memory = MemorySystem()
    system = memory.container("system", 1 << 64)
    ram = memory.ram("pc.ram", 128 << 20)
    system.add_subregion(0, memory.alias("ram-below-4g", ram, 0, 128 << 20))
    pci = memory.container("pci", 1 << 64)
    system.add_subregion(0, pci, -1)
    bridge = I440FX(PciBus(memory, pci, memory.container("io", 65536), system), system, ram)
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

        ours = median_seconds(write, 1000)
        peer = _qemu_pam(ranges - 8) if PROGRAM and ranges <= 250 else None
        note = "" if peer else "QEMU takes no more than 255 DIMMs"
        rows.append(Row(f"PAM write, {ranges} ranges", ours, peer, note))
    return rows


def _qemu_pam(dimms: int) -> float:
    slots = ["-m", f"128M,slots={max(1, dimms)},maxmem=4G"] if dimms > 0 else ["-m", "128M"]
    with QtestQemu(*slots) as qemu:
        for i in range(dimms):
            qemu.qmp("object-add", **{"qom-type": "memory-backend-ram", "id": f"m{i}",
                                      "size": 2 << 20})  # fmt: skip
            qemu.qmp("device_add", driver="pc-dimm", id=f"d{i}", memdev=f"m{i}")
        select = "outl 0xcf8 0x80000058"
        noop = qemu.seconds_each([select, "outb 0xcfc 0x0"] * 50)
        write = qemu.seconds_each([select, "outb 0xcfd 0x30", select, "outb 0xcfd 0x10"] * 50)
        return 2 * (write - noop)


def render_rows() -> list[Row]:
    """A full rendering of a container of many regions, every fourth one above its neighbour."""
    rows = []
    for count in REGIONS:
        memory = MemorySystem()
        system = memory.container("system", 1 << 64)
        with memory.transaction():
            for i in range(count):
                system.add_subregion(i * 0x1000, memory.io("dev", 0x1800, None), i % 4)
        seconds = median_seconds(
            lambda root=system: FlatView.of(root, simplify(render(root))), max(3, 2000 // count)
        )
        rows.append(
            Row(
                f"full render, {count} regions",
                seconds,
                None,
                f"{seconds / count * 1e6:.1f} us each",
            )
        )
    return rows
