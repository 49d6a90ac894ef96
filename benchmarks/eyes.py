"""The eyes: a large machine's text read, rebuilt, rendered and compared; an address explained."""

from __future__ import annotations

from benchmarks.qemu import PROGRAM, QtestQemu
from benchmarks.table import Row, median_seconds
from guestmap.conform.captures import check_capture, read_capture
from guestmap.inspect import Snapshot
from guestmap.inspect.ask.explain import explain
from guestmap.memory import MemorySystem

BRIDGES, DEVICES = 4, 30
RANGES = 500


def rows() -> list[Row]:
    """One dump of a PC with 120 devices behind bridges; one address of a map of 500 ranges."""
    return [*_dump_rows(), _explain_row()]


def _dump_rows() -> list[Row]:
    if PROGRAM is None:
        return []
    extra = ["-m", "128M"]
    for bridge in range(BRIDGES):
        extra += ["-device", f"pci-bridge,id=b{bridge},chassis_nr={bridge + 1}"]
        for slot in range(1, DEVICES + 1):
            extra += ["-device", f"pci-testdev,bus=b{bridge},addr={slot:x}"]
    commands = {"mtree-o-D.txt": "info mtree -o -D", "mtree-f-o.txt": "info mtree -f -o"}
    with QtestQemu(*extra) as qemu:

        def ask() -> dict[str, str]:
            return {
                name: qemu.qmp("human-monitor-command", **{"command-line": command})
                for name, command in commands.items()
            }

        peer = median_seconds(ask, 5)
        files = {name: text.encode() for name, text in ask().items()}
    path = "x86/benchmark"
    ours = median_seconds(lambda: list(check_capture(read_capture(path, files))), 5)
    size = sum(map(len, files.values())) // 1024
    return [
        Row("read, rebuild, render, compare a dump", ours, peer,
            f"{size} KiB; QEMU's time is for printing it"),
    ]  # fmt: skip


def _explain_row() -> Row:
    memory = MemorySystem()
    system = memory.container("system", 1 << 64)
    system.add_subregion(0, memory.ram("ram", 1 << 30, backed=False))
    with memory.transaction():
        for i in range(RANGES // 2):
            system.add_subregion(i * 0x10000, memory.io("dev", 0x1000, None), 1)
    memory.address_space("memory", system)
    snapshot = Snapshot.of(memory)
    seconds = median_seconds(lambda: explain(snapshot, 0x10000 * (RANGES // 4)), 50)
    return Row(f"explain one address, {RANGES} ranges", seconds)
