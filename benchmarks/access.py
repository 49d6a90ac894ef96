"""Accesses through an address space: beside Unicorn's, and beside a bare copy.

Unicorn's ``mem_read`` and ``mem_write`` go through ctypes to a library written in C; what is
compared is what a Python program pays for one access of guest RAM. The bare copy is one slice
assignment, or one ``bytes`` of a slice, of the same host memory.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import unicorn

from benchmarks.table import Row, best_of
from guestmap.base import KIB, MIB
from guestmap.memory import MemoryRegionOps, MemorySystem

SIZES = (1, 4, 8)
BULK = (64 * KIB, 1 * MIB, 16 * MIB)
RAM = 32 * MIB
AT = 0x12_3450

IN_ONE = {
    "read": ("space.read(at, size)", "bytes(low[at : at + size])"),
    "read_into": ("space.read_into(at, target)", "into[:] = low[at : at + size]"),
    "write": ("space.write(at, source)", "low[at : at + size] = source"),
}
OVER_A_BORDER = {
    "read": ("space.read(edge, size)", "b''.join((low[edge:], high[:half]))"),
    "read_into": (
        "space.read_into(edge, target)",
        "into[:half] = low[edge:]; into[half:] = high[:half]",
    ),
    "write": (
        "space.write(edge, source)",
        "low[edge:] = view[:half]; high[:half] = view[half:]",
    ),
}


def rows() -> list[Row]:
    """Scalars and a few bytes of RAM, beside Unicorn's."""
    memory = MemorySystem()
    space = memory.address_space("memory", memory.ram("ram", RAM))
    emulator: Any = vars(unicorn)["Uc"](unicorn.UC_ARCH_X86, unicorn.UC_MODE_32)
    emulator.mem_map(0, RAM)
    measured = []
    for size in SIZES:
        data = bytes(range(size))
        names = {"space": space, "emulator": emulator, "at": AT, "size": size, "data": data,
                 "number": int.from_bytes(data, "little")}  # fmt: skip
        read, write = "emulator.mem_read(at, size)", "emulator.mem_write(at, data)"
        for ours, theirs in (
            ("space.load(at, size)", read),
            ("space.read(at, size)", read),
            ("space.store(at, size, number)", write),
            ("space.write(at, data)", write),
        ):
            name = ours.removeprefix("space.").partition("(")[0]
            measured.append(_row(f"{name}, {size} bytes", ours, theirs, 5000, names))
    return measured


def device_rows() -> list[Row]:
    """A register of a device: without a guard and with one, beside calling the device itself."""
    memory = MemorySystem()
    root = memory.io("io", 0x10000, None)
    ops = MemoryRegionOps(read=lambda _offset, _size: 5, write=lambda _offset, _value, _size: None)
    root.add_subregion(0x60, memory.io("port", 4, ops))
    root.add_subregion(0x70, memory.io("guarded", 4, ops, owner=ops))
    space = memory.address_space("I/O", root)
    rows = []
    for name, port in (("port", 0x60), ("guarded port", 0x70)):
        names = {"space": space, "port": port, "read": ops.read, "write": ops.write}
        load, store = "space.load(port, 1)", "space.store(port, 1, 7)"
        rows.append(_row(f"load of a {name}", load, "read(0, 1)", 5000, names))
        rows.append(_row(f"store to a {name}", store, "write(0, 7, 1)", 5000, names))
    return rows


def bulk_rows() -> list[Row]:
    """Copies out of and into RAM, beside the same copies without an address space.

    Within one range, and over the border between two: there the bare copy is two, one for each
    block, by somebody who knows where the border is.
    """
    memory = MemorySystem()
    root = memory.container("root", 1 << 64)
    blocks = [memory.ram(f"ram {i}", RAM) for i in range(2)]
    for number, block in enumerate(blocks):
        root.add_subregion(number * RAM, block)
    names: dict[str, Any] = {"space": memory.address_space("memory", root)}
    names["low"], names["high"] = (block.buffer for block in blocks)
    rows = []
    for size in BULK:
        half = size // 2
        names |= {"size": size, "half": half, "source": bytes(size), "target": bytearray(size)}
        names |= {"into": memoryview(names["target"]), "view": memoryview(names["source"])}
        names |= {"edge": RAM - half, "at": RAM // 4}
        what = f"{size // KIB} KiB" if size < MIB else f"{size // MIB} MiB"
        number = max(3, 20 * MIB // size)
        for where, copies in (("in one range", IN_ONE), ("over a border", OVER_A_BORDER)):
            for name, (ours, theirs) in copies.items():
                rows.append(_row(f"{name} {what} {where}", ours, theirs, number, names))
    return rows


def _row(
    what: str,
    ours: str | Callable[[], object],
    theirs: str | Callable[[], object],
    number: int,
    names: dict[str, Any] | None = None,
) -> Row:
    return Row(what, *best_of(ours, theirs, number, names))
