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
from guestmap.memory import AddressSpace, MemoryRegion, MemoryRegionOps, MemorySystem

SIZES = (1, 4, 8)
BULK = (64 * KIB, 1 * MIB)
RAM = 16 * MIB
AT = 0x12_3450
PIECE = 96 * KIB
"""Of RAM that is made of two blocks by turns: nearly every copy meets a border, and none is in a
cache."""


def rows() -> list[Row]:
    """Scalars and a few bytes of RAM, beside Unicorn's."""
    memory = MemorySystem()
    space = memory.address_space("memory", memory.ram("ram", RAM))
    emulator: Any = vars(unicorn)["Uc"](unicorn.UC_ARCH_X86, unicorn.UC_MODE_32)
    emulator.mem_map(0, RAM)
    measured = []
    for size in SIZES:
        data = bytes(range(size))
        number = int.from_bytes(data, "little")
        read = lambda size=size: emulator.mem_read(AT, size)  # noqa: E731
        write = lambda data=data: emulator.mem_write(AT, data)  # noqa: E731
        for name, ours, theirs in (
            ("load", lambda size=size: space.load(AT, size), read),
            ("read", lambda size=size: space.read(AT, size), read),
            ("store", lambda size=size, n=number: space.store(AT, size, n), write),
            ("write", lambda data=data: space.write(AT, data), write),
        ):
            measured.append(_row(f"{name}, {size} bytes", ours, theirs, 5000))
    return measured


def device_rows() -> list[Row]:
    """A register of a device: with and without a guard, and beside calling the device itself."""
    memory = MemorySystem()
    root = memory.io("io", 0x10000, None)
    ops = MemoryRegionOps(read=lambda _offset, _size: 5, write=lambda _offset, _value, _size: None)
    root.add_subregion(0x60, memory.io("port", 4, ops))
    root.add_subregion(0x70, memory.io("guarded", 4, ops, owner=ops))
    space = memory.address_space("I/O", root)
    read, write = ops.read, ops.write
    assert read is not None
    assert write is not None
    rows = []
    for name, port in (("port", 0x60), ("guarded port", 0x70)):
        load = lambda port=port: space.load(port, 1)  # noqa: E731
        store = lambda port=port: space.store(port, 1, 7)  # noqa: E731
        rows.append(_row(f"load of a {name}", load, lambda: read(0, 1), 5000))
        rows.append(_row(f"store to a {name}", store, lambda: write(0, 7, 1), 5000))
    return rows


def bulk_rows() -> list[Row]:
    """Copies out of and into RAM, beside the same copies without an address space."""
    rows = []
    memory = MemorySystem()
    root = memory.container("root", 1 << 64)
    blocks = [memory.ram(f"ram {i}", RAM) for i in range(2)]
    with memory.transaction():
        for i in range(2 * RAM // PIECE):
            piece = memory.alias("piece", blocks[i % 2], i // 2 * PIECE, PIECE)
            root.add_subregion(i * PIECE, piece)
    pieces = memory.address_space("pieces", root)
    whole = memory.address_space("whole", blocks[0])
    for space, where in ((whole, "in one range"), (pieces, "across borders")):
        for size in BULK:
            rows += _bulk(space, where, size, blocks)
    return rows


def _bulk(space: AddressSpace, where: str, size: int, blocks: list[MemoryRegion]) -> list[Row]:
    """Each call copies the next piece of RAM, so that no copy finds its data in a cache."""
    length = space.view.ranges[-1].end
    bare = [memoryview(b"") if block.buffer is None else block.buffer for block in blocks]
    target, source = bytearray(size), bytes(size)
    into = memoryview(target)

    def place(at: int) -> tuple[memoryview, int]:
        return (bare[0], at) if at + size <= RAM else (bare[1], at % (RAM - size))

    def bare_read(at: int) -> bytes:
        memory, at = place(at)
        return bytes(memory[at : at + size])

    def bare_read_into(at: int) -> None:
        memory, at = place(at)
        into[:] = memory[at : at + size]

    def bare_write(at: int) -> None:
        memory, at = place(at)
        memory[at : at + size] = source

    copies: list[tuple[str, Callable[[int], object], Callable[[int], object]]] = [
        ("read", lambda at: space.read(at, size), bare_read),
        ("read_into", lambda at: space.read_into(at, target), bare_read_into),
        ("write", lambda at: space.write(at, source), bare_write),
    ]
    rows = []
    for name, ours, theirs in copies:
        ours_at, theirs_at = _walking(ours, length - size), _walking(theirs, length - size)
        rows.append(_row(f"{name} {size // KIB} KiB {where}", ours_at, theirs_at, 200))
    return rows


def _walking(copy: Callable[[int], object], length: int) -> Callable[[], None]:
    at = 0

    def step() -> None:
        nonlocal at
        copy(at)
        at = (at + 5 * MIB + 4096) % length

    return step


def _row(what: str, ours: Callable[[], object], theirs: Callable[[], object], number: int) -> Row:
    us, them = best_of(ours, theirs, number)
    return Row(what, us, them)
