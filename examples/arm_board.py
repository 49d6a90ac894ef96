"""An ARM board in front of plain Unicorn: UART, banked ROM, DMA, a framebuffer under its registers.

Nothing here has the size of Unicorn's pages but RAM and ROM. Run it to see what the guest did.
"""

import unicorn
from unicorn import arm_const as arm

from guestmap.accel.unicorn import attach
from guestmap.memory import MemoryRegionOps, MemorySystem

UART, BANK, DMA, ROM, FRAMEBUFFER = 0x1000_0000, 0x1000_0010, 0x1000_0018, 0x2000_0000, 0x3000_0000
BANK_SIZE = 0x4000
PROGRAM = bytes.fromhex(
    "0050a0e3"  # mov r5, #0
    "005081e5"  # next: str r5, [r1]        switch the bank ...
    "0060d2e5"  # ldrb r6, [r2]             ... and read from it at once
    "0060c0e5"  # strb r6, [r0]             print
    "015085e2"  # add r5, r5, #1
    "030055e3"  # cmp r5, #3
    "f9ffff1a"  # bne next
    "002083e5"  # str r2, [r3]              DMA from the bank
    "044083e5"  # str r4, [r3, #4]          to the framebuffer
    "1060a0e3"  # mov r6, #16
    "086083e5"  # str r6, [r3, #8]          go
    "007094e5"  # ldr r7, [r4]              a pixel
    "008194e5"  # ldr r8, [r4, #0x100]      a register
)

memory = MemorySystem()
board = memory.container("board", 1 << 32)
space = memory.address_space("memory", board)
board.add_subregion(0, memory.ram("ram", 0x10000))

# Three devices on one page: a container of its own keeps their addresses together.
peripherals = memory.container("peripherals", 0x1000)
board.add_subregion(UART, peripherals)
uart = MemoryRegionOps(write=lambda _offset, value, _size: print(f"UART: {value:c}"))
peripherals.add_subregion(0, memory.io("uart", 16, uart), overlap="refuse")

rom = memory.rom("rom", 4 * BANK_SIZE)
for number, letter in enumerate(b"ABC"):
    rom.buffer[number * BANK_SIZE : number * BANK_SIZE + 16] = bytes([letter]) * 16
window = memory.alias("bank", rom, 0, BANK_SIZE)
board.add_subregion(ROM, window)
bank = MemoryRegionOps(
    write=lambda _offset, value, _size: window.set_alias_offset(value * BANK_SIZE)
)
peripherals.add_subregion(BANK - UART, memory.io("bank", 4, bank), overlap="refuse")


class Dma:
    """Source, destination and length, 4 bytes each; writing the length starts the transfer."""

    def __init__(self) -> None:
        self.registers = [0, 0, 0]

    def write(self, offset: int, value: int, _size: int) -> None:
        self.registers[offset // 4] = value
        if offset == 8:
            source, destination, length = self.registers
            space.write(destination, space.read(source, length))


dma = Dma()
ops = MemoryRegionOps(write=dma.write)
peripherals.add_subregion(DMA - UART, memory.io("dma", 12, ops, owner=dma), overlap="refuse")

board.add_subregion(FRAMEBUFFER, memory.ram("framebuffer", 0x4000))
registers = MemoryRegionOps(read=lambda offset, _size: 0xF0 + offset)
board.add_subregion(FRAMEBUFFER + 0x100, memory.io("video", 0x100, registers), priority=1)

cpu = unicorn.Uc(unicorn.UC_ARCH_ARM, unicorn.UC_MODE_ARM)
with attach(cpu, space):
    space.write(0x8000, PROGRAM)
    for register, value in enumerate((UART, BANK, ROM, DMA, FRAMEBUFFER)):
        cpu.reg_write(arm.UC_ARM_REG_R0 + register, value)
    cpu.emu_start(0x8000, 0x8000 + len(PROGRAM))
    print(
        f"pixel {cpu.reg_read(arm.UC_ARM_REG_R7):x}, register {cpu.reg_read(arm.UC_ARM_REG_R8):x}"
    )
