"""What an address space shows, any CPU of Unicorn sees: also what Unicorn itself cannot map."""

from __future__ import annotations

import struct
import subprocess
import sys
from collections.abc import Iterator

import pytest

pytest.importorskip("unicorn")

from unicorn import Uc, UcError
from unicorn import unicorn_const as uc_api
from unicorn import x86_const as x86

from guestmap.accel.unicorn import UnmappedAccess, UnmappedError, attach
from guestmap.accel.unicorn.front import instance
from guestmap.base import ConfigError, HostError, StateError
from guestmap.memory import AccessSizes, MemoryRegionOps, MemorySystem
from tests.accel.front.board import STUBS, Board

pytestmark = pytest.mark.unicorn


@pytest.fixture(params=["library", "binding"])
def board(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Board]:
    """A board; its windows go straight to the library, or through the binding's own functions."""
    if request.param == "binding":
        monkeypatch.setattr(instance, "LIBRARY", None)
    board = Board()
    yield board
    board.front.close()


# -- pages that are not one piece of memory --------------------------------------------------------


@pytest.mark.parametrize(
    ("address", "size"),
    [(0x5003, 16), (0x4FFE, 4), (0x6001, 0x1FFF), (0x4001, 0x3002), (0x7FFF, 1)],
)
def test_ram_of_an_odd_size_at_an_odd_address(board: Board, address: int, size: int) -> None:
    ram = board.ram(address, size)
    for at in (address, address + size - 1):
        board.store(at, 0x5A, 1)
        assert board.load(at, 1) == 0x5A
    assert ram.buffer is not None
    assert (ram.buffer[0], ram.buffer[size - 1]) == (0x5A, 0x5A)
    for at in (address - 1, address + size):
        with pytest.raises(UnmappedError):
            board.load(at, 1)


def test_devices_that_share_a_page_with_each_other_and_with_ram(board: Board) -> None:
    board.ram(0, 0x3000)
    seen = []
    for index in range(3):
        ops = MemoryRegionOps(
            read=lambda offset, size, index=index: 0x10 * index + offset,
            write=lambda offset, value, size, index=index: seen.append((index, offset, value)),
        )
        board.root.add_subregion(0x1800 + 8 * index, board.memory.io(f"d{index}", 8, ops), 1)
    assert [board.load(0x1801 + 8 * i, 1) for i in range(3)] == [0x01, 0x11, 0x21]
    for index in range(3):
        board.store(0x1804 + 8 * index, 0xAB, 4)
    assert seen == [(0, 4, 0xAB), (1, 4, 0xAB), (2, 4, 0xAB)]
    board.store(0x1818, 0x12345678)
    assert (board.load(0x1818), board.load(0x1FFC), board.load(0x2000)) == (0x12345678, 0, 0)


def test_priorities_aliases_and_containers(board: Board) -> None:
    low, high = board.ram(0, 0x4000, "low"), board.ram(0x1000, 0x1000, "high", priority=1)
    board.root.add_subregion(0x8000, board.memory.alias("mirror", low, 0, 0x4000))
    board.store(0x1000, 0x11111111)
    board.store(0x9000, 0x22222222)
    assert (board.load(0x1000), board.load(0x9000)) == (0x11111111, 0x22222222)
    high.set_enabled(False)
    assert board.load(0x1000) == 0x22222222


@pytest.mark.parametrize("address", [0x2000, 0x2800], ids=["whole pages", "part of a page"])
def test_what_is_written_to_a_read_only_window_vanishes(board: Board, address: int) -> None:
    ram = board.ram(0, 0x1000)
    shadow = board.memory.alias("shadow", ram, 0, 0x800 if address & 0xFFF else 0x1000)
    shadow.set_readonly(True)
    board.root.add_subregion(address, shadow)
    board.store(0x10, 0x1234)
    board.store(address + 0x10, 0x5678)
    assert (board.load(address + 0x10), board.load(0x10)) == (0x1234, 0x1234)
    shadow.set_readonly(False)
    board.store(address + 0x10, 0x5678)
    assert board.load(0x10) == 0x5678


def test_accesses_across_a_border_are_put_together(board: Board) -> None:
    board.ram(0, 0x2000)
    board.root.add_subregion(0x1010, board.memory.ram("other", 0x10), 1)
    board.store(0x100E, 0x44332211)
    assert board.space.read(0x100C, 8) == b"\0\0\x11\x22\x33\x44\0\0"
    assert board.load(0x100E) == 0x44332211


