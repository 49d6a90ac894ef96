"""Overlapping regions and a device in front of plain Unicorn: run it to see A5 and 42."""

import unicorn

from guestmap.memory import MemoryListener, MemoryRegionOps, MemoryRegionSection, MemorySystem

memory, cpu = MemorySystem(), unicorn.Uc(unicorn.UC_ARCH_X86, unicorn.UC_MODE_32)
space = memory.address_space("memory", memory.container("board", 1 << 32))


class Front(MemoryListener):
    def region_add(self, s: MemoryRegionSection) -> None:
        at, size, ram = s.offset_within_address_space, s.size, s.region.ram_block
        if ram is None:  # a device: Unicorn asks the address space
            cpu.mmio_map(at, size, lambda _, o, n, __: space.load(at + o, n), None,
                         lambda _, o, n, new, __: space.store(at + o, n, new), None)  # fmt: skip
        else:  # memory: Unicorn gets the host's own pages (5: read, execute; 7: write, too)
            cpu.mem_map_ptr(at, size, 7 - 2 * s.readonly, ram.host_address + s.offset_within_region)

    def region_del(self, s: MemoryRegionSection) -> None:
        cpu.mem_unmap(s.offset_within_address_space, s.size)


space.register_listener(Front())
space.root.add_subregion(0, memory.ram("ram", 0x10000))
show = MemoryRegionOps(read=lambda *_: 0xA5, write=lambda _o, value, _n: print(f"{value:X}"))
space.root.add_subregion(0x8000, memory.io("device", 0x1000, show), priority=1)
space.write(0x1000, bytes.fromhex("a100800000 a300800000 c6050080000042 f4"))  # mov mov mov hlt
cpu.emu_start(0x1000, 0)
