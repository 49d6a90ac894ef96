"""The bus of a 6502 console, without any engine: mirrors, registers every 8 bytes, banked ROM.

A CPU is whoever calls ``load`` and ``store``; this one knows five instructions. Run it to see what
it read.
"""

from guestmap.memory import MemoryRegionOps, MemorySystem

BANK_SIZE = 0x4000
PROGRAM = bytes.fromhex(
    "A9 2A"     # LDA #$2A
    "8D 34 02"  # STA $0234     RAM ...
    "AD 34 1A"  # LDA $1A34     ... is there four times
    "8D 09 20"  # STA $2009     register 1 of the video chip, by its second name
    "A9 02"     # LDA #2
    "8D 00 80"  # STA $8000     a write to ROM is a command: bank 2
    "AD 00 80"  # LDA $8000
    "00"        # BRK
)  # fmt: skip

memory = MemorySystem()
bus = memory.container("bus", 0x10000)
space = memory.address_space("cpu", bus)

ram = memory.ram("ram", 0x800)
bus.add_subregion(0, ram)
for mirror in range(0x800, 0x2000, 0x800):
    bus.add_subregion(mirror, memory.alias(f"ram at {mirror:04x}", ram, 0, 0x800))

video = MemoryRegionOps(
    read=lambda _offset, _size: 0x80,
    write=lambda offset, value, _size: print(f"video register {offset % 8} <- {value:02x}"),
)
bus.add_subregion(0x2000, memory.io("video", 0x2000, video))

cartridge = memory.rom_device(
    "cartridge", 8 * BANK_SIZE,
    MemoryRegionOps(write=lambda _offset, value, _size: low.set_alias_offset(value * BANK_SIZE)),
)  # fmt: skip
for number in range(8):
    cartridge.buffer[number * BANK_SIZE] = 0xB0 + number
cartridge.buffer[7 * BANK_SIZE + 0x1000 : 7 * BANK_SIZE + 0x1000 + len(PROGRAM)] = PROGRAM
low = memory.alias("switched bank", cartridge, 0, BANK_SIZE)
bus.add_subregion(0x8000, low)
bus.add_subregion(0xC000, memory.alias("last bank", cartridge, 7 * BANK_SIZE, BANK_SIZE))


def run(pc: int) -> None:
    """Execute until BRK."""
    a = 0
    while opcode := space.load(pc, 1):
        operand = space.load(pc + 1, 2)
        if opcode == 0xA9:  # LDA #
            a, pc = operand & 0xFF, pc + 2
        elif opcode == 0xAD:  # LDA absolute
            a, pc = space.load(operand, 1), pc + 3
            print(f"{operand:04x} -> {a:02x}")
        elif opcode == 0x8D:  # STA absolute
            space.store(operand, 1, a)
            pc += 3


run(0xD000)