# -- changes in the middle of an access ------------------------------------------------------------


def _banked(board: Board) -> None:
    """A ROM of 8 banks of 16 KiB, and the register that chooses one; code in each bank."""
    rom = board.memory.rom("rom", 8 * 0x4000)
    window = board.memory.alias("bank", rom, 0, 0x4000)
    for bank in range(8):
        assert rom.buffer is not None
        at = bank * 0x4000
        rom.buffer[at : at + 8] = struct.pack("<II", 0xE3A01000 | bank, 0xB0B0B0B0 + bank)
    board.root.add_subregion(0x8000, window)
    ops = MemoryRegionOps(write=lambda _o, value, _s: window.set_alias_offset(value * 0x4000))
    board.root.add_subregion(0xC000, board.memory.io("bank register", 4, ops))


def test_a_bank_switch_shows_at_the_very_next_instruction(board: Board) -> None:
    _banked(board)
    board.ram(0, 0x1000)
    board.space.write(0x100, bytes.fromhex("002083e5 041094e5"))  # str r2,[r3]; ldr r1,[r4,#4]
    board.space.write(0x200, bytes.fromhex("002083e5 04f0a0e1"))  # str r2,[r3]; mov pc,r4
    for bank in (0, 5, 2, 5):
        board.run(0x100, 0x108, r2=bank, r3=0xC000, r4=0x8000)
        assert board.register("r1") == 0xB0B0B0B0 + bank
        board.run(0x200, 0x8004, r2=bank, r3=0xC000, r4=0x8000)
        assert board.register("r1") == bank


def test_a_write_to_rom_switches_banks_where_that_is_a_command(board: Board) -> None:
    flash = board.memory.rom_device(
        "cartridge", 0x8000,
        MemoryRegionOps(write=lambda _o, value, _s: window.set_alias_offset(value * 0x4000)),
    )  # fmt: skip
    assert flash.buffer is not None
    flash.buffer[0x100:0x104], flash.buffer[0x4100:0x4104] = b"AAAA", b"BBBB"
    window = board.memory.alias("bank", flash, 0, 0x4000)
    board.root.add_subregion(0x8000, window)
    for value, expected in ((1, 0x42424242), (0, 0x41414141), (1, 0x42424242)):
        board.store(0x8000, value)
        assert board.load(0x8100) == expected
    window.set_readonly(True)
    board.store(0x8000, 0)
    assert board.load(0x8100) == 0x42424242


def test_a_device_that_takes_itself_away_uncovers_what_is_below(board: Board) -> None:
    """What is being accessed cannot be unmapped: it goes on by way of the address space."""
    ram = board.ram(0, 0x10000)
    boot = board.memory.io("boot overlay", 0x1000, MemoryRegionOps(
        read=lambda _o, _s: 0xEE, write=lambda _o, _v, _s: boot.set_enabled(False)))  # fmt: skip
    other = board.memory.io("other", 4, MemoryRegionOps(read=lambda _o, _s: 1))
    board.root.add_subregion(0x4000, boot, 1)
    board.root.add_subregion(0x8000, other, 1)
    assert board.load(0x4000, 1) == 0xEE
    # str r2,[r0]; str r2,[r0,#4]; ldr r1,[r0,#4]; ldr r5,[r3]; ldr r6,[r0,#4]
    board.space.write(0x100, bytes.fromhex("002080e5 042080e5 041090e5 005093e5 046090e5"))
    board.run(0x100, 0x114, r0=0x4000, r2=0x1234, r3=0x8000)
    assert ram.buffer is not None
    assert (board.register("r1"), board.register("r6")) == (0x1234, 0x1234)
    assert ram.buffer[0x4004:0x4006] == b"\x34\x12"
    assert board.windows() == 1  # all that is left is "other"


def test_what_could_not_be_mapped_in_an_access_is_mapped_when_the_cpu_starts(board: Board) -> None:
    board.ram(0, 0x10000)
    ops = MemoryRegionOps(write=lambda _o, _v, _s: boot.set_enabled(False))
    boot = board.memory.io("boot overlay", 0x1000, ops)
    board.root.add_subregion(0x4000, boot, 1)
    board.store(0x4000, 1)
    assert board.windows() == 1
    board.load(0)
    assert board.windows() == 0


