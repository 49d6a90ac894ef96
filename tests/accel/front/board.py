"""A small ARM board behind plain Unicorn, whose CPU can be told to access any address."""

from __future__ import annotations

from typing import Any

import unicorn
from unicorn import Uc
from unicorn import arm_const as arm
from unicorn import unicorn_const as uc_api

from guestmap.accel.unicorn import Front, attach
from guestmap.memory import MemoryRegion, MemorySystem

STUBS = 0xFFFF_0000
"""Where the CPU's own instructions are: a page that is not the address space's."""

_LOADS = {1: "0010d0e5", 2: "b010d0e1", 4: "001090e5"}  # ldrb, ldrh, ldr r1, [r0]
_STORES = {1: "0010c0e5", 2: "b010c0e1", 4: "001080e5"}  # strb, strh, str r1, [r0]


class Board:
    """An address space of 4 GiB, an ARM CPU, and a front between them."""

    def __init__(self, **options: Any) -> None:
        self.memory = MemorySystem()
        self.root = self.memory.container("board", 1 << 32)
        self.space = self.memory.address_space("memory", self.root)
        self.uc = Uc(uc_api.UC_ARCH_ARM, uc_api.UC_MODE_ARM)
        self.uc.mem_map(STUBS, 0x1000)
        for index, code in enumerate((*_LOADS.values(), *_STORES.values())):
            self.uc.mem_write(STUBS + 4 * index, bytes.fromhex(code))
        self.front: Front = attach(self.uc, self.space, **options)

    def ram(self, address: int, size: int, name: str = "ram", priority: int = 0) -> MemoryRegion:
        region = self.memory.ram(name, size)
        self.root.add_subregion(address, region, priority)
        return region

    def run(self, start: int, end: int, **registers: int) -> None:
        """Run code, with registers set before."""
        for name, value in registers.items():
            self.uc.reg_write(getattr(arm, f"UC_ARM_REG_{name.upper()}"), value)
        self.uc.emu_start(start, end)

    def register(self, name: str) -> int:
        return int(self.uc.reg_read(getattr(arm, f"UC_ARM_REG_{name.upper()}")))

    def load(self, address: int, size: int = 4) -> int:
        """Have the CPU load a number."""
        at = STUBS + 4 * list(_LOADS).index(size)
        self.run(at, at + 4, r0=address, r1=0xDEADDEAD)
        return self.register("r1")

    def store(self, address: int, value: int, size: int = 4) -> None:
        """Have the CPU store a number."""
        at = STUBS + 12 + 4 * list(_STORES).index(size)
        self.run(at, at + 4, r0=address, r1=value)

    def windows(self) -> int:
        """How many of Unicorn's regions are not executable: devices, and what is like them."""
        return sum(not access & unicorn.UC_PROT_EXEC for _, _, access in self.uc.mem_regions())
