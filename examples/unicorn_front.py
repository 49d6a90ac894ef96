"""Overlapping regions, devices and ROM in front of plain Unicorn: run it to see A5 and 42."""

from guestmap.accel import NoInterrupts, Register, Segment, SegmentRegister, open_engine
from guestmap.base import HostClock
from guestmap.memory import MemoryRegionOps, MemorySystem

memory = MemorySystem()
board = memory.container("board", 1 << 32)
board.add_subregion(0, memory.ram("ram", 0x10000))
board.add_subregion(0x8000, memory.io("sensor", 4, MemoryRegionOps(read=lambda *_: 0xA5)), 1)
shown: list[int] = []
ports = memory.io("ports", 0x100, MemoryRegionOps(write=lambda _p, value, _s: shown.append(value)))
space = memory.address_space("memory", board)

with open_engine(
    "unicorn", space, memory.address_space("I/O", ports), NoInterrupts(), HostClock()
) as cpu:
    # mov al, [8000h]; out 10h, al; mov al, 42h; out 10h, al; hlt
    space.write(0x1000, bytes.fromhex("a00080 e610 b042 e610 f4"))
    cpu.write_segment(SegmentRegister.CS, Segment(0, 0, 0xFFFF))
    cpu.write_register(Register.EIP, 0x1000)
    cpu.run()

print(" ".join(f"{value:X}" for value in shown))