def test_a_device_moves_within_its_page_by_its_own_write(board: Board) -> None:
    board.ram(0, 0x4000)
    ops = MemoryRegionOps(
        read=lambda _o, _s: 0x77, write=lambda _o, value, _s: device.set_address(value)
    )
    device = board.memory.io("mover", 0x10, ops)
    board.root.add_subregion(0x1000, device, 1)
    for before, after in ((0x1000, 0x1800), (0x1800, 0x3000), (0x3000, 0x1FF8), (0x1FF8, 0x2000)):
        board.store(before, after)
        assert board.load(after, 1) == 0x77
        board.store(before, 0xAA, 1)
        assert board.load(before, 1) == 0xAA


def test_a_callback_that_reads_through_unicorn(board: Board) -> None:
    def inner_read(_offset: int, _size: int) -> int:
        board.ram(0x4000, 0x1000, "late", priority=1)
        return 0x99

    inner = board.memory.io("inner", 4, MemoryRegionOps(read=inner_read))
    board.root.add_subregion(0x5000, inner)

    def read(_offset: int, _size: int) -> int:
        return int.from_bytes(board.uc.mem_read(0x5000, 4), "little") + 1

    board.root.add_subregion(0x4000, board.memory.io("outer", 4, MemoryRegionOps(read=read)))
    board.root.add_subregion(0x5004, board.memory.io("side", 4, MemoryRegionOps()))
    board.load(0x5004)  # Unicorn's own functions see what the CPU has seen
    assert board.load(0x4000) == 0x9A
    board.store(0x4000, 7)
    assert board.load(0x4000) == 7


# -- code ------------------------------------------------------------------------------------------


def test_code_that_python_writes_is_new(board: Board) -> None:
    board.ram(0, 0x2000)
    for number in (1, 2, 3):
        board.space.write(0x100, struct.pack("<I", 0xE3A01000 | number))  # mov r1, #number
        board.run(0x100, 0x104)
        assert board.register("r1") == number


def test_code_that_a_device_writes_by_dma_is_new(board: Board) -> None:
    board.ram(0, 0x2000)
    board.root.add_subregion(0x4000, board.memory.io("dma", 4, MemoryRegionOps(
        write=lambda _o, value, _s: board.space.write(
            0x200, struct.pack("<I", 0xE3A01000 | value)))))  # fmt: skip
    board.space.write(0x100, bytes.fromhex("002083e5 00f0a0e1"))  # str r2,[r3]; mov pc,r0
    for number in (1, 2, 3):
        board.run(0x100, 0x204, r0=0x200, r2=number, r3=0x4000)
        assert board.register("r1") == number


class PagedX86:
    """An x86 with paging: 400000h is physical 3000h, which has no other address."""

    def __init__(self) -> None:
        self.memory = MemorySystem()
        root = self.memory.container("board", 1 << 32)
        self.space = self.memory.address_space("memory", root)
        root.add_subregion(0, self.memory.ram("ram", 0x20000))
        self.bank = self.memory.alias("bank", self.memory.ram("banks", 0x4000), 0, 0x1000)
        root.add_subregion(0x3000, self.bank, 1)
        self.write = lambda _o, _v, _s: None
        ops = MemoryRegionOps(write=lambda o, v, s: self.write(o, v, s))
        root.add_subregion(0x8000, self.memory.io("device", 16, ops), 1)
        for index in range(16):
            self.space.store(0x11000 + 4 * index, 4, index << 12 | 3)
        self.space.store(0x1100C, 4, 0)
        self.space.store(0x12000, 4, 0x3003)
        self.space.write(0x10000, struct.pack("<II", 0x11003, 0x12003))
        self.uc = Uc(uc_api.UC_ARCH_X86, uc_api.UC_MODE_32)
        attach(self.uc, self.space)
        self.uc.reg_write(x86.UC_X86_REG_CR3, 0x10000)
        self.uc.reg_write(x86.UC_X86_REG_CR0, 0x80000011)

    def run(self, start: int) -> int:
        self.uc.emu_start(start, 0)
        return int(self.uc.reg_read(x86.UC_X86_REG_EAX))


