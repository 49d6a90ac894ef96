"""Overlapping regions and a device in front of plain Unicorn: run it to see A5 and 42."""

import unicorn

from guestmap.accel.unicorn import attach
from guestmap.memory import MemoryRegionOps, MemorySystem

memory, cpu = MemorySystem(), unicorn.Uc(unicorn.UC_ARCH_X86, unicorn.UC_MODE_32)
space = memory.address_space("memory", memory.container("board", 1 << 32))
attach(cpu, space)
space.root.add_subregion(0, memory.ram("ram", 0x10000))
show = MemoryRegionOps(read=lambda *_: 0xA5, write=lambda _o, value, _n: print(f"{value:X}"))
space.root.add_subregion(0x8004, memory.io("device", 8, show), priority=1)
space.write(0x1000, bytes.fromhex("a104800000 a304800000 c6050480000042 f4"))  # mov mov mov hlt
cpu.emu_start(0x1000, 0)
