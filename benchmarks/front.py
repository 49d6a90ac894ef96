"""An address space in front of Unicorn, beside what a program gets that uses Unicorn alone.

An ARM loop of loads and stores; loads and stores of one register of a device, beside a bare
``mmio_map`` whose functions do the same; and a switch of a bank of 16 KiB, beside ``mem_unmap`` and
``mem_map`` with a copy of the bank, or with ``mem_map_ptr`` of it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from unicorn import Uc
from unicorn import arm_const as arm
from unicorn import unicorn_const as uc_api

from benchmarks.table import Row, best_of
from guestmap.accel.unicorn import attach
from guestmap.memory import MemoryRegionOps, MemorySystem

RAM, RAM_SIZE, DEVICE, WINDOW, BANK = 0, 0x10000, 0x1000_0000, 0x2000_0000, 0x4000
ACCESSES = 2000
LOOPS = {
    "loads": "001090e5 012052e2 fcffff1a",  # ldr r1, [r0]; subs r2, r2, #1; bne
    "stores": "041080e5 012052e2 fcffff1a",  # str r1, [r0, #4]; subs r2, r2, #1; bne
    "loads and stores": "001090e5 041080e5 012052e2 fbffff1a",
}


class _Bare:
    """Unicorn alone."""

    def __init__(self) -> None:
        self.uc: Any = Uc(uc_api.UC_ARCH_ARM, uc_api.UC_MODE_ARM)
        self.uc.mem_map(RAM, RAM_SIZE)
        self.uc.mmio_map(DEVICE, 0x1000, lambda *_: 5, None, lambda *_: None, None)
        self.write = self.uc.mem_write


class _Ours:
    """Unicorn behind an address space."""

    def __init__(self) -> None:
        memory = MemorySystem()
        board = memory.container("board", 1 << 32)
        space = memory.address_space("memory", board)
        board.add_subregion(RAM, memory.ram("ram", RAM_SIZE))
        ops = MemoryRegionOps(read=lambda *_: 5, write=lambda *_: None)
        board.add_subregion(DEVICE, memory.io("device", 16, ops))
        self.banks = memory.ram("banks", 8 * BANK)
        self.window = memory.alias("window", self.banks, 0, BANK)
        board.add_subregion(WINDOW, self.window)
        self.uc: Any = Uc(uc_api.UC_ARCH_ARM, uc_api.UC_MODE_ARM)
        self.front = attach(self.uc, space)
        self.write = space.write


def rows() -> list[Row]:
    """Return the time of one access, and of one switch."""
    ours, bare = _Ours(), _Bare()
    measured = []
    for what, base, loop, count in (
        ("RAM", 0x8000, "loads and stores", 20_000),
        ("a device", DEVICE, "loads", ACCESSES),
        ("a device", DEVICE, "stores", ACCESSES),
    ):
        runs = [_run(machine, base, loop, count) for machine in (ours, bare)]
        times = best_of(runs[0], runs[1], 1, rounds=100)
        measured.append(Row(f"{loop} of {what}", *(each / count for each in times)))
    return measured + _switches(ours, bare.uc)


def _run(machine: _Bare | _Ours, base: int, loop: str, count: int) -> Callable[[], None]:
    """Return a function that goes round a loop ``count`` times."""
    code = bytes.fromhex(LOOPS[loop])
    at = 0x1000 * (1 + list(LOOPS).index(loop))
    machine.write(at, code)
    uc = machine.uc

    def run() -> None:
        uc.reg_write(arm.UC_ARM_REG_R0, base)
        uc.reg_write(arm.UC_ARM_REG_R2, count)
        uc.emu_start(at, at + len(code))

    return run


def _switches(ours: _Ours, uc: Any) -> list[Row]:
    block = ours.banks.ram_block
    assert block is not None
    host, contents = block.host_address, bytes(BANK)
    state = {"bank": 0}

    def ours_switches() -> None:
        state["bank"] = (state["bank"] + 1) % 8
        ours.window.set_alias_offset(state["bank"] * BANK)

    def copies() -> None:
        uc.mem_unmap(WINDOW, BANK)
        uc.mem_map(WINDOW, BANK)
        uc.mem_write(WINDOW, contents)

    def maps_the_host() -> None:
        state["bank"] = (state["bank"] + 1) % 8
        uc.mem_unmap(WINDOW, BANK)
        uc.mem_map_ptr(WINDOW, BANK, uc_api.UC_PROT_ALL, host + state["bank"] * BANK)

    uc.mem_map(WINDOW, BANK)
    return [
        Row(f"bank switch, beside {what}", *best_of(ours_switches, theirs, 5, rounds=60))
        for what, theirs in (("mem_map and a copy", copies), ("mem_map_ptr", maps_the_host))
    ]