def test_code_is_new_under_whatever_address_the_cpu_knows_it() -> None:
    machine = PagedX86()
    machine.write = lambda _o, value, _s: machine.space.write(0x3011, bytes((value,)))
    # mov eax,2; mov [8000h],eax; jmp $+5; ... mov eax,1; hlt
    machine.space.write(0x3000, bytes.fromhex("b802000000 a300800000 eb04"))
    machine.space.write(0x3010, bytes.fromhex("b801000000 f4"))
    assert machine.run(0x400010) == 1
    assert machine.run(0x400000) == 2


def test_a_bank_is_new_under_whatever_address_the_cpu_knows_it() -> None:
    machine = PagedX86()
    for bank in range(4):
        machine.bank.set_alias_offset(0x1000 * bank)
        machine.space.write(0x3010, bytes((0xB8, bank, 0, 0, 0, 0xF4)))  # mov eax,bank; hlt
    for bank in (0, 3, 1, 3):
        machine.bank.set_alias_offset(0x1000 * bank)
        assert machine.run(0x400010) == bank


def test_data_is_new_under_whatever_address_the_cpu_knows_it() -> None:
    machine = PagedX86()
    for bank in range(4):
        machine.bank.set_alias_offset(0x1000 * bank)
        machine.space.store(0x3020, 4, 0xB0 + bank)
    machine.write = lambda _o, value, _s: machine.bank.set_alias_offset(0x1000 * (value & 3))
    # mov eax,[400020h]; mov ecx,eax; inc ecx; mov [8000h],ecx; mov eax,[400020h]; hlt
    machine.space.write(0x1000, bytes.fromhex("a120004000 89c1 41 890d00800000 a120004000 f4"))
    machine.bank.set_alias_offset(0)
    assert [machine.run(0x1000) for _ in range(3)] == [0xB1, 0xB2, 0xB3]
    machine.write = lambda _o, _value, _s: machine.bank.set_enabled(False)
    assert machine.run(0x1000) == 0


def test_a_fault_after_a_change_of_the_map_is_where_it_is() -> None:
    machine = PagedX86()
    faults = []

    def fault(uc: Uc, vector: int, _data: object) -> None:
        faults.append((vector, uc.reg_read(x86.UC_X86_REG_EIP)))
        uc.emu_stop()

    machine.uc.hook_add(uc_api.UC_HOOK_INTR, fault)
    machine.write = lambda _o, value, _s: machine.bank.set_alias_offset(0x1000 * (value & 3))
    machine.space.write(0x1000, bytes.fromhex("a300800000 a100005000 f4"))  # second: not present
    for bank in (1, 2, 3):
        machine.uc.reg_write(x86.UC_X86_REG_EAX, bank)
        machine.run(0x1000)
        assert faults[-1][1] == 0x1005


def test_more_devices_than_there_are_windows(board: Board) -> None:
    for index in range(200):
        ops = MemoryRegionOps(read=lambda _o, _s, index=index: index)
        board.root.add_subregion(index << 12, board.memory.io(f"device {index}", 4, ops))
    for _ in range(2):
        assert [board.load(index << 12, 1) for index in range(200)] == list(range(200))
    assert board.windows() <= 64


def test_more_devices_than_windows_and_one_where_addresses_end(board: Board) -> None:
    last = board.memory.io("last", 0x10, MemoryRegionOps(read=lambda _o, _s: 0x77))
    board.root.add_subregion(0xFFFF_FFF0, last)
    for index in range(100):
        board.root.add_subregion(index << 12, board.memory.io(f"{index}", 4, MemoryRegionOps()))
    for index in range(100):
        board.load(index << 12, 1)
    assert board.load(0xFFFF_FFF4) == 0x77
    for enabled in (False, True):
        last.set_enabled(enabled)
    over_it = board.ram(0xFFFF_F000, 0x1000, "over it", priority=1)
    assert board.load(0xFFFF_FFF4) == 0
    over_it.set_enabled(False)
    assert board.load(0xFFFF_FFF4) == 0x77


def test_more_devices_than_windows_where_addresses_are_translated() -> None:
    machine = PagedX86()
    root = machine.space.root
    for index in range(100):
        ops = MemoryRegionOps(read=lambda _o, _s, index=index: index)
        region = machine.memory.io(f"device {index}", 4, ops)
        root.add_subregion((1 << 20) + (index << 12), region)
    machine.space.write(0x1000, bytes.fromhex("8b03 f4"))  # mov eax,[ebx]; hlt
    for index in (*range(100), *range(100)):
        machine.space.store(0x12004, 4, (1 << 20) + (index << 12) | 3)
        machine.uc.reg_write(x86.UC_X86_REG_CR3, 0x10000)
        machine.uc.reg_write(x86.UC_X86_REG_EBX, 0x401000)
        assert machine.run(0x1000) == index


# -- nobody ----------------------------------------------------------------------------------------


def test_an_access_to_nobody_is_an_error_that_says_what_is_near(board: Board) -> None:
    board.ram(0, 0x10000, "main")
    board.root.add_subregion(0x40000, board.memory.io("uart", 16, MemoryRegionOps()))
    with pytest.raises(UnmappedError) as caught:
        board.store(0x20004, 0xBEEF, 2)
    assert caught.value.access.address == 0x20004
    assert str(caught.value) == (
        "a write of 2 bytes at 0x20004 (value 0xbeef): nobody is there;"
        " below is 'main' (0x0-0xffff), above is 'uart' (0x40000-0x4000f)"
    )
    with pytest.raises(UnmappedError, match=r"4 bytes at 0x40010.*'uart'.*above is nothing"):
        board.load(0x40010)
    with pytest.raises(UnmappedError, match="fetch of 4 bytes at 0x70000"):
        board.run(0x70000, 0x70004)
    assert board.load(0x1000) == 0  # and goes on


def test_an_access_that_a_device_refuses_names_it(board: Board) -> None:
    ops = MemoryRegionOps(valid=AccessSizes(4, 4))
    board.root.add_subregion(0x4000, board.memory.io("words", 16, ops))
    with pytest.raises(UnmappedError, match="region 'words' is there and refuses it"):
        board.load(0x4000, 1)
    assert board.load(0x4000) == 0


def test_a_callback_answers_for_nobody() -> None:
    seen: list[UnmappedAccess] = []

    def open_bus(access: UnmappedAccess) -> int | None:
        seen.append(access)
        if access.address >= 0x7000:
            return 0xE1A00000  # nop
        return 0xFFFFFFFF if access.kind == "read" else None

    board = Board(unmapped=open_bus)
    board.ram(0, 0x1000)
    assert (board.load(0x5000), board.load(0x5001, 1)) == (0xFFFFFFFF, 0xFF)
    board.store(0x6000, 7)
    board.run(0x7FFC, 0x8000)
    kinds = [(access.kind, access.address, access.size, access.value) for access in seen]
    assert kinds[:3] == [
        ("read", 0x5000, 4, None),
        ("read", 0x5001, 1, None),
        ("write", 0x6000, 4, 7),
    ]
    assert ("fetch", 0x7FFC, 4, None) in kinds


def test_an_access_that_is_taken_in_part_is_told_in_part() -> None:
    seen: list[tuple[str, int, int, int | None]] = []

    def nobody(access: UnmappedAccess) -> int:
        seen.append((access.kind, access.address, access.size, access.value))
        return 0x7766554433

    board = Board(unmapped=nobody)
    board.ram(0x1000, 1)
    board.ram(0x1003, 1)
    board.store(0x1000, 0xD4C3B2A1)
    assert seen == [("write", 0x1001, 2, 0xC3B2)]
    assert board.load(0x1000) == 0xD44433A1
    assert seen[1:] == [("read", 0x1001, 2, None)]


def test_a_callback_of_a_device_that_returns_no_number(board: Board) -> None:
    answers: list[int | None] = [None, 7, None]
    ops = MemoryRegionOps(read=lambda _o, _s: answers.pop(0))  # type: ignore[arg-type,return-value]
    board.root.add_subregion(0x4000, board.memory.io("bad", 16, ops))
    with pytest.raises(ConfigError, match=r"'bad'.* offset 0x8 returned None"):
        board.load(0x4008)
    assert board.load(0x4008) == 7
    with pytest.raises(ConfigError, match=r"'bad'.* offset 0x8 returned None"):
        board.load(0x4008)


def test_what_a_callback_raises_comes_out_of_emu_start(board: Board) -> None:
    class BoomError(Exception):
        pass

    def boom(*_args: object) -> int:
        raise BoomError

    board.root.add_subregion(
        0x4000, board.memory.io("bad", 4, MemoryRegionOps(read=boom, write=boom))
    )
    with pytest.raises(BoomError):
        board.load(0x4000)
    with pytest.raises(BoomError):
        board.store(0x4000, 1)
    board.ram(0, 0x1000)
    assert board.load(0) == 0
    # ldr r1,[r0]; b (the next); str r0,[r2]: in another block, which is not reached
    board.space.write(0x100, bytes.fromhex("001090e5 ffffffea 000082e5"))
    with pytest.raises(BoomError):
        board.run(0x100, 0x10C, r0=0x4000, r2=0x800)
    assert board.load(0x800) == 0


# -- beside others, and the end --------------------------------------------------------------------


def test_memory_that_is_mapped_already_is_not_taken() -> None:
    memory = MemorySystem()
    root = memory.container("board", 1 << 32)
    root.add_subregion(0x1000, memory.ram("ram", 0x2000))
    space = memory.address_space("memory", root)
    uc = Uc(uc_api.UC_ARCH_ARM, uc_api.UC_MODE_ARM)
    uc.mem_map(0x2000, 0x4000)
    with pytest.raises(ConfigError, match=r"'ram' at 0x2000-0x2fff .* at 0x2000-0x5fff: unmap"):
        attach(uc, space)
    uc.mem_unmap(0x2000, 0x4000)
    with attach(uc, space):
        assert [region[:2] for region in uc.mem_regions()] == [(0x1000, 0x2FFF)]
    with pytest.raises(ConfigError, match=r"give a unicorn\.Uc"):
        attach("cpu", space)


def test_a_change_that_meets_memory_of_the_user_is_refused(board: Board) -> None:
    ram = board.memory.ram("ram", 0x2000)
    with pytest.raises(HostError, match="0xffff0000"):
        board.root.add_subregion(STUBS, ram)
    assert ram.container is None
    board.ram(0, 0x1000)
    board.store(0, 5)
    assert board.load(0) == 5


def test_afterwards_nothing_is_left(board: Board) -> None:
    ram = board.ram(0, 0x10000)
    board.root.add_subregion(0x20000, board.memory.io("device", 4, MemoryRegionOps()))
    board.load(0x20000)
    block = ram.ram_block
    assert block is not None
    assert block.pins == 1
    board.front.close()
    board.front.close()
    assert [region[0] for region in board.uc.mem_regions()] == [STUBS]
    assert (block.pins, block.watched) == (0, False)
    with pytest.raises(UcError):
        board.load(0x100)
    attach(board.uc, board.space)
    board.store(0x100, 9)
    assert board.load(0x100) == 9


def test_closing_the_memory_first_is_fine(board: Board) -> None:
    board.ram(0, 0x1000)
    board.memory.close()
    assert [region[0] for region in board.uc.mem_regions()] == [STUBS]
    board.front.close()


def test_a_device_cannot_detach(board: Board) -> None:
    ops = MemoryRegionOps(read=lambda _o, _s: board.front.close() or 0)
    board.root.add_subregion(0x4000, board.memory.io("device", 4, ops))
    with pytest.raises(StateError, match="stop the CPU first"):
        board.load(0x4000)


def test_the_engine_of_the_pc_is_not_imported() -> None:
    code = (
        "import sys, guestmap.accel.unicorn\n"
        "print([n for n in sys.modules if n.startswith(('guestmap.hw', 'guestmap.machine'))"
        " or n.startswith('guestmap.accel.unicorn.') and n.rpartition('.')[2] in"
        " ('engine', 'cpu', 'window', 'layout', 'delivery', 'exits', 'paging')])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout == "[]\n"


def test_what_a_device_answered_is_remembered_and_what_it_refuses_is_told_each_time(
    board: Board,
) -> None:
    """Else each load of a device's register looks for the device again, at five times the cost."""
    is_open = True
    plain = MemoryRegionOps(read=lambda offset, _size: offset)
    moody = MemoryRegionOps(read=lambda *_: 7, valid=AccessSizes(accepts=lambda *_: is_open))
    board.root.add_subregion(0x1000, board.memory.io("plain", 8, plain))
    board.root.add_subregion(0x2000, board.memory.io("moody", 8, moody))
    assert [board.load(0x1004), board.load(0x2000)] == [4, 7]
    assert list(board.space.view.plans) == [0x1004 << 4 | 4]
    assert board.space.load(0x2000, 4) == 7
    is_open = False
    with pytest.raises(UnmappedError):
        board.load(0x2000)
